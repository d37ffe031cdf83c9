//! Valid ceremonies with a part of them changed at random.

use std::sync::LazyLock;

use crypto::webauthn::{Assertion, Credential, Registration, SessionData, Started};
use domain::config::UserVerification;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use super::attestation::{Maker, modelled, packed};
use super::authenticator::{Authenticator, base64url, bytes, from_base64url, map};
use super::{known, party, proving, registered, registering};

struct Valid {
    registering: Started,
    creation: Value,
    /// One with a certificate.
    certified: Value,
    proving: Started,
    assertion: Value,
    credential: Credential,
}

static VALID: LazyLock<Valid> = LazyLock::new(|| {
    let authenticator = Authenticator::new(-8);
    let credential = known(&registered(&authenticator));
    let registering = registering(UserVerification::Preferred);
    // The statement signs, so that every byte of the data matters.
    let creation = authenticator.create(&registering, |script| {
        let own = Authenticator::new(-8);
        script.format = "packed".to_owned();
        script.cose = own.cose();
        script.statement =
            Box::new(move |data, hash| map([("alg", (-8).into()), ("sig", bytes(own.sign(&[data, hash].concat())))]));
    });
    let certified = modelled(-7).create(&registering, packed(Maker::new(|_| {})));
    let proving = proving(&[&credential], UserVerification::Preferred);
    let assertion = authenticator.get(&proving, 1, |_| {});
    Valid { registering, creation, certified, proving, assertion, credential }
});

/// A change of some bytes.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Replace(Index, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << (bit % 8);
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Replace(at, other) => {
                let at = at.index(bytes.len());
                let end = (at + other.len()).min(bytes.len());
                bytes.splice(at..end, other.iter().copied());
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let some = || prop::collection::vec(any::<u8>(), 1..12);
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bit)| Change::Flip(at, bit)),
        any::<Index>().prop_map(Change::Cut),
        (any::<Index>(), some()).prop_map(|(at, more)| Change::Insert(at, more)),
        (any::<Index>(), some()).prop_map(|(at, other)| Change::Replace(at, other)),
    ]
}

/// The credential with the bytes of one part changed; `None` where the changes left them as they were.
fn changed(credential: &Value, part: &str, changes: &[Change]) -> Option<Value> {
    let mut credential = credential.clone();
    let before = from_base64url(&credential["response"][part]);
    let mut after = before.clone();
    for change in changes {
        if !after.is_empty() {
            change.apply(&mut after);
        }
    }
    credential["response"][part] = base64url(&after).into();
    (after != before).then_some(credential)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_changed_assertion_holds(
        part in prop::sample::select(vec!["authenticatorData", "clientDataJSON", "signature"]),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let Some(posted) = changed(&VALID.assertion, part, &changes) else { return Ok(()) };
        let verdict = Assertion::parse(&posted).map(|assertion| {
            assertion.shown();
            assertion.verify(&party(), &VALID.proving.session, &VALID.credential)
        });
        prop_assert!(!matches!(verdict, Ok(Ok(_))), "{posted}");
    }

    #[test]
    fn no_creation_with_changed_client_data_holds(changes in prop::collection::vec(change(), 1..4)) {
        let Some(posted) = changed(&VALID.creation, "clientDataJSON", &changes) else { return Ok(()) };
        let verdict = Registration::parse(&posted).map(|creation| creation.verify(&party(), &VALID.registering.session));
        prop_assert!(!matches!(verdict, Ok(Ok(_))), "{posted}");
    }

    #[test]
    fn a_creation_with_a_changed_attestation_is_read_without_a_crash(
        certified in any::<bool>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let creation = if certified { &VALID.certified } else { &VALID.creation };
        let Some(posted) = changed(creation, "attestationObject", &changes) else { return Ok(()) };
        if let Ok(creation) = Registration::parse(&posted) {
            creation.shown();
            if let Ok(credential) = creation.verify(&party(), &VALID.registering.session) {
                prop_assert!(Credential::from_stored_json(&credential.stored_json()).is_some());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_crash(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = Value::from(base64url(&bytes));
        for (credential, part) in [(&VALID.creation, "attestationObject"), (&VALID.assertion, "authenticatorData")] {
            let mut posted = credential.clone();
            posted["response"][part] = text.clone();
            let _ = Registration::parse(&posted).map(|read| read.verify(&party(), &VALID.registering.session));
            let _ = Assertion::parse(&posted)
                .map(|read| read.verify(&party(), &VALID.proving.session, &VALID.credential));
        }
        let credential = Credential { public_key: bytes, ..VALID.credential.clone() };
        let assertion = Assertion::parse(&VALID.assertion).unwrap();
        prop_assert!(assertion.verify(&party(), &VALID.proving.session, &credential).is_err());
    }

    #[test]
    fn any_stored_text_is_read_without_a_crash(text in ".{0,40}", number in any::<i64>()) {
        for value in [Value::from(text), Value::from(number)] {
            for name in ["challenge", "user_id", "expires", "allowed_credentials", "credParams"] {
                let mut stored = VALID.proving.session.stored_json();
                stored[name] = value.clone();
                let _ = SessionData::from_stored_json(&stored);
            }
        }
    }
}
