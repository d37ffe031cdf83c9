//! Which key signs, which keys are trusted, which are published, and when a token is valid.

use crypto::jwt::{Algorithm, KeySet, KeyUse, SignError, SigningKey, TokenError};
use domain::secret::Secret;
use domain::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::vectors::{EDDSA_TOKEN, ES256_TOKEN, HS256_TOKEN, RS256_TOKEN, ec_jwk, ed_jwk, rsa_jwk, shared_secret};

fn key(jwk: &Value) -> SigningKey {
    SigningKey::from_jwk(jwk).ok().unwrap()
}

fn full_set() -> KeySet {
    let keys = vec![
        (key(&rsa_jwk()), KeyUse::PreviouslyUsed),
        (key(&ed_jwk()), KeyUse::Standby),
        (key(&ec_jwk()), KeyUse::InUse),
    ];
    KeySet::new(shared_secret(), keys)
}

fn secret_only() -> KeySet {
    KeySet::new(shared_secret(), vec![])
}

fn header_of(token: &str) -> Value {
    use base64::Engine;
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

const NOW: i64 = 1_700_000_000;

fn now() -> Timestamp {
    Timestamp::from_unix(NOW)
}

#[test]
fn tokens_of_other_implementations_verify() {
    for token in [ES256_TOKEN, EDDSA_TOKEN, RS256_TOKEN, HS256_TOKEN] {
        let claims = full_set().verify(token, now()).unwrap();
        assert_eq!(Value::Object(claims), json!({ "sub": "someone", "exp": 2_000_000_000 }), "{token}");
    }
}

#[test]
fn deterministic_signatures_are_those_of_other_implementations() {
    #[derive(serde::Serialize)]
    struct Claims {
        sub: &'static str,
        exp: i64,
    }
    let claims = Claims { sub: "someone", exp: 2_000_000_000 };
    for (jwk, token) in [(ed_jwk(), EDDSA_TOKEN), (rsa_jwk(), RS256_TOKEN)] {
        let set = KeySet::new(shared_secret(), vec![(key(&jwk), KeyUse::InUse)]);
        assert_eq!(set.sign(&claims).unwrap().expose(), token);
    }
    assert_eq!(secret_only().sign(&claims).unwrap().expose(), HS256_TOKEN);
}

#[test]
fn the_key_in_use_signs() {
    let set = full_set();
    let token = set.sign(&json!({ "sub": "someone" })).unwrap();
    assert_eq!(header_of(token.expose()), json!({ "alg": "ES256", "kid": "ec", "typ": "JWT" }));
    assert_eq!(set.algorithm(), Some(Algorithm::ES256));
    assert_eq!(set.verify(token.expose(), now()).unwrap()["sub"], "someone");
}

#[test]
fn without_a_key_in_use_the_secret_signs_and_names_no_key() {
    let standby = vec![(key(&ec_jwk()), KeyUse::Standby)];
    for set in [secret_only(), KeySet::new(shared_secret(), standby)] {
        let token = set.sign(&json!({})).unwrap();
        assert_eq!(header_of(token.expose()), json!({ "alg": "HS256", "typ": "JWT" }));
        assert_eq!(set.algorithm(), Some(Algorithm::HS256));
        assert!(set.verify(token.expose(), now()).is_ok());
    }
}

#[test]
fn a_shared_key_with_an_id_signs_with_its_id() {
    let jwk = json!({ "kty": "oct", "kid": "oct", "k": "c2l4dGVlbiBieXRlcyBvciBtb3Jl" });
    let set = KeySet::new(shared_secret(), vec![(key(&jwk), KeyUse::InUse)]);
    let token = set.sign(&json!({})).unwrap();
    assert_eq!(header_of(token.expose()), json!({ "alg": "HS256", "kid": "oct", "typ": "JWT" }));
    assert!(set.verify(token.expose(), now()).is_ok());
    assert!(set.verify(HS256_TOKEN, now()).is_ok());
    assert_eq!(set.jwks(), json!({ "keys": [] }));
}

#[test]
fn the_key_in_use_is_published_first_and_the_secret_never() {
    let published = |set: &KeySet| -> Vec<Value> {
        set.jwks()["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
    };
    assert_eq!(published(&full_set()), [json!("ec"), json!("ed"), json!("rsa")]);
    assert_eq!(secret_only().jwks(), json!({ "keys": [] }));
    let text = full_set().jwks().to_string();
    for private in ["\"d\"", "\"k\"", "\"p\"", "\"q\"", "\"dp\"", "\"qi\"", "a secret"] {
        assert!(!text.contains(private), "{private}");
    }
}

#[test]
fn a_revoked_secret_neither_verifies_nor_signs() {
    let set = full_set().with_secret_accepted(false);
    assert!(matches!(set.verify(HS256_TOKEN, now()), Err(TokenError::Signature(_))));
    assert!(set.verify(ES256_TOKEN, now()).is_ok());
    assert!(set.sign(&json!({})).is_ok());
    let bare = secret_only().with_secret_accepted(false);
    assert_eq!(bare.sign(&json!({})).err(), Some(SignError::NoKey));
    assert_eq!(bare.algorithm(), None);
    assert!(secret_only().with_secret_accepted(true).sign(&json!({})).is_ok());
}

#[test]
fn an_empty_secret_is_none() {
    let forged = KeySet::new(Secret::new(" ".to_owned()), vec![]);
    assert!(forged.sign(&json!({})).is_ok());
    let empty = KeySet::new(Secret::default(), vec![]);
    assert_eq!(empty.sign(&json!({})).err(), Some(SignError::NoKey));
    assert!(matches!(empty.verify(HS256_TOKEN, now()), Err(TokenError::Signature(_))));
}

#[test]
fn a_public_key_in_use_is_not_replaced_by_the_secret() {
    let public = key(&ec_jwk()).public_jwk().unwrap();
    let set = KeySet::new(shared_secret(), vec![(key(&public), KeyUse::InUse)]);
    assert_eq!(set.sign(&json!({})).err(), Some(SignError::NoKey));
    assert!(set.verify(ES256_TOKEN, now()).is_ok());
}

#[test]
fn of_equal_ids_the_key_in_use_counts() {
    let mut impostor = ed_jwk();
    impostor["kid"] = json!("ec");
    for keys in [
        vec![(key(&impostor), KeyUse::Standby), (key(&ec_jwk()), KeyUse::InUse)],
        vec![(key(&ec_jwk()), KeyUse::InUse), (key(&impostor), KeyUse::PreviouslyUsed)],
    ] {
        assert!(KeySet::new(shared_secret(), keys).verify(ES256_TOKEN, now()).is_ok());
    }
}

fn verify_at(claims: &Value, at: Timestamp) -> Result<(), TokenError> {
    let set = secret_only();
    set.verify(set.sign(claims).unwrap().expose(), at).map(drop)
}

#[test]
fn a_token_expires_at_the_second_it_names() {
    let at = |micros: i64| now().plus(chrono::TimeDelta::microseconds(micros));
    let claims = json!({ "exp": NOW });
    assert_eq!(verify_at(&claims, at(-1)), Ok(()));
    let error = verify_at(&claims, at(0)).unwrap_err();
    assert_eq!(error.to_string(), "token has invalid claims: token is expired");
    assert_eq!(verify_at(&json!({ "exp": NOW as f64 + 0.9 }), at(0)), Err(error));
}

#[test]
fn a_token_is_not_valid_before_its_time() {
    let at = |micros: i64| now().plus(chrono::TimeDelta::microseconds(micros));
    let claims = json!({ "nbf": NOW });
    assert_eq!(verify_at(&claims, at(0)), Ok(()));
    let error = verify_at(&claims, at(-1)).unwrap_err();
    assert_eq!(error.to_string(), "token has invalid claims: token is not valid yet");
    let both = verify_at(&json!({ "exp": NOW, "nbf": NOW + 5 }), now()).unwrap_err();
    assert_eq!(both.to_string(), "token has invalid claims: token is expired, token is not valid yet");
}

#[test]
fn tokens_without_dates_do_not_expire() {
    for claims in [json!({}), json!({ "exp": null, "nbf": null }), json!({ "iat": NOW + 1000, "iss": 5, "aud": [1] })] {
        assert_eq!(verify_at(&claims, now()), Ok(()), "{claims}");
    }
}

#[test]
fn dates_out_of_range_count_as_the_end_of_the_range() {
    for exp in [json!(i64::MAX), json!(u64::MAX), json!(1e300)] {
        assert_eq!(verify_at(&json!({ "exp": exp }), now()), Ok(()), "{exp}");
    }
    for exp in [json!(0), json!(-1), json!(i64::MIN), json!(-1e300)] {
        assert!(matches!(verify_at(&json!({ "exp": exp }), now()), Err(TokenError::Claims(_))), "{exp}");
    }
}

#[test]
fn dates_must_be_numbers() {
    for exp in [json!("2000000000"), json!("soon"), json!(true), json!([]), json!({})] {
        for name in ["exp", "nbf"] {
            assert!(matches!(verify_at(&json!({ name: exp }), now()), Err(TokenError::Malformed(_))), "{exp}");
        }
    }
}

#[test]
fn claims_without_a_json_form_cannot_be_signed() {
    let claims = std::collections::HashMap::from([((1, 2), "a key that is no text")]);
    assert_eq!(secret_only().sign(&claims).err(), Some(SignError::Claims));
}

fn claim_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn claims_survive(claims in prop::collection::hash_map("[a-df-mo-z]{1,8}", claim_value(), 0..8)) {
        let set = secret_only();
        let token = set.sign(&claims).unwrap();
        prop_assert_eq!(Value::Object(set.verify(token.expose(), now()).unwrap()), json!(claims));
    }
}
