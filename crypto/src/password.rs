//! Password hashes: argon2id for new ones, and those that other servers wrote (`contract/core.md` §5.2).
//!
//! Verification costs the same whether or not the password could match at all, so that a refusal tells nothing.

mod argon2id;
mod bcrypt;
mod firebase;

pub use argon2id::Scratch;
use domain::entropy::Entropy;

/// Why a hash cannot be computed or read. Never holds a part of the hash or the password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("password hash {0}")]
pub struct HashError(&'static str);

/// Hashes `password` with argon2id (19 MiB, two passes, one lane; OWASP's first choice) and a random salt.
///
/// # Errors
/// No memory, or a password that contains a NUL byte and would therefore never match.
pub fn hash(password: &str, entropy: &dyn Entropy, scratch: &mut Scratch) -> Result<String, HashError> {
    if unmatchable(password) {
        return Err(HashError("cannot be made of a password with a nul byte"));
    }
    argon2id::hash(password, &entropy.bytes::<16>(), scratch)
}

/// Whether `password` is the one that `stored` was made of. An empty `stored` is that of an account without a password
/// and matches nothing. Passwords with NUL bytes match nothing, and bcrypt, which reads 72 bytes, matches nothing
/// longer.
///
/// # Errors
/// A hash in no known format, or one whose parameters are out of bounds.
pub fn verify(password: &str, stored: &str, scratch: &mut Scratch) -> Result<bool, HashError> {
    if stored.is_empty() {
        return Ok(false);
    }
    let same = match Format::of(stored) {
        Format::Argon2 => argon2id::Parsed::read(stored)?.matches(password, scratch)?,
        Format::Firebase => firebase::Parsed::read(stored)?.matches(password)?,
        Format::Bcrypt => bcrypt::Parsed::read(stored)?.matches(password)?,
    };
    Ok(same && !unmatchable(password))
}

/// Whether `stored` should be replaced after the next successful sign-in: it is not argon2id, or weaker than new hashes.
pub fn needs_upgrade(stored: &str) -> bool {
    match Format::of(stored) {
        Format::Argon2 => argon2id::Parsed::read(stored).map_or(true, |parsed| parsed.is_weak()),
        Format::Firebase | Format::Bcrypt => true,
    }
}

/// Whether [`verify`] will understand `stored`: the check of a hash that is imported.
///
/// # Errors
/// A hash in no known format, or one whose parameters are out of bounds.
pub fn check_import(stored: &str) -> Result<(), HashError> {
    match Format::of(stored) {
        Format::Argon2 => argon2id::Parsed::read(stored).map(drop),
        Format::Firebase => firebase::Parsed::read(stored).map(drop),
        Format::Bcrypt => bcrypt::Parsed::read(stored).map(drop),
    }
}

/// A hash of an unknown password with the parameters of new hashes: what the password of an unknown account is checked
/// against, so that the answer takes as long as for a known one.
pub fn dummy_hash() -> &'static str {
    argon2id::DUMMY
}

/// C programs end a password at a NUL byte; here it matches nothing, so that all formats agree.
fn unmatchable(password: &str) -> bool {
    password.contains('\0')
}

enum Format {
    Argon2,
    Firebase,
    Bcrypt,
}

impl Format {
    fn of(stored: &str) -> Self {
        if stored.starts_with("$argon2") {
            Self::Argon2
        } else if stored.starts_with("$fbscrypt") {
            Self::Firebase
        } else {
            Self::Bcrypt
        }
    }
}

/// Reads a decimal number that must be within `range`.
fn bounded<T>(text: &str, range: std::ops::RangeInclusive<T>) -> Option<T>
where
    T: std::str::FromStr + PartialOrd,
{
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && range.contains(number))
}
