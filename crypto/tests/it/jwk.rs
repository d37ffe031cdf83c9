//! Reading, generating and publishing keys.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jwt::{Algorithm, KeySet, KeyUse, SigningKey};
use domain::secret::Secret;
use domain::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::Repeatable;
use crate::vectors::{ec_jwk, ed_jwk, rsa_jwk};

fn oct_jwk() -> Value {
    json!({ "kty": "oct", "kid": "oct", "k": "c2l4dGVlbiBieXRlcyBvciBtb3Jl" })
}

fn every_jwk() -> [(Algorithm, Value); 4] {
    [
        (Algorithm::ES256, ec_jwk()),
        (Algorithm::EdDSA, ed_jwk()),
        (Algorithm::RS256, rsa_jwk()),
        (Algorithm::HS256, oct_jwk()),
    ]
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name).unwrap();
    jwk
}

fn public_part(jwk: Value) -> Value {
    let members = jwk.as_object().unwrap().iter();
    let is_public = |name: &str| matches!(name, "kty" | "kid" | "crv" | "x" | "y" | "n" | "e");
    members.filter(|(name, _)| is_public(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_refused(jwk: &Value) -> bool {
    SigningKey::from_jwk(jwk).is_err()
}

#[test]
fn keys_are_read_with_their_algorithm() {
    for (algorithm, jwk) in every_jwk() {
        let key = SigningKey::from_jwk(&jwk).ok().unwrap();
        assert_eq!((key.algorithm(), key.kid()), (algorithm, jwk["kid"].as_str().unwrap()));
        assert!(key.is_private());
    }
}

#[test]
fn published_members_are_exactly_the_public_ones() {
    let published = |jwk| SigningKey::from_jwk(&jwk).ok().unwrap().public_jwk();
    let expected = json!({
        "kty": "EC", "kid": "ec", "alg": "ES256", "use": "sig", "key_ops": ["verify"],
        "crv": "P-256", "x": ec_jwk()["x"], "y": ec_jwk()["y"],
    });
    let noisy = with(with(ec_jwk(), "ext", json!(true)), "key_ops", json!(["sign", "verify"]));
    assert_eq!(published(noisy), Some(expected));
    let expected = json!({
        "kty": "OKP", "kid": "ed", "alg": "EdDSA", "use": "sig", "key_ops": ["verify"],
        "crv": "Ed25519", "x": ed_jwk()["x"],
    });
    assert_eq!(published(ed_jwk()), Some(expected));
    let expected = json!({
        "kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig", "key_ops": ["verify"],
        "n": rsa_jwk()["n"], "e": "AQAB",
    });
    assert_eq!(published(rsa_jwk()), Some(expected));
    assert_eq!(published(oct_jwk()), None);
}

#[test]
fn a_private_jwk_reads_back_as_the_same_key() {
    for (_, jwk) in every_jwk() {
        let written = SigningKey::from_jwk(&jwk).ok().unwrap().to_private_jwk().into_inner();
        for (name, value) in jwk.as_object().unwrap() {
            assert_eq!(&written[name], value, "{name}");
        }
        assert_eq!(written["key_ops"], json!(["sign", "verify"]));
        let again = SigningKey::from_jwk(&written).ok().unwrap();
        assert_eq!(again.to_private_jwk().into_inner(), written);
    }
}

#[test]
fn generated_keys_sign_what_they_verify() {
    let entropy = Repeatable::seeded(1);
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm, "fresh", &entropy).ok().unwrap();
        assert_eq!((key.algorithm(), key.kid()), (algorithm, "fresh"));
        let stored = key.to_private_jwk().into_inner();
        let set = KeySet::new(Secret::default(), vec![(key, KeyUse::InUse)]);
        let token = set.sign(&json!({ "sub": "someone" })).unwrap();
        let restored = vec![(SigningKey::from_jwk(&stored).ok().unwrap(), KeyUse::PreviouslyUsed)];
        let claims = KeySet::new(Secret::default(), restored).verify(token.expose(), Timestamp::from_unix(0)).unwrap();
        assert_eq!(claims["sub"], "someone");
    }
}

#[test]
fn generated_keys_differ() {
    let entropy = Repeatable::seeded(1);
    for algorithm in [Algorithm::HS256, Algorithm::ES256, Algorithm::EdDSA] {
        let generate = || SigningKey::generate(algorithm, "k", &entropy).ok().unwrap().to_private_jwk().into_inner();
        assert_ne!(generate(), generate());
    }
}

#[test]
fn useless_randomness_yields_no_key() {
    struct Zeros;
    impl domain::entropy::Entropy for Zeros {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }
    assert!(SigningKey::generate(Algorithm::ES256, "zero", &Zeros).is_err());
}

#[test]
fn public_keys_are_read_and_stay_public() {
    for jwk in [ec_jwk(), ed_jwk(), rsa_jwk()] {
        let key = SigningKey::from_jwk(&public_part(jwk.clone())).ok().unwrap();
        assert!(!key.is_private());
        assert_eq!(key.public_jwk(), SigningKey::from_jwk(&jwk).ok().unwrap().public_jwk());
        let stored = key.to_private_jwk().into_inner();
        assert_eq!(stored["key_ops"], json!(["verify"]));
        assert!(stored.get("d").is_none());
    }
}

#[test]
fn keys_of_another_kind_are_refused() {
    for jwk in [
        json!(null),
        json!([]),
        json!({}),
        with(ec_jwk(), "kty", json!("OKP")),
        with(ec_jwk(), "crv", json!("P-384")),
        with(ec_jwk(), "alg", json!("ES384")),
        with(ec_jwk(), "alg", json!("HS256")),
        with(rsa_jwk(), "alg", json!("PS256")),
        with(rsa_jwk(), "alg", json!(5)),
        with(ec_jwk(), "use", json!("enc")),
        without(ec_jwk(), "kid"),
        with(ec_jwk(), "kid", json!("")),
        with(ec_jwk(), "kid", json!(1)),
        with(oct_jwk(), "k", json!("dG9vIHNob3J0")),
        with(oct_jwk(), "k", json!("no base64url at all!")),
    ] {
        assert!(is_refused(&jwk), "{jwk}");
    }
}

#[test]
fn numbers_must_belong_together() {
    let entropy = Repeatable::seeded(1);
    for (algorithm, jwk) in [(Algorithm::ES256, ec_jwk()), (Algorithm::EdDSA, ed_jwk())] {
        let other = SigningKey::generate(algorithm, "other", &entropy).ok().unwrap().to_private_jwk().into_inner();
        assert!(is_refused(&with(jwk.clone(), "x", other["x"].clone())));
        assert!(is_refused(&with(jwk.clone(), "d", other["d"].clone())));
        assert!(is_refused(&with(jwk, "d", json!("AAAA"))));
    }
    for name in ["n", "d", "p", "q", "dp", "dq", "qi"] {
        let text = rsa_jwk()[name].as_str().unwrap().to_owned();
        let changed =
            if let Some(rest) = text.strip_prefix('-') { format!("A{rest}") } else { format!("-{}", &text[1..]) };
        assert!(is_refused(&with(rsa_jwk(), name, json!(changed))), "{name}");
        assert!(is_refused(&without(rsa_jwk(), name)), "{name}");
    }
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let public = public_part(ec_jwk());
    assert!(is_refused(&with(public.clone(), "y", public["x"].clone())));
}

#[test]
fn weak_rsa_keys_are_refused() {
    assert!(is_refused(&with(rsa_jwk(), "e", json!("Aw"))));
    assert!(is_refused(&with(rsa_jwk(), "oth", json!([]))));
    let public = |n: &[u8]| json!({ "kty": "RSA", "kid": "short", "n": URL_SAFE_NO_PAD.encode(n), "e": "AQAB" });
    assert!(SigningKey::from_jwk(&public(&[0xc1; 256])).is_ok());
    let (short, padded) = ([0xc1; 128], [[0; 128], [0xc1; 128]].concat());
    let one_bit_less = [&[0x41][..], &[0xc1; 255]].concat();
    for n in [&short[..], &padded, &one_bit_less] {
        assert!(is_refused(&public(n)));
    }
}

#[test]
fn errors_hold_nothing_of_the_key() {
    let error = SigningKey::from_jwk(&with(oct_jwk(), "k", json!("dG9vIHNob3J0"))).err().unwrap().to_string();
    assert_eq!(error, "key must have a k of at least 16 characters of base64url");
}

proptest! {
    #[test]
    fn reading_a_key_never_panics(
        kty in prop::sample::select(vec!["EC", "OKP", "RSA", "oct"]),
        crv in prop::sample::select(vec![None, Some("P-256"), Some("Ed25519")]),
        numbers in prop::collection::hash_map("[a-z]{1,2}", "[A-Za-z0-9_-]{0,44}", 0..12),
    ) {
        let mut jwk = json!(numbers);
        jwk["kty"] = json!(kty);
        jwk["kid"] = json!("k");
        if let Some(crv) = crv {
            jwk["crv"] = json!(crv);
        }
        let _ = SigningKey::from_jwk(&jwk);
    }
}
