//! Credentials being made.

use crypto::webauthn::{CeremonyError, Registration, Started};
use domain::config::UserVerification;
use serde_json::{Value, json};
use uuid::Uuid;

use super::authenticator::{
    ATTESTED, Authenticator, BACKUP_ELIGIBLE, BACKUP_STATE, EXTENSIONS, PRESENT, Script, VERIFIED, bytes, encoded, map,
};
use super::{ALGORITHMS, known, party, proving, registered, registering};

fn refused(authenticator: &Authenticator, change: impl FnOnce(&mut Script)) -> Option<CeremonyError> {
    let started = registering(UserVerification::Preferred);
    verify(&authenticator.create(&started, change), &started).err()
}

fn verify(posted: &Value, started: &Started) -> Result<crypto::webauthn::NewCredential, CeremonyError> {
    Registration::parse(posted).unwrap().verify(&party(), &started.session)
}

#[test]
fn every_offered_algorithm_registers() {
    for algorithm in ALGORITHMS {
        let authenticator = Authenticator::new(algorithm);
        let credential = registered(&authenticator);
        assert_eq!(credential.id, authenticator.id, "{algorithm}");
        assert_eq!(credential.public_key, authenticator.cose(), "{algorithm}");
        assert_eq!(credential.attestation_format, "none");
        assert_eq!(credential.transports, ["internal", "hybrid"]);
        assert_eq!(credential.attachment, "platform");
    }
}

#[test]
fn what_the_authenticator_says_is_told() {
    let mut authenticator = Authenticator::new(-7);
    authenticator.aaguid = *Uuid::from_u128(0xea9b_8d66).as_bytes();
    let started = registering(UserVerification::Preferred);
    let posted = authenticator.create(&started, |script| {
        script.flags = PRESENT | BACKUP_ELIGIBLE | BACKUP_STATE | ATTESTED;
        script.count = 0x0102_0304;
    });
    let credential = verify(&posted, &started).unwrap();
    assert_eq!(credential.aaguid, Uuid::from_u128(0xea9b_8d66));
    assert_eq!(credential.sign_count, 0x0102_0304);
    assert!(credential.flags.user_present && !credential.flags.user_verified);
    assert!(credential.flags.backup_eligible && credential.flags.backup_state);
}

#[test]
fn the_ceremony_must_be_the_one_that_was_started() {
    let authenticator = Authenticator::new(-7);
    let expect = |error, change: fn(&mut Script)| assert_eq!(refused(&authenticator, change), Some(error));
    expect(CeremonyError::Ceremony, |script| script.kind = "webauthn.get".to_owned());
    expect(CeremonyError::Challenge, |script| script.challenge.push('A'));
    expect(CeremonyError::Challenge, |script| script.challenge = String::new());
    expect(CeremonyError::RelyingParty, |script| script.rp_id = "evil.example.com".to_owned());
    expect(CeremonyError::UserPresence, |script| script.flags &= !PRESENT);
    expect(CeremonyError::Backup, |script| script.flags |= BACKUP_STATE);
    expect(CeremonyError::Credential, |script| script.attested_id = vec![1, 2, 3]);
}

#[test]
fn a_challenge_to_prove_a_credential_makes_none() {
    let authenticator = Authenticator::new(-7);
    let started = proving(&[&known(&registered(&authenticator))], UserVerification::Preferred);
    let posted = authenticator.create(&started, |_| {});
    assert_eq!(verify(&posted, &started), Err(CeremonyError::Ceremony));
}

#[test]
fn a_session_without_challenge_accepts_none() {
    let mut started = registering(UserVerification::Preferred);
    started.session.challenge = String::new();
    let posted = Authenticator::new(-7).create(&started, |_| {});
    assert_eq!(verify(&posted, &started), Err(CeremonyError::Challenge));
}

#[test]
fn the_page_must_be_of_a_listed_origin() {
    let authenticator = Authenticator::new(-8);
    let from = |origin: &str| {
        let origin = origin.to_owned();
        refused(&authenticator, |script| script.origin = origin)
    };
    for origin in
        ["https://example.com", "https://EXAMPLE.com", "https://example.com:443", "https://app.example.com:8443"]
    {
        assert_eq!(from(origin), None, "{origin}");
    }
    for origin in [
        "http://example.com",
        "https://app.example.com",
        "https://example.com:8443",
        "https://evil.com",
        "https://example.com.evil.com",
        "https://user@example.com",
        "https://example.com/path",
        "null",
        "",
    ] {
        assert_eq!(from(origin), Some(CeremonyError::Origin), "{origin}");
    }
}

