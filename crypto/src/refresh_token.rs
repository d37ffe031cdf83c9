//! The two kinds of refresh tokens (`contract/core.md` §10.1): random ones that are stored, and ones that are bound to
//! their session by a MAC and are not.

use domain::entropy::Entropy;
use domain::ids::SessionId;
use domain::secret::Secret;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::bytes::{base64url, from_base64url_lenient, hmac_sha256};
use crate::digest::constant_time_eq;

const VERSION: u8 = 0;
const STORED_LENGTH: usize = 12;
const HEAD_LENGTH: usize = 1 + 16;
const COUNTER_LIMIT: usize = 9;
const SIGNATURE_LENGTH: usize = 16;
const CHECKSUM_LENGTH: usize = 4;

/// A text that has the form of no refresh token.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("refresh token is malformed")]
pub struct Malformed;

/// A presented refresh token. Has no `Debug`, it is a credential.
#[derive(Clone, PartialEq, Eq)]
pub enum RefreshToken {
    /// 12 characters that name a row.
    Stored(String),
    /// A session's token; only its form has been checked so far.
    Bound(Bound),
}

/// A session-bound token whose checksum is right. Nobody has vouched for it before [`Bound::verify`] did.
#[derive(Clone, PartialEq, Eq)]
pub struct Bound {
    session: SessionId,
    counter: i64,
    signed: Vec<u8>,
    signature: [u8; SIGNATURE_LENGTH],
}

impl RefreshToken {
    /// Reads a presented token.
    ///
    /// # Errors
    /// Text of neither form, and a wrong checksum.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > STORED_LENGTH {
            return Bound::parse(text).map(Self::Bound).ok_or(Malformed);
        }
        let well_formed = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if text.len() == STORED_LENGTH && well_formed { Ok(Self::Stored(text.to_owned())) } else { Err(Malformed) }
    }
}

impl Bound {
    fn parse(text: &str) -> Option<Self> {
        let bytes = from_base64url_lenient(text)?;
        let (checked, checksum) = bytes.split_last_chunk::<CHECKSUM_LENGTH>()?;
        if !constant_time_eq(checksum, &checksum_of(checked)) {
            return None;
        }
        let (signed, signature) = checked.split_last_chunk::<SIGNATURE_LENGTH>()?;
        let (head, counter) = signed.split_first_chunk::<HEAD_LENGTH>()?;
        let (&version, session) = head.split_first()?;
        if version != VERSION {
            return None;
        }
        Some(Self {
            session: SessionId(Uuid::from_slice(session).ok()?),
            counter: read_counter(counter)?,
            signed: signed.to_vec(),
            signature: *signature,
        })
    }

    /// The session the token claims to belong to.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// How many tokens of the session came before it.
    pub fn counter(&self) -> i64 {
        self.counter
    }

    /// Whether the token was issued with the session's `key`. Takes the same time for every answer.
    pub fn verify(&self, key: &[u8; 32]) -> bool {
        constant_time_eq(&signature_of(key, &self.signed), &self.signature)
    }
}

/// Issues the token of `session` with this `counter`, which must not be negative (a negative one counts as 0).
pub fn issue(session: SessionId, counter: i64, key: &[u8; 32]) -> Secret<String> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(session.0.as_bytes());
    write_counter(counter.max(0).unsigned_abs(), &mut bytes);
    let signature = signature_of(key, &bytes);
    bytes.extend_from_slice(&signature);
    let checksum = checksum_of(&bytes);
    bytes.extend_from_slice(&checksum);
    Secret::new(base64url(bytes))
}

/// A fresh token to be stored: 60 random bits as 12 characters of lower-case base32.
pub fn new_stored(entropy: &dyn Entropy) -> Secret<String> {
    let mut bits = u64::from_be_bytes(entropy.bytes());
    let mut token = String::with_capacity(STORED_LENGTH);
    for _ in 0..STORED_LENGTH {
        let index = (bits >> 59) as u8;
        token.push(char::from(if index < 26 { b'a' + index } else { b'2' + (index - 26) }));
        bits <<= 5;
    }
    Secret::new(token)
}

/// Reads the key of its own that an adopted session's row may have: 32 bytes as base64url.
pub fn decode_hmac_key(text: &str) -> Option<[u8; 32]> {
    from_base64url_lenient(text.trim_end_matches('='))?.try_into().ok()
}

fn signature_of(key: &[u8; 32], signed: &[u8]) -> [u8; SIGNATURE_LENGTH] {
    let mut signature = [0; SIGNATURE_LENGTH];
    signature.iter_mut().zip(hmac_sha256(key, signed)).for_each(|(to, from)| *to = from);
    signature
}

fn checksum_of(checked: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut checksum = [0; CHECKSUM_LENGTH];
    checksum.iter_mut().zip(Sha256::digest(checked)).for_each(|(to, from)| *to = from);
    checksum
}

/// Writes unsigned LEB128.
fn write_counter(mut counter: u64, bytes: &mut Vec<u8>) {
    while counter >= 0x80 {
        bytes.push(counter as u8 | 0x80);
        counter >>= 7;
    }
    bytes.push(counter as u8);
}

/// Reads unsigned LEB128 that fills `bytes`; nine bytes of seven bits always fit.
fn read_counter(bytes: &[u8]) -> Option<i64> {
    let (&last, rest) = bytes.split_last()?;
    if bytes.len() > COUNTER_LIMIT || last >= 0x80 || rest.iter().any(|&byte| byte < 0x80) {
        return None;
    }
    Some(bytes.iter().rev().fold(0, |counter, &byte| counter << 7 | i64::from(byte & 0x7f)))
}
