//! Tokens that must not pass (RFC 8725; `contract/core.md` §8.4), and the words they are refused with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jwt::{KeySet, KeyUse, SigningKey, TokenError};
use domain::secret::Secret;
use domain::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::Repeatable;
use crate::vectors::{ES256_TOKEN, HS256_TOKEN, RS256_TOKEN, ec_jwk, rsa_jwk, shared_secret};

fn key(jwk: &Value) -> SigningKey {
    SigningKey::from_jwk(jwk).ok().unwrap()
}

fn set() -> KeySet {
    let keys = vec![(key(&ec_jwk()), KeyUse::InUse), (key(&rsa_jwk()), KeyUse::PreviouslyUsed)];
    KeySet::new(shared_secret(), keys)
}

fn refusal(token: &str) -> String {
    set().verify(token, Timestamp::from_unix(1_700_000_000)).unwrap_err().to_string()
}

fn assert_bad_signature(token: &str) {
    let text = refusal(token);
    assert!(text.starts_with("token signature is invalid: "), "{text}");
}

fn assert_malformed(token: &str) {
    let text = refusal(token);
    assert!(text.starts_with("token is malformed: "), "{token}: {text}");
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token with this header, signed with HMAC-SHA-256 and any bytes as key.
fn hmac_token(header: &Value, secret: &[u8]) -> String {
    let message = format!("{}.{}", encode(header), encode(&json!({ "sub": "someone" })));
    let mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret).unwrap().chain_update(&message).finalize();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
}

#[test]
fn unsigned_tokens_are_refused() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let head = encode(&json!({ "alg": alg, "typ": "JWT" }));
        let with_kid = encode(&json!({ "alg": alg, "kid": "ec" }));
        let claims = encode(&json!({ "sub": "someone" }));
        assert_bad_signature(&format!("{head}.{claims}."));
        assert_bad_signature(&format!("{with_kid}.{claims}."));
        assert_bad_signature(&format!("{with_kid}.{claims}.AAAA"));
    }
}

#[test]
fn a_stripped_signature_is_refused() {
    for token in [ES256_TOKEN, RS256_TOKEN, HS256_TOKEN] {
        let message = token.rsplit_once('.').unwrap().0;
        assert_bad_signature(&format!("{message}."));
        assert_bad_signature(&format!("{message}.AAAA"));
        assert_bad_signature(&format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 64])));
    }
}

#[test]
fn tampered_tokens_are_refused() {
    for token in [ES256_TOKEN, RS256_TOKEN, HS256_TOKEN] {
        let (message, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        assert_bad_signature(&format!("{message}.{first}{}", &signature[1..]));
        let header = message.split('.').next().unwrap();
        let claims = encode(&json!({ "sub": "somebody else", "role": "service_role" }));
        assert_bad_signature(&format!("{header}.{claims}.{signature}"));
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let jwk = rsa_jwk();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let point = {
        let ec = ec_jwk();
        let number = |name: &str| URL_SAFE_NO_PAD.decode(ec[name].as_str().unwrap()).unwrap();
        [vec![4], number("x"), number("y")].concat()
    };
    let published = key(&jwk).public_jwk().unwrap().to_string();
    for secret in [modulus.as_slice(), &point, published.as_bytes(), jwk["n"].as_str().unwrap().as_bytes(), b""] {
        for kid in ["rsa", "ec", "unknown"] {
            assert_bad_signature(&hmac_token(&json!({ "alg": "HS256", "kid": kid }), secret));
        }
        assert_bad_signature(&hmac_token(&json!({ "alg": "HS256" }), secret));
    }
}

#[test]
fn a_key_is_used_with_its_own_algorithm_alone() {
    let secret = shared_secret();
    let secret = secret.expose().as_bytes();
    for header in [
        json!({ "alg": "HS256", "kid": "ec" }),
        json!({ "alg": "HS256", "kid": "rsa" }),
        json!({ "alg": "HS384" }),
        json!({ "alg": "HS512" }),
        json!({ "alg": "hs256" }),
        json!({ "alg": "ES256" }),
        json!({ "alg": "RS256", "kid": "ec" }),
        json!({ "alg": "PS256", "kid": "rsa" }),
        json!({ "alg": "ES384", "kid": "ec" }),
        json!({ "alg": null }),
        json!({ "alg": ["HS256"] }),
        json!({}),
    ] {
        assert_bad_signature(&hmac_token(&header, secret));
    }
}

#[test]
fn unknown_ids_fall_back_to_the_secret_alone() {
    let secret = shared_secret();
    let token = hmac_token(&json!({ "alg": "HS256", "kid": "../../dev/null" }), secret.expose().as_bytes());
    assert!(set().verify(&token, Timestamp::from_unix(0)).is_ok());
    let other = SigningKey::generate(crypto::jwt::Algorithm::ES256, "unknown", &Repeatable::seeded(1)).ok().unwrap();
    let foreign = KeySet::new(Secret::default(), vec![(other, KeyUse::InUse)]);
    assert_bad_signature(foreign.sign(&json!({ "sub": "someone" })).unwrap().expose());
}

#[test]
fn a_key_of_another_project_with_the_same_id_is_refused() {
    let other = SigningKey::generate(crypto::jwt::Algorithm::ES256, "ec", &Repeatable::seeded(1)).ok().unwrap();
    let foreign = KeySet::new(Secret::new("another secret".to_owned()), vec![(other, KeyUse::InUse)]);
    assert_bad_signature(foreign.sign(&json!({ "sub": "someone" })).unwrap().expose());
    let foreign = KeySet::new(Secret::new("another secret".to_owned()), vec![]);
    assert_bad_signature(foreign.sign(&json!({ "sub": "someone" })).unwrap().expose());
}

#[test]
fn keys_that_a_token_brings_along_are_ignored() {
    let attacker = b"the attacker's own secret";
    let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(attacker) });
    for header in [
        json!({ "alg": "HS256", "jwk": jwk }),
        json!({ "alg": "HS256", "kid": "ec", "jwk": jwk }),
        json!({ "alg": "HS256", "jku": "https://attacker.example/jwks.json" }),
        json!({ "alg": "HS256", "x5u": "https://attacker.example/cert.pem" }),
        json!({ "alg": "HS256", "x5c": ["AAAA"] }),
    ] {
        assert_bad_signature(&hmac_token(&header, attacker));
    }
}

