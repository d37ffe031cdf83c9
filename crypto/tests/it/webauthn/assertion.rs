//! Credentials proving themselves.

use crypto::webauthn::{Assertion, CeremonyError, Credential, Used, start_authentication, user_handle};
use domain::config::UserVerification;
use domain::ids::UserId;
use domain::webauthn::Purpose;
use serde_json::Value;
use uuid::Uuid;

use super::authenticator::{Authenticator, BACKUP_ELIGIBLE, BACKUP_STATE, PRESENT, Script, VERIFIED, base64url};
use super::{ALGORITHMS, expires, known, party, proving, registered, registering, user_id};
use crate::support::Repeatable;

/// An authenticator and its credential as it is known after it was made.
fn enrolled(algorithm: i64) -> (Authenticator, Credential) {
    let authenticator = Authenticator::new(algorithm);
    let credential = known(&registered(&authenticator));
    (authenticator, credential)
}

fn answer(
    authenticator: &Authenticator,
    credential: &Credential,
    count: u32,
    change: impl FnOnce(&mut Script),
) -> Result<Used, CeremonyError> {
    let started = proving(&[credential], UserVerification::Preferred);
    let posted = authenticator.get(&started, count, change);
    Assertion::parse(&posted).unwrap().verify(&party(), &started.session, credential)
}

#[test]
fn every_offered_algorithm_proves_itself_and_no_other_key_does() {
    for algorithm in ALGORITHMS {
        let (authenticator, credential) = enrolled(algorithm);
        assert!(answer(&authenticator, &credential, 1, |_| {}).is_ok(), "{algorithm}");
        let other = Authenticator::new(algorithm);
        assert_eq!(answer(&other, &credential, 1, |_| {}), Err(CeremonyError::Signature), "{algorithm}");
    }
}

#[test]
fn the_ceremony_must_be_the_one_that_was_started() {
    let (authenticator, credential) = enrolled(-7);
    let expect =
        |error, change: fn(&mut Script)| assert_eq!(answer(&authenticator, &credential, 1, change), Err(error));
    expect(CeremonyError::Ceremony, |script| script.kind = "webauthn.create".to_owned());
    expect(CeremonyError::Challenge, |script| script.challenge = "c29tZXRoaW5n".to_owned());
    expect(CeremonyError::Origin, |script| script.origin = "https://evil.com".to_owned());
    expect(CeremonyError::RelyingParty, |script| script.rp_id = "com".to_owned());
    expect(CeremonyError::UserPresence, |script| script.flags &= !PRESENT);
    expect(CeremonyError::Backup, |script| script.flags |= BACKUP_STATE);
    expect(CeremonyError::Backup, |script| script.flags |= BACKUP_ELIGIBLE);
    expect(CeremonyError::User, |script| script.handle = Some(user_handle(UserId(Uuid::from_u128(9)))));
}

#[test]
fn a_challenge_to_make_a_credential_proves_none() {
    let (authenticator, credential) = enrolled(-7);
    let started = registering(UserVerification::Preferred);
    let assertion = Assertion::parse(&authenticator.get(&started, 1, |_| {})).unwrap();
    assert_eq!(assertion.verify(&party(), &started.session, &credential), Err(CeremonyError::Ceremony));
}

#[test]
fn a_synced_credential_may_start_and_stop_being_copied() {
    let (authenticator, mut credential) = enrolled(-7);
    credential.backup_eligible = true;
    let copied = answer(&authenticator, &credential, 1, |script| script.flags |= BACKUP_ELIGIBLE | BACKUP_STATE);
    assert!(copied.unwrap().backup_state);
    let alone = answer(&authenticator, &credential, 1, |script| script.flags |= BACKUP_ELIGIBLE);
    assert!(!alone.unwrap().backup_state);
    assert_eq!(answer(&authenticator, &credential, 1, |_| {}), Err(CeremonyError::Backup));
}

#[test]
fn user_verification_is_asked_for_only_where_it_is_required() {
    let (authenticator, credential) = enrolled(-8);
    let started = proving(&[&credential], UserVerification::Required);
    let without = authenticator.get(&started, 1, |script| script.flags &= !VERIFIED);
    let verdict = Assertion::parse(&without).unwrap().verify(&party(), &started.session, &credential);
    assert_eq!(verdict, Err(CeremonyError::UserVerification));
    let with = authenticator.get(&started, 1, |_| {});
    let verdict = Assertion::parse(&with).unwrap().verify(&party(), &started.session, &credential);
    assert!(verdict.unwrap().user_verified);
    let unasked = answer(&authenticator, &credential, 1, |script| script.flags &= !VERIFIED);
    assert!(!unasked.unwrap().user_verified);
}