#[test]
fn user_verification_is_asked_for_only_where_it_is_required() {
    let authenticator = Authenticator::new(-7);
    for (asked, refusal) in [
        (UserVerification::Discouraged, None),
        (UserVerification::Preferred, None),
        (UserVerification::Required, Some(CeremonyError::UserVerification)),
    ] {
        let started = registering(asked);
        let posted = authenticator.create(&started, |script| script.flags &= !VERIFIED);
        assert_eq!(verify(&posted, &started).err(), refusal, "{asked:?}");
        assert!(verify(&authenticator.create(&started, |_| {}), &started).is_ok());
    }
}

#[test]
fn an_algorithm_that_was_not_offered_is_refused() {
    let mut started = registering(UserVerification::Preferred);
    started.session.cred_params.retain(|offered| offered.alg != -8);
    let posted = Authenticator::new(-8).create(&started, |_| {});
    assert_eq!(verify(&posted, &started), Err(CeremonyError::PublicKey));
    let posted = Authenticator::new(-7).create(&started, |_| {});
    assert!(verify(&posted, &started).is_ok());
}

#[test]
fn a_key_must_be_whole() {
    let p256 = Authenticator::new(-7);
    let rsa = Authenticator::new(-257);
    let ed25519 = Authenticator::new(-8);
    // Each case: a key, the label to be replaced, its new value (`None` removes it).
    let cases: Vec<(&Authenticator, i64, Option<ciborium::Value>)> = vec![
        (&p256, 1, Some(3.into())),
        (&p256, 3, Some((-35).into())),
        (&p256, 3, Some((-47).into())),
        (&p256, 3, None),
        (&p256, -1, Some(2.into())),
        (&p256, -1, Some("P-256".into())),
        (&p256, -2, Some(bytes([4; 31]))),
        (&p256, -2, Some(bytes([4; 32]))),
        (&p256, -3, Some(true.into())),
        (&p256, -3, None),
        (&ed25519, -2, Some(bytes([7; 33]))),
        (&ed25519, -1, Some(4.into())),
        (&rsa, -1, Some(bytes([0xff; 128]))),
        (&rsa, -1, Some(bytes([0xff; 1025]))),
        (&rsa, -1, Some(bytes([0; 256]))),
        (&rsa, -1, Some(bytes([]))),
        (&rsa, -2, Some(bytes([]))),
        (&rsa, -2, Some(bytes([1; 9]))),
        (&rsa, -2, Some(bytes([2]))),
    ];
    for (authenticator, label, value) in cases {
        let told = format!("{label} {value:?}");
        let mut parameters = authenticator.parameters();
        parameters.retain(|(kept, _)| *kept != label);
        parameters.extend(value.map(|value| (label, value)));
        let cose = encoded(&ciborium::Value::Map(
            parameters.into_iter().map(|(label, value)| (label.into(), value)).collect(),
        ));
        assert_eq!(refused(authenticator, |script| script.cose = cose), Some(CeremonyError::PublicKey), "{told}");
    }
}

#[test]
fn a_key_with_a_label_twice_is_refused() {
    let authenticator = Authenticator::new(-7);
    let mut parameters = authenticator.parameters();
    parameters.push(parameters[2].clone());
    let entries = parameters.into_iter().map(|(label, value)| (label.into(), value)).collect();
    let cose = encoded(&ciborium::Value::Map(entries));
    assert_eq!(refused(&authenticator, |script| script.cose = cose), Some(CeremonyError::PublicKey));
}

#[test]
fn extensions_of_the_authenticator_are_read_over() {
    let authenticator = Authenticator::new(-7);
    let extensions = encoded(&map([("credProtect", 2.into())]));
    let refusal = refused(&authenticator, |script| {
        script.flags |= EXTENSIONS;
        script.tail = extensions;
    });
    assert_eq!(refusal, None);
}

#[test]
fn transports_that_can_be_none_are_dropped() {
    let started = registering(UserVerification::Preferred);
    let mut posted = Authenticator::new(-7).create(&started, |_| {});
    let long = "x".repeat(33);
    posted["response"]["transports"] = json!(["usb", "", "a b", "nul\u{0}", long, "smart-card"]);
    assert_eq!(verify(&posted, &started).unwrap().transports, ["usb", "smart-card"]);
    posted["response"]["transports"] = json!(vec!["usb"; 100]);
    assert_eq!(verify(&posted, &started).unwrap().transports.len(), 16);
    posted["response"]["transports"] = Value::Null;
    assert!(verify(&posted, &started).unwrap().transports.is_empty());
}
