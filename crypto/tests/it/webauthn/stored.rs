//! What is kept and shown, in the forms of the reference.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::webauthn::{Assertion, Credential, Registration, SessionData, Used, authenticator_name};
use domain::config::UserVerification;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::{Uuid, uuid};

use super::authenticator::{Authenticator, EXTENSIONS, base64url, bytes, encoded, from_base64url, map};
use super::{expires, known, party, proving, registered, registering, user_id};

fn standard(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

#[test]
fn session_data_are_kept_in_the_reference_s_form() {
    let registering = registering(UserVerification::Preferred).session;
    let stored = registering.stored_json();
    let first = json!({ "type": "public-key", "alg": -7 });
    let mut rest = stored.clone();
    let offered = rest.as_object_mut().unwrap().remove("credParams").unwrap();
    assert_eq!((offered.as_array().unwrap().len(), &offered[0]), (10, &first));
    let wanted = json!({
        "challenge": registering.challenge,
        "rpId": "example.com",
        "user_id": standard(user_id().to_string()),
        "expires": expires(),
        "userVerification": "preferred",
    });
    assert_eq!(rest, wanted);
    assert_eq!(SessionData::from_stored_json(&stored), Some(registering));

    let credential = known(&registered(&Authenticator::new(-7)));
    let proving = proving(&[&credential], UserVerification::Preferred).session;
    let stored = proving.stored_json();
    assert_eq!(stored["allowed_credentials"], json!([standard(&credential.id)]));
    assert_eq!((&stored["userVerification"], stored.get("credParams")), (&json!(""), None));
    assert_eq!(SessionData::from_stored_json(&stored), Some(proving));
}

#[test]
fn session_data_of_the_reference_are_read() {
    let stored = json!({
        "challenge": "Y2hhbGxlbmdl", "rpId": "localhost", "user_id": null, "expires": "2026-11-22T10:00:00.123456789Z",
        "userVerification": "preferred", "extensions": { "appid": "x" }, "mediation": "conditional",
        "allowed_credentials": null, "unknown": 1,
    });
    let read = SessionData::from_stored_json(&stored).unwrap();
    assert!(read.user_id.0.is_empty() && read.allowed_credentials.is_empty() && read.cred_params.is_empty());
    assert_eq!(read.stored_json()["user_id"], Value::Null);
    assert_eq!(read.stored_json()["mediation"], "conditional");
    for broken in [json!({}), json!(null), json!({ "challenge": "x", "user_id": "###", "expires": expires() })] {
        assert_eq!(SessionData::from_stored_json(&broken), None, "{broken}");
    }
}

#[test]
fn a_credential_is_kept_in_the_reference_s_form() {
    let authenticator = Authenticator::new(-7);
    let started = registering(UserVerification::Preferred);
    let mut posted = authenticator.create(&started, |script| script.count = 3);
    posted["response"]["publicKeyAlgorithm"] = (-7).into();
    let credential = Registration::parse(&posted).unwrap().verify(&party(), &started.session).unwrap();
    let stored = credential.stored_json();
    let client_data = from_base64url(&posted["response"]["clientDataJSON"]);
    let wanted = json!({
        "id": standard(&authenticator.id),
        "publicKey": standard(authenticator.cose()),
        "attestationType": "none",
        "transport": ["internal", "hybrid"],
        "flags": { "userPresent": true, "userVerified": true, "backupEligible": false, "backupState": false },
        "authenticator": {
            "AAGUID": standard([0; 16]), "signCount": 3, "cloneWarning": false, "attachment": "platform",
        },
        "attestation": {
            "clientDataJSON": standard(&client_data),
            "clientDataHash": standard(Sha256::digest(&client_data)),
            "authenticatorData": stored["attestation"]["authenticatorData"],
            "publicKeyAlgorithm": -7,
            "object": standard(from_base64url(&posted["response"]["attestationObject"])),
        },
    });
    assert_eq!(stored, wanted);
    assert_eq!(STANDARD.decode(stored["attestation"]["authenticatorData"].as_str().unwrap()).unwrap().len(), 164);
    assert_eq!(Credential::from_stored_json(&stored), Some(known(&credential)));
}

#[test]
fn a_credential_of_the_reference_is_read() {
    let stored = json!({
        "id": "AQID", "publicKey": "pQEC", "attestationType": "packed", "transport": null,
        "flags": { "userPresent": true, "userVerified": false, "backupEligible": true, "backupState": true },
        "authenticator": { "AAGUID": "AAAAAAAAAAAAAAAAAAAAAA==", "signCount": 41, "cloneWarning": false },
    });
    let read = Credential::from_stored_json(&stored).unwrap();
    assert_eq!((read.id.as_slice(), read.sign_count, read.backup_eligible), ([1, 2, 3].as_slice(), 41, true));
    assert!(read.transports.is_empty());
    for broken in [json!(null), json!({}), json!({ "id": "AQID" }), json!({ "id": "", "publicKey": "pQEC" })] {
        assert_eq!(Credential::from_stored_json(&broken), None, "{broken}");
    }
}

#[test]
fn a_use_is_remembered_in_the_stored_credential() {
    let stored = registered(&Authenticator::new(-7)).stored_json();
    let used = Used { sign_count: 9, counter_regressed: false, user_verified: true, backup_state: false };
    let after = used.stored_json(&stored);
    assert_eq!(
        (&after["authenticator"]["signCount"], &after["authenticator"]["cloneWarning"]),
        (&json!(9), &json!(false))
    );
    assert_eq!(Credential::from_stored_json(&after).unwrap().sign_count, 9);
    let cloned = Used { counter_regressed: true, backup_state: true, ..used }.stored_json(&after);
    assert_eq!(cloned["authenticator"]["cloneWarning"], true);
    assert_eq!(cloned["flags"]["backupState"], true);
    assert_eq!(used.stored_json(&cloned)["authenticator"]["cloneWarning"], true);
    assert_eq!(used.stored_json(&Value::Null), Value::Null);
}

#[test]
fn a_creation_is_shown_in_the_reference_s_form() {
    let authenticator = Authenticator::new(-7);
    let started = registering(UserVerification::Preferred);
    let posted = authenticator.create(&started, |_| {});
    let object = from_base64url(&posted["response"]["attestationObject"]);
    let data = object[object.len() - 164..].to_vec();
    let id = base64url(&authenticator.id);
    let wanted = json!({
        "ID": id,
        "Raw": {
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "response": {
                "publicKey": null,
                "transports": ["internal", "hybrid"],
                "clientDataJSON": posted["response"]["clientDataJSON"],
                "attestationObject": posted["response"]["attestationObject"],
                "authenticatorData": null,
                "publicKeyAlgorithm": 0,
            },
        },
        "Type": "public-key",
        "rawId": standard(&authenticator.id),
        "Response": {
            "Transports": ["internal", "hybrid"],
            "AttestationObject": {
                "fmt": "none",
                "AuthData": {
                    "rpid": standard(Sha256::digest("example.com")),
                    "flags": 69,
                    "att_data": {
                        "aaguid": standard([0; 16]),
                        "public_key": standard(authenticator.cose()),
                        "credential_id": standard(&authenticator.id),
                    },
                    "ext_data": null,
                    "sign_count": 0,
                },
                "authData": standard(data),
            },
            "CollectedClientData": {
                "type": "webauthn.create", "origin": "https://example.com", "challenge": started.session.challenge,
            },
        },
        "authenticatorAttachment": "platform",
    });
    assert_eq!(Registration::parse(&posted).unwrap().shown(), wanted);
}

#[test]
fn an_assertion_is_shown_in_the_reference_s_form() {
    let authenticator = Authenticator::new(-7);
    let credential = known(&registered(&authenticator));
    let started = proving(&[&credential], UserVerification::Preferred);
    let mut posted = authenticator.get(&started, 1, |_| {});
    let id = base64url(&authenticator.id);
    let wanted = json!({
        "ID": id,
        "Raw": {
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "cross-platform",
            "response": posted["response"],
        },
        "Type": "public-key",
        "rawId": standard(&authenticator.id),
        "Response": {
            "Signature": standard(from_base64url(&posted["response"]["signature"])),
            "UserHandle": standard(user_id().to_string()),
            "AuthenticatorData": {
                "rpid": standard(Sha256::digest("example.com")),
                "flags": 5,
                "att_data": { "aaguid": null, "public_key": null, "credential_id": null },
                "ext_data": null,
                "sign_count": 1,
            },
            "CollectedClientData": {
                "type": "webauthn.get", "origin": "https://example.com", "challenge": started.session.challenge,
            },
        },
        "authenticatorAttachment": "cross-platform",
    });
    assert_eq!(Assertion::parse(&posted).unwrap().shown(), wanted);
    posted["response"]["userHandle"] = Value::Null;
    posted["authenticatorAttachment"] = "elsewhere".into();
    let shown = Assertion::parse(&posted).unwrap().shown();
    assert_eq!(shown["Response"]["UserHandle"], Value::Null);
    assert_eq!((shown.get("authenticatorAttachment"), shown["Raw"]["response"].get("userHandle")), (None, None));
}

#[test]
fn what_is_shown_can_be_stored() {
    let started = registering(UserVerification::Preferred);
    let extensions = encoded(&map([("x", 1.into())]));
    let mut posted = Authenticator::new(-7).create(&started, |script| {
        script.format = "future".to_owned();
        script.flags |= EXTENSIONS;
        script.tail = extensions.clone();
        script.statement = Box::new(|_, _| {
            let entries =
                vec![("text".into(), "a\u{0}b".into()), (7.into(), bytes([1, 2])), ("k\u{0}".into(), true.into())];
            ciborium::Value::Map(entries)
        });
    });
    posted["clientExtensionResults"] = json!({ "credProps": { "rk": true, "note": "\u{0}" } });
    let shown = Registration::parse(&posted).unwrap().shown();
    let attestation = &shown["Response"]["AttestationObject"];
    assert_eq!(attestation["attStmt"], json!({ "text": "a\u{fffd}b", "7": "AQI=", "k\u{fffd}": true }));
    assert_eq!(attestation["AuthData"]["ext_data"], standard(extensions));
    assert_eq!(shown["clientExtensionResults"]["credProps"], json!({ "rk": true, "note": "\u{fffd}" }));
    assert!(!shown.to_string().contains("\\u0000"));
}

#[test]
fn common_authenticators_have_names() {
    assert_eq!(authenticator_name(uuid!("bada5566-a7aa-401f-bd96-45619a55120d")), Some("1Password"));
    assert_eq!(authenticator_name(uuid!("ee882879-721c-4913-9775-3dfcce97072a")), Some("YubiKey 5 Series"));
    assert_eq!(authenticator_name(Uuid::nil()), None);
    assert_eq!(authenticator_name(Uuid::max()), None);
}
