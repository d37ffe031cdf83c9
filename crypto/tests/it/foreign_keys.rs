//! Tokens of other issuers: their public keys, and nothing else, verify them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jwt::{Algorithm, KeySet, KeyUse, SigningKey, claimed_issuer, has_private_key};
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::vectors::{EDDSA_TOKEN, ES256_TOKEN, HS256_TOKEN, RS256_TOKEN, ec_jwk, ed_jwk, rsa_jwk};

fn public(jwk: &Value) -> Value {
    SigningKey::from_jwk(jwk).ok().unwrap().public_jwk().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_700_000_000)
}

fn issuer() -> KeySet {
    KeySet::of_issuer(&json!({ "keys": [public(&rsa_jwk()), public(&ec_jwk()), public(&ed_jwk())] })).unwrap()
}

#[test]
fn public_keys_verify_and_sign_nothing() {
    for token in [ES256_TOKEN, EDDSA_TOKEN, RS256_TOKEN] {
        assert!(issuer().verify(token, now()).is_ok(), "{token}");
    }
    assert_eq!(issuer().algorithm(), None);
    assert!(issuer().verify(HS256_TOKEN, now()).unwrap_err().is_unknown_key());
}

#[test]
fn keys_that_are_not_public_keys_for_signatures_are_passed_over() {
    let good = public(&ec_jwk());
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    for jwk in [
        json!({ "kty": "oct", "kid": "a", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ" }),
        ec_jwk(),
        with("use", json!("enc")),
        with("alg", json!("HS256")),
        with("alg", json!("ES384")),
        with("kid", json!("")),
        with("x", json!("AAAA")),
        json!("key"),
    ] {
        let set = |keys: Value| KeySet::of_issuer(&json!({ "keys": keys }));
        assert!(set(json!([jwk])).is_none(), "{jwk}");
        assert!(set(json!([jwk, good])).unwrap().verify(ES256_TOKEN, now()).is_ok(), "{jwk}");
    }
    for jwks in [json!([good]), json!({ "keys": {} }), json!({}), Value::Null] {
        assert!(KeySet::of_issuer(&jwks).is_none(), "{jwks}");
    }
    assert!(has_private_key(&json!({ "keys": [good, ec_jwk()] })));
    assert!(has_private_key(&json!({ "keys": [{ "kty": "oct", "k": "x" }] })));
    assert!(!has_private_key(&json!({ "keys": [good] })));
}

/// The public key is known to all: whoever is made to take it for a shared secret lets everybody sign.
#[test]
fn a_public_key_is_no_shared_secret_and_no_signature_is_none() {
    let jwk = public(&rsa_jwk());
    let kid = jwk["kid"].as_str().unwrap();
    let payload = URL_SAFE_NO_PAD.encode(json!({ "sub": "someone", "exp": 2_000_000_000 }).to_string());
    for secret in [jwk.to_string(), jwk["n"].as_str().unwrap().to_owned()] {
        let set = KeySet::new(Secret::new(secret), vec![]);
        let forged = set.sign(&json!({ "sub": "someone", "exp": 2_000_000_000 })).unwrap();
        let signature = forged.expose().rsplit('.').next().unwrap().to_owned();
        for header in [
            json!({ "alg": "HS256", "kid": kid }),
            json!({ "alg": "none", "kid": kid }),
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "RS256", "kid": kid, "jwk": jwk }),
        ] {
            let header = URL_SAFE_NO_PAD.encode(header.to_string());
            assert!(issuer().verify(&format!("{header}.{payload}.{signature}"), now()).is_err(), "{header}");
            assert!(issuer().verify(&format!("{header}.{payload}."), now()).is_err(), "{header}");
        }
    }
}

#[test]
fn a_token_says_whose_keys_are_to_be_asked() {
    let key = SigningKey::from_jwk(&ed_jwk()).ok().unwrap();
    assert_eq!(key.algorithm(), Algorithm::EdDSA);
    let set = KeySet::new(Secret::default(), vec![(key, KeyUse::InUse)]);
    let issuer = |claims: Value| claimed_issuer(set.sign(&claims).unwrap().expose());
    assert_eq!(issuer(json!({ "iss": "https://i.example" })).as_deref(), Some("https://i.example"));
    for claims in [json!({}), json!({ "iss": null })] {
        assert_eq!(issuer(claims).as_deref(), Some(""));
    }
    assert_eq!(issuer(json!({ "iss": 1 })), None);
    for text in ["", "a.b", "a.b.c.d", "a.b.c"] {
        assert_eq!(claimed_issuer(text), None, "{text}");
    }
}
