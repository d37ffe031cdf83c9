//! What browsers are asked for.

use crypto::webauthn::{Descriptor, Started, start_authentication, start_registration, user_handle, user_of_handle};
use domain::config::UserVerification;
use domain::webauthn::Purpose;
use serde_json::{Value, json};

use super::authenticator::base64url;
use super::{ALGORITHMS, expires, party, user, user_id};
use crate::support::Repeatable;

fn existing() -> Vec<Descriptor> {
    vec![
        Descriptor { id: vec![1, 2, 3], transports: vec!["internal".to_owned()] },
        Descriptor { id: vec![4], transports: Vec::new() },
    ]
}

fn registration(purpose: Purpose, existing: &[Descriptor], verification: UserVerification) -> Started {
    start_registration(purpose, &party(), &user(), existing, verification, expires(), &Repeatable::seeded(1))
}

fn authentication(purpose: Purpose, allowed: &[Descriptor], verification: UserVerification) -> Started {
    let user = (purpose == Purpose::SecondFactor).then(user_id);
    start_authentication(purpose, &party(), user, allowed, verification, expires(), &Repeatable::seeded(1))
}

fn creation(started: &Started, rest: Value) -> Value {
    let parameters: Vec<Value> = ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg })).to_vec();
    let mut options = json!({
        "rp": { "name": "Example", "id": "example.com" },
        "user": { "name": "a@example.com", "displayName": "A", "id": base64url(user_id().to_string()) },
        "challenge": started.session.challenge,
        "pubKeyCredParams": parameters,
        "timeout": 300_000,
    });
    for (key, value) in rest.as_object().unwrap() {
        options[key] = value.clone();
    }
    options
}

#[test]
fn a_second_factor_is_asked_for_as_recorded() {
    let started = registration(Purpose::SecondFactor, &[], UserVerification::Preferred);
    assert_eq!(started.options, creation(&started, json!({ "authenticatorSelection": {} })));
    let started = registration(Purpose::SecondFactor, &existing(), UserVerification::Required);
    let wanted = json!({
        "authenticatorSelection": { "userVerification": "required" },
        "excludeCredentials": [
            { "type": "public-key", "id": "AQID", "transports": ["usb", "nfc"] },
            { "type": "public-key", "id": "BA", "transports": ["usb", "nfc"] },
        ],
    });
    assert_eq!(started.options, creation(&started, wanted));
}

#[test]
fn a_passkey_is_asked_for_as_recorded() {
    let started = registration(Purpose::Passkey, &existing(), UserVerification::Preferred);
    let wanted = json!({
        "authenticatorSelection": { "residentKey": "required", "userVerification": "preferred" },
        "excludeCredentials": [{ "type": "public-key", "id": "AQID" }, { "type": "public-key", "id": "BA" }],
        "attestation": "none",
    });
    assert_eq!(started.options, creation(&started, wanted));
}

#[test]
fn proofs_are_asked_for_as_recorded() {
    let factor = authentication(Purpose::SecondFactor, &existing(), UserVerification::Preferred);
    let wanted = json!({
        "challenge": factor.session.challenge, "timeout": 300_000, "rpId": "example.com",
        "allowCredentials": [
            { "type": "public-key", "id": "AQID", "transports": ["internal"] },
            { "type": "public-key", "id": "BA" },
        ],
    });
    assert_eq!(factor.options, wanted);
    let passkey = authentication(Purpose::Passkey, &[], UserVerification::Discouraged);
    let wanted = json!({
        "challenge": passkey.session.challenge, "timeout": 300_000, "rpId": "example.com",
        "userVerification": "discouraged",
    });
    assert_eq!(passkey.options, wanted);
}

#[test]
fn a_challenge_is_32_fresh_bytes() {
    let entropy = Repeatable::seeded(5);
    let verification = UserVerification::Preferred;
    let challenge = || {
        start_authentication(Purpose::Passkey, &party(), None, &[], verification, expires(), &entropy).session.challenge
    };
    let first = challenge();
    assert_eq!(first.len(), 43);
    assert_ne!(first, challenge());
}

#[test]
fn a_handle_is_the_id_as_text() {
    assert_eq!(user_of_handle(&user_handle(user_id())), Some(user_id()));
    let text = user_id().to_string();
    for handle in ["", "a", &text.to_uppercase(), &text.replace('-', ""), &format!("{{{text}}}"), &format!("{text}0")] {
        assert_eq!(user_of_handle(handle.as_bytes()), None, "{handle}");
    }
    assert_eq!(user_of_handle(user_id().0.as_bytes()), None);
    assert_eq!(user_of_handle(&[0xff; 36]), None);
}
