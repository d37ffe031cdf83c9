//! Answers that no browser sends.

use crypto::webauthn::{Assertion, Registration};
use domain::config::UserVerification;
use serde_json::{Value, json};

use super::authenticator::{
    ATTESTED, Authenticator, EXTENSIONS, Script, base64url, bytes, encoded, from_base64url, map,
};
use super::{known, proving, registered, registering};

fn created(change: impl FnOnce(&mut Script)) -> Value {
    Authenticator::new(-7).create(&registering(UserVerification::Preferred), change)
}

fn asserted() -> Value {
    let authenticator = Authenticator::new(-7);
    let credential = known(&registered(&authenticator));
    authenticator.get(&proving(&[&credential], UserVerification::Preferred), 1, |_| {})
}

/// A way to break a credential, wherever it is of.
fn breakages() -> Vec<(&'static str, Value)> {
    let long = "A".repeat(1366);
    vec![
        ("/id", Value::Null),
        ("/id", "".into()),
        ("/id", "####".into()),
        ("/id", "b3RoZXI".into()),
        ("/rawId", "b3RoZXI".into()),
        ("/rawId", 7.into()),
        ("/type", "password".into()),
        ("/type", Value::Null),
        ("/response", Value::Null),
        ("/response", json!([])),
        ("/response/clientDataJSON", Value::Null),
        ("/response/clientDataJSON", "a+/=".into()),
        ("/response/clientDataJSON", base64url("not json").into()),
        ("/response/clientDataJSON", base64url(r#"{"type":"webauthn.get"}"#).into()),
        ("/response/clientDataJSON", base64url([0xff, 0xfe]).into()),
        ("/response/clientDataJSON", base64url("{".repeat(2000)).into()),
        ("/clientExtensionResults", json!({ "large": "x".repeat(70_000) })),
        ("/clientExtensionResults", "text".into()),
        ("", json!({ "id": long, "rawId": long, "type": "public-key" })),
        ("", json!("text")),
        ("", json!({})),
        ("", Value::Null),
    ]
}

fn broken(credential: &Value, pointer: &str, value: Value) -> Value {
    let mut credential = credential.clone();
    *credential.pointer_mut(pointer).unwrap() = value;
    credential
}

#[test]
fn other_shapes_are_refused() {
    let (creation, assertion) = (created(|_| {}), asserted());
    assert!(Registration::parse(&creation).is_ok() && Assertion::parse(&assertion).is_ok());
    for (pointer, value) in breakages() {
        let told = format!("{pointer} {value:.40}");
        assert!(Registration::parse(&broken(&creation, pointer, value.clone())).is_err(), "{told}");
        assert!(Assertion::parse(&broken(&assertion, pointer, value)).is_err(), "{told}");
    }
    assert!(Registration::parse(&assertion).is_err());
    assert!(Assertion::parse(&creation).is_err());
}

#[test]
fn padded_base64url_is_read() {
    let mut creation = created(|_| {});
    for pointer in ["/id", "/rawId", "/response/clientDataJSON", "/response/attestationObject"] {
        let text = creation.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        creation = broken(&creation, pointer, format!("{text}==").into());
    }
    assert!(Registration::parse(&creation).is_ok());
}

#[test]
fn an_id_longer_than_authenticators_make_is_refused() {
    for (length, readable) in [(1023, true), (1024, false)] {
        let mut authenticator = Authenticator::new(-7);
        authenticator.id = vec![1; length];
        let posted = authenticator.create(&registering(UserVerification::Preferred), |_| {});
        assert_eq!(Registration::parse(&posted).is_ok(), readable, "{length}");
    }
    assert!(Registration::parse(&created(|script| script.attested_id = vec![1; 1024])).is_err());
    assert!(Registration::parse(&created(|script| script.attested_id = Vec::new())).is_err());
}

#[test]
fn an_attestation_object_must_be_one() {
    let good = created(|_| {});
    let object = from_base64url(&good["response"]["attestationObject"]);
    let data = {
        let object: ciborium::Value = ciborium::from_reader(object.as_slice()).unwrap();
        object.as_map().unwrap().iter().find(|(key, _)| key.as_text() == Some("authData")).unwrap().1.clone()
    };
    let none = || ("attStmt", ciborium::Value::Map(Vec::new()));
    let fmt = |text: &str| ("fmt", ciborium::Value::Text(text.to_owned()));
    let nested = (0..64).fold(bytes([]), |inner, _| ciborium::Value::Array(vec![inner]));
    let cases = [
        ("nothing", Vec::new()),
        ("no cbor", vec![0xff, 0xff]),
        ("no map", encoded(&bytes([1]))),
        ("more after it", [object.as_slice(), &[0]].concat()),
        ("less of it", object[..object.len() - 1].to_vec()),
        ("no format", encoded(&map([none(), ("authData", data.clone())]))),
        ("no statement", encoded(&map([fmt("none"), ("authData", data.clone())]))),
        ("no data", encoded(&map([fmt("none"), none()]))),
        ("a key twice", encoded(&map([fmt("none"), fmt("none"), none(), ("authData", data.clone())]))),
        (
            "a statement that is no map",
            encoded(&map([fmt("none"), ("attStmt", bytes([])), ("authData", data.clone())])),
        ),
        ("data that are text", encoded(&map([fmt("none"), none(), ("authData", "text".into())]))),
        ("an empty format", encoded(&map([fmt(""), none(), ("authData", data.clone())]))),
        ("a long format", encoded(&map([fmt(&"x".repeat(33)), none(), ("authData", data.clone())]))),
        ("a format of other characters", encoded(&map([fmt("no\u{0}ne"), none(), ("authData", data.clone())]))),
        ("items too deep", encoded(&map([fmt("x"), ("attStmt", map([("x", nested)])), ("authData", data)]))),
    ];
    for (name, object) in cases {
        let posted = broken(&good, "/response/attestationObject", base64url(object).into());
        assert!(Registration::parse(&posted).is_err(), "{name}");
    }
}

#[test]
fn a_declared_length_reserves_nothing() {
    // A byte string, an array and a map that claim to have 2^62 members.
    for head in [0x5b, 0x9b, 0xbb] {
        let huge = [&[0xa1, 0x63, b'f', b'm', b't', head], (1_u64 << 62).to_be_bytes().as_slice()].concat();
        let posted = broken(&created(|_| {}), "/response/attestationObject", base64url(huge).into());
        assert!(Registration::parse(&posted).is_err(), "{head:x}");
    }
}

#[test]
fn authenticator_data_must_end_where_they_end() {
    type Case = (&'static str, fn(&mut Script));
    let changes: [Case; 6] = [
        ("more after the key", |script| script.tail = vec![0]),
        ("extensions announced and missing", |script| script.flags |= EXTENSIONS),
        ("extensions that are no map", |script| {
            script.flags |= EXTENSIONS;
            script.tail = vec![0x01];
        }),
        ("no credential", |script| script.flags &= !ATTESTED),
        ("no key", |script| script.cose = Vec::new()),
        ("a key that is no map", |script| script.cose = vec![0x01]),
    ];
    for (name, change) in changes {
        assert!(Registration::parse(&created(change)).is_err(), "{name}");
    }
    let good = asserted();
    let data = from_base64url(&good["response"]["authenticatorData"]);
    for length in [0, 31, 32, 33, 36] {
        let posted = broken(&good, "/response/authenticatorData", base64url(&data[..length]).into());
        assert!(Assertion::parse(&posted).is_err(), "{length}");
    }
    let longer = [data.as_slice(), &[0]].concat();
    assert!(Assertion::parse(&broken(&good, "/response/authenticatorData", base64url(longer).into())).is_err());
}