#[test]
fn only_a_credential_that_was_asked_for_counts() {
    let (mut stranger, _) = enrolled(-7);
    stranger.id = b"another".to_vec();
    let foreign = known(&registered(&stranger));
    let (authenticator, credential) = enrolled(-7);
    // Valid in itself, but not on the list.
    let started = proving(&[&credential], UserVerification::Preferred);
    let assertion = Assertion::parse(&stranger.get(&started, 1, |_| {})).unwrap();
    assert_eq!(assertion.verify(&party(), &started.session, &foreign), Err(CeremonyError::Credential));
    // On the list, but checked with another credential.
    let started = proving(&[&credential, &foreign], UserVerification::Preferred);
    let assertion = Assertion::parse(&stranger.get(&started, 1, |_| {})).unwrap();
    assert_eq!(assertion.verify(&party(), &started.session, &credential), Err(CeremonyError::Credential));
    assert!(assertion.verify(&party(), &started.session, &foreign).is_ok());
    let assertion = Assertion::parse(&authenticator.get(&started, 1, |_| {})).unwrap();
    assert_eq!(assertion.credential_id(), credential.id);
    assert!(assertion.verify(&party(), &started.session, &credential).is_ok());
}

#[test]
fn a_passkey_names_its_user() {
    let (authenticator, credential) = enrolled(-7);
    let entropy = Repeatable::seeded(3);
    let verification = UserVerification::Preferred;
    let started = start_authentication(Purpose::Passkey, &party(), None, &[], verification, expires(), &entropy);
    let posted = authenticator.get(&started, 1, |script| script.handle = Some(user_handle(user_id())));
    let assertion = Assertion::parse(&posted).unwrap();
    assert_eq!(assertion.user_handle(), Some(user_handle(user_id()).as_slice()));
    assert!(assertion.verify(&party(), &started.session, &credential).is_ok());
    for silent in [None, Some(Vec::new())] {
        let posted = authenticator.get(&started, 1, |script| script.handle = silent);
        assert_eq!(Assertion::parse(&posted).unwrap().user_handle(), None);
    }
}

#[test]
fn a_second_factor_need_not_name_its_user() {
    let (authenticator, credential) = enrolled(-7);
    assert!(answer(&authenticator, &credential, 1, |script| script.handle = None).is_ok());
}

#[test]
fn a_count_that_does_not_grow_is_told() {
    let (authenticator, mut credential) = enrolled(-7);
    // (known, came) -> (remembered, regressed)
    for ((known, came), (remembered, regressed)) in [
        ((0, 0), (0, false)),
        ((0, 1), (1, false)),
        ((5, 6), (6, false)),
        ((5, u32::MAX), (u32::MAX, false)),
        ((5, 5), (5, true)),
        ((5, 4), (5, true)),
        ((5, 0), (5, true)),
    ] {
        credential.sign_count = known;
        let used = answer(&authenticator, &credential, came, |_| {}).unwrap();
        assert_eq!((used.sign_count, used.counter_regressed), (remembered, regressed), "{known} {came}");
    }
}

#[test]
fn a_signature_is_of_this_answer_alone() {
    let (authenticator, credential) = enrolled(-7);
    let started = proving(&[&credential], UserVerification::Preferred);
    let posted = authenticator.get(&started, 1, |_| {});
    let swapped = |part: &str, value: Value| {
        let mut posted = posted.clone();
        posted["response"][part] = value;
        Assertion::parse(&posted).unwrap().verify(&party(), &started.session, &credential)
    };
    let later = authenticator.get(&started, 2, |_| {});
    for part in ["authenticatorData", "signature"] {
        let verdict = swapped(part, later["response"][part].clone());
        assert_eq!(verdict, Err(CeremonyError::Signature), "{part}");
    }
    assert_eq!(swapped("signature", "".into()), Err(CeremonyError::Signature));
    assert_eq!(swapped("signature", base64url(authenticator.sign(b"other")).into()), Err(CeremonyError::Signature));
}

#[test]
fn a_stored_key_that_is_none_proves_nothing() {
    let (authenticator, mut credential) = enrolled(-7);
    credential.public_key = b"key".to_vec();
    assert_eq!(answer(&authenticator, &credential, 1, |_| {}), Err(CeremonyError::PublicKey));
}
