//! Tokens and keys of other issuers.

use domain::secret::Secret;
use serde_json::Value;

use super::verification::{self, TokenError};
use super::{KeySet, KeyUse, SigningKey};

/// The members that a public key does not have (RFC 7518 §6).
const PRIVATE: [&str; 2] = ["d", "k"];

impl KeySet {
    /// The keys of a JWK set (RFC 7517 §5) that may verify tokens of another issuer: public keys with a `kid`, for signatures
    /// of an algorithm that this program knows. Others are passed over; `None` where no key is left.
    pub fn of_issuer(jwks: &Value) -> Option<Self> {
        let public = |jwk: &&Value| PRIVATE.iter().all(|member| jwk.get(member).is_none());
        let listed = jwks.get("keys")?.as_array()?;
        let keys: Vec<(SigningKey, KeyUse)> = listed
            .iter()
            .filter(public)
            .filter_map(|jwk| SigningKey::from_jwk(jwk).ok())
            .filter(|key| !key.algorithm().is_symmetric() && !key.is_private())
            .map(|key| (key, KeyUse::Standby))
            .collect();
        (!keys.is_empty()).then(|| Self::new(Secret::default(), keys))
    }
}

/// Whether a JWK set holds a key that nobody but its owner may know.
pub fn has_private_key(jwks: &Value) -> bool {
    let keys = jwks.get("keys").and_then(Value::as_array);
    keys.is_some_and(|keys| keys.iter().any(|jwk| PRIVATE.iter().any(|member| jwk.get(member).is_some())))
}

/// The issuer that a token says it has, empty where it says none; `None` where it cannot be read. Nothing is verified: it tells
/// whose keys are to be asked, and no more.
pub fn claimed_issuer(token: &str) -> Option<String> {
    verification::Header::of(token).ok()?;
    let payload = verification::object(token.split('.').nth(1)?)?;
    match payload.get("iss") {
        None | Some(Value::Null) => Some(String::new()),
        Some(issuer) => issuer.as_str().map(str::to_owned),
    }
}

impl TokenError {
    /// Whether the set has no key of the token's `kid`: a newer set may have one.
    pub fn is_unknown_key(&self) -> bool {
        *self == Self::UNKNOWN_KEY
    }
}
