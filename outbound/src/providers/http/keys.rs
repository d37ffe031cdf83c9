//! The public keys of an issuer (RFC 7517).

use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm as Algorithm};
use openidconnect::{AccessToken, AccessTokenHash, JsonWebKey};
use serde_json::{Map, Value, json};

/// Keys of one issuer that are kept.
const MOST: usize = 64;
/// Members of a key that are kept: what a public key is made of.
const MEMBERS: [&str; 9] = ["kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"];
/// The longest member.
const LONGEST: usize = 4096;

/// The keys of an issuer that can verify signatures.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    key: CoreJsonWebKey,
    members: Map<String, Value>,
}

impl KeySet {
    /// Reads a JWK set; keys that nobody here can use are left out.
    pub(super) fn parse(set: &Value) -> Option<Self> {
        let keys = set.get("keys")?.as_array()?;
        Some(Self { keys: keys.iter().filter_map(Key::parse).take(MOST).collect() })
    }

    /// Whether there is no key that can be used.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The set as JSON.
    pub(super) fn to_json(&self) -> Value {
        json!({ "keys": self.keys.iter().map(|key| key.members.clone()).collect::<Vec<_>>() })
    }

    /// The key that made `signature`, among those that are called `kid`, or all where the token names none.
    pub(super) fn verify(
        &self,
        kid: Option<&str>,
        algorithm: &Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Option<&Key> {
        let named = |key: &&Key| kid.is_none_or(|kid| key.key.key_id().is_some_and(|id| id.as_str() == kid));
        self.keys.iter().filter(named).find(|key| key.verify(algorithm, message, signature))
    }
}

impl Key {
    fn parse(key: &Value) -> Option<Self> {
        let key = key.as_object()?;
        let is_public = key.get("kty").and_then(Value::as_str).is_some_and(|kty| matches!(kty, "RSA" | "EC" | "OKP"));
        let signs = key.get("use").is_none_or(|usage| usage == "sig");
        if !is_public || !signs {
            return None;
        }
        let kept = |name: &str| key.get(name)?.as_str().filter(|text| text.len() <= LONGEST).map(Value::from);
        let members: Map<String, Value> =
            MEMBERS.into_iter().filter_map(|name| Some((name.to_owned(), kept(name)?))).collect();
        let key = serde_json::from_value(Value::Object(members.clone())).ok()?;
        Some(Self { key, members })
    }

    fn verify(&self, algorithm: &Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match algorithm {
            // Not a curve of `openidconnect`.
            Algorithm::EcdsaP521Sha512 => self.verify_p521(message, signature).is_some(),
            _ => self.key.verify_signature(algorithm, message, signature).is_ok(),
        }
    }

    fn verify_p521(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let text = |name: &str| self.members.get(name)?.as_str();
        if text("crv") != Some("P-521") || text("alg").is_some_and(|alg| alg != "ES512") {
            return None;
        }
        let mut point = vec![4];
        for name in ["x", "y"] {
            let coordinate = URL_SAFE_NO_PAD.decode(text(name)?).ok()?;
            point.resize(point.len() + 66_usize.checked_sub(coordinate.len())?, 0);
            point.extend(coordinate);
        }
        UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point).verify(message, signature).ok()
    }

    /// The `at_hash` that an ID token of this key has for an access token (OpenID Connect Core 1.0 §3.1.3.6).
    pub(super) fn access_token_hash(&self, algorithm: &Algorithm, access_token: &str) -> Option<String> {
        let token = AccessToken::new(access_token.to_owned());
        AccessTokenHash::from_token(&token, algorithm, &self.key).ok().map(|hash| hash.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_keys_for_signatures_are_kept_and_of_them_only_what_is_needed() {
        let set = json!({"keys": [
            {"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB", "x5c": ["long"], "d": "private"},
            {"kty": "RSA", "kid": "b", "n": "AQAB", "e": "AQAB", "use": "enc"},
            {"kty": "oct", "kid": "c", "k": "c2VjcmV0"},
            {"kty": "new", "kid": "d"},
            "nonsense",
            {"kty": "EC", "kid": "e", "crv": "P-256", "x": "AQ", "y": "AQ", "use": "sig", "alg": "ES256"},
        ]});
        let kept = KeySet::parse(&set).unwrap().to_json();
        let expected = json!({"keys": [
            {"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"},
            {"kty": "EC", "kid": "e", "crv": "P-256", "x": "AQ", "y": "AQ", "use": "sig", "alg": "ES256"},
        ]});
        assert_eq!(kept, expected);
    }

    #[test]
    fn what_is_no_set_is_none() {
        for set in [json!(null), json!([]), json!({}), json!({"keys": {}})] {
            assert!(KeySet::parse(&set).is_none(), "{set}");
        }
    }
}