#[test]
fn critical_extensions_are_refused() {
    let secret = shared_secret();
    let header = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    assert_malformed(&hmac_token(&header, secret.expose().as_bytes()));
}

#[test]
fn what_is_no_jwt_is_malformed() {
    let message = HS256_TOKEN.rsplit_once('.').unwrap().0;
    for token in [
        "",
        ".",
        "..",
        "...",
        "rubbish",
        "a.b.c",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJIUzI1NiJ9.e30",
        message,
        &format!("{HS256_TOKEN}.e30"),
        &format!("{HS256_TOKEN}="),
        &format!("{HS256_TOKEN} "),
        &format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode("[]")),
        &format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode("{\"alg\":\"HS256\"")),
        &format!("{message}.é"),
    ] {
        assert_malformed(token);
    }
}

#[test]
fn signed_claims_must_be_an_object() {
    let sign = |claims: &[u8]| {
        let message = format!("{}.{}", encode(&json!({ "alg": "HS256" })), URL_SAFE_NO_PAD.encode(claims));
        let secret = shared_secret();
        let mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret.expose().as_bytes()).unwrap();
        let mac = mac.chain_update(&message).finalize().into_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    };
    let nested = [b"{\"a\":".as_slice(), "[".repeat(100_000).as_bytes()].concat();
    for claims in [b"".as_slice(), b"[]", b"5", b"{", b"{\"a\":\"\\ud800\"}", b"{\"a\":\"\xff\"}", &nested] {
        assert_malformed(&sign(claims));
    }
}

proptest! {
    #[test]
    fn any_text_is_refused(text in "\\PC{0,200}", header in "[A-Za-z0-9_-]{0,40}", rest in "[A-Za-z0-9_.-]{0,80}") {
        for token in [text, format!("{header}.{rest}"), format!("eyJhbGciOiJIUzI1NiJ9.{rest}")] {
            prop_assert!(set().verify(&token, Timestamp::from_unix(0)).is_err());
        }
    }

    #[test]
    fn a_changed_character_is_noticed(position in 0..HS256_TOKEN.len(), to in "[A-Za-z0-9_.-]") {
        let mut changed = HS256_TOKEN.to_owned();
        changed.replace_range(position..=position, &to);
        prop_assume!(changed != HS256_TOKEN);
        let refused = set().verify(&changed, Timestamp::from_unix(0)).unwrap_err();
        prop_assert!(matches!(refused, TokenError::Malformed(_) | TokenError::Signature(_)));
    }
}
