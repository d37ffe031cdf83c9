//! Checking of tokens, refused in the words of golang-jwt, which clients of the contract see (`contract/core.md` §8.4).

use domain::time::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Map, Value};

use super::Algorithm;
use crate::bytes::from_base64url;

/// Why a token is refused. The text is part of the answer and never holds a part of the token.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// No JWT.
    #[error("token is malformed: {0}")]
    Malformed(&'static str),
    /// Not signed by a trusted key with that key's algorithm.
    #[error("token signature is invalid: {0}")]
    Signature(&'static str),
    /// Signed, but not valid now.
    #[error("token has invalid claims: {0}")]
    Claims(&'static str),
}

impl TokenError {
    pub(super) const UNKNOWN_KEY: Self = Self::Signature("no trusted key for this kid and signing method");
    pub(super) const OTHER_ALGORITHM: Self = Self::Signature("signing method is invalid");
    const MISMATCH: Self = Self::Signature("signature is invalid");
    const SEGMENTS: Self = Self::Malformed("token contains an invalid number of segments");
    const HEADER: Self = Self::Malformed("could not decode header");
    const CRITICAL: Self = Self::Malformed("header has an unknown critical parameter");
    const UNDECODABLE: Self = Self::Malformed("a segment could not be decoded");
    const DATE: Self = Self::Malformed("a date claim is not a number");
    const EXPIRED: Self = Self::Claims("token is expired");
    const EARLY: Self = Self::Claims("token is not valid yet");
    const EXPIRED_AND_EARLY: Self = Self::Claims("token is expired, token is not valid yet");
}

/// A token's header, believed in nothing but which key it asks for.
pub(super) struct Header(Map<String, Value>);

impl Header {
    pub(super) fn of(token: &str) -> Result<Self, TokenError> {
        let segments: Vec<&str> = token.splitn(4, '.').collect();
        let [header, _, _] = segments.as_slice() else { return Err(TokenError::SEGMENTS) };
        let header = object(header).ok_or(TokenError::HEADER)?;
        if header.contains_key("crit") {
            return Err(TokenError::CRITICAL);
        }
        Ok(Self(header))
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.0.get("kid")?.as_str()
    }

    pub(super) fn alg(&self) -> Option<&str> {
        self.0.get("alg")?.as_str()
    }
}

pub(super) fn object(segment: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&from_base64url(segment)?).ok()
}

/// A parsed public key or shared secret, pinned to one algorithm.
pub(super) struct Verifier {
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    pub(super) fn new(algorithm: Algorithm, key: DecodingKey) -> Self {
        let mut validation = Validation::new(algorithm.in_library());
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { algorithm, key, validation }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn verify(&self, token: &str) -> Result<Map<String, Value>, TokenError> {
        match jsonwebtoken::decode(token, &self.key, &self.validation) {
            Ok(verified) => Ok(verified.claims),
            Err(error) => Err(match error.kind() {
                ErrorKind::InvalidAlgorithm => TokenError::OTHER_ALGORITHM,
                ErrorKind::Base64(_) | ErrorKind::Json(_) | ErrorKind::Utf8(_) => TokenError::UNDECODABLE,
                _ => TokenError::MISMATCH,
            }),
        }
    }
}

/// `exp` must be later than `now`, `nbf` must not; both may be absent or `null`.
pub(super) fn check_times(claims: Map<String, Value>, now: Timestamp) -> Result<Map<String, Value>, TokenError> {
    let seconds = |name: &str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(whole_seconds(number)),
        Some(_) => Err(TokenError::DATE),
    };
    let now = i128::from(now.unix_micros());
    let expired = seconds("exp")?.is_some_and(|at| now >= at * 1_000_000);
    let early = seconds("nbf")?.is_some_and(|at| now < at * 1_000_000);
    match (expired, early) {
        (false, false) => Ok(claims),
        (true, false) => Err(TokenError::EXPIRED),
        (false, true) => Err(TokenError::EARLY),
        (true, true) => Err(TokenError::EXPIRED_AND_EARLY),
    }
}

/// A NumericDate without its fraction; what is out of range counts as the end of the range.
fn whole_seconds(number: &serde_json::Number) -> Option<i128> {
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64)).map(i128::from)
}
