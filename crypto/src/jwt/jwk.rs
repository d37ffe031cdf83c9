//! Reading and writing the members of a JSON Web Key (RFC 7517, 7518 §6, 8037).

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::Algorithm;
use super::signing_key::KeyError;
use crate::bytes::{base64url, from_base64url};

/// The members of a JWK that has not been checked yet.
pub(super) struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    pub(super) fn of(jwk: &'a Value) -> Result<Self, KeyError> {
        jwk.as_object().map(Self).ok_or(KeyError("must be an object"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text; `None` when absent.
    pub(super) fn text(&self, name: &str, invalid: KeyError) -> Result<Option<&'a str>, KeyError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(invalid),
        }
    }

    /// Bytes in base64url; an error when absent.
    pub(super) fn bytes(&self, name: &str, invalid: KeyError) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let text = self.text(name, invalid)?.ok_or(invalid)?;
        from_base64url(text).map(Zeroizing::new).ok_or(invalid)
    }

    /// Bytes of a fixed length in base64url; an error when absent.
    pub(super) fn array<const N: usize>(&self, name: &str, invalid: KeyError) -> Result<Zeroizing<[u8; N]>, KeyError> {
        let bytes = self.bytes(name, invalid)?;
        bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| invalid)
    }

    /// What the key is for: the algorithm that the kind of key implies, which `alg` may only confirm.
    pub(super) fn algorithm(&self) -> Result<Algorithm, KeyError> {
        let unsupported = KeyError("must be RSA, EC on P-256, OKP on Ed25519 or oct");
        let curve = self.text("crv", unsupported)?;
        let implied = match (self.text("kty", unsupported)?, curve) {
            (Some("RSA"), None) => Algorithm::RS256,
            (Some("EC"), Some("P-256")) => Algorithm::ES256,
            (Some("OKP"), Some("Ed25519")) => Algorithm::EdDSA,
            (Some("oct"), None) => Algorithm::HS256,
            _ => return Err(unsupported),
        };
        let other = KeyError("has an alg that does not belong to its kty");
        match self.text("alg", other)? {
            Some(alg) if alg != implied.as_str() => Err(other),
            _ => Ok(implied),
        }
    }
}

/// The numbers of a key by name, in base64url.
pub(super) type Numbers<'a> = &'a [(&'static str, &'a [u8])];

/// Writes a JWK with exactly the members `kty`, `kid`, `alg`, `use`, `key_ops`, `crv` for curves, and `numbers`.
pub(super) fn write(algorithm: Algorithm, kid: &str, operations: &[&str], numbers: Numbers<'_>) -> Value {
    let (kty, curve) = match algorithm {
        Algorithm::HS256 => ("oct", None),
        Algorithm::RS256 => ("RSA", None),
        Algorithm::ES256 => ("EC", Some("P-256")),
        Algorithm::EdDSA => ("OKP", Some("Ed25519")),
    };
    let head = [
        ("kty", json!(kty)),
        ("kid", json!(kid)),
        ("alg", json!(algorithm.as_str())),
        ("use", json!("sig")),
        ("key_ops", json!(operations)),
    ];
    let members = head.into_iter().chain(curve.map(|curve| ("crv", json!(curve))));
    let numbers = numbers.iter().map(|&(name, bytes)| (name, Value::String(base64url(bytes))));
    members.chain(numbers).map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}
