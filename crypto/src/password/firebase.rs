//! Hashes exported from Firebase Authentication: scrypt, whose output encrypts a fixed signer key
//! (`contract/core.md` §5.2).

use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{HashError, bounded};
use crate::digest::constant_time_eq;

/// As for argon2.
const MOST_MEMORY: u64 = 1 << 30;

const UNREADABLE: HashError = HashError("is no firebase scrypt hash this server reads");

/// A stored `$fbscrypt$` hash.
pub(super) struct Parsed {
    params: scrypt::Params,
    salt: Vec<u8>,
    signer_key: Zeroizing<Vec<u8>>,
    hash: Vec<u8>,
}

impl Parsed {
    pub(super) fn read(stored: &str) -> Result<Self, HashError> {
        Self::split(stored).ok_or(UNREADABLE)
    }

    fn split(stored: &str) -> Option<Self> {
        let fields: Vec<&str> = stored.split('$').collect();
        let ["", "fbscrypt", settings, salt, hash] = fields.as_slice() else { return None };
        let mut settings = settings.split(',');
        let mut next = |name: &str| settings.next().and_then(|setting| setting.strip_prefix(name));
        bounded(next("v=")?, 1..=1)?;
        let log_n: u8 = bounded(next("n=")?, 1..=20)?;
        let block_size: u32 = bounded(next("r=")?, 1..=64)?;
        let parallelism = bounded(next("p=")?, 1..=16)?;
        let (mut separator, mut signer_key) = (Vec::new(), Vec::new());
        let mut optional = settings.peekable();
        if let Some(text) = optional.peek().and_then(|setting| setting.strip_prefix("ss=")) {
            separator = STANDARD.decode(text).ok()?;
            optional.next();
        }
        if let Some(text) = optional.peek().and_then(|setting| setting.strip_prefix("sk=")) {
            signer_key = STANDARD.decode(text).ok()?;
            optional.next();
        }
        if optional.next().is_some() || (128 * u64::from(block_size)) << log_n > MOST_MEMORY {
            return None;
        }
        let mut salt = STANDARD.decode(salt).ok()?;
        salt.append(&mut separator);
        let hash = STANDARD.decode(hash).ok().filter(|hash| !hash.is_empty())?;
        let params = scrypt::Params::new(log_n, block_size, parallelism).ok()?;
        Some(Self { params, salt, signer_key: Zeroizing::new(signer_key), hash })
    }

    pub(super) fn matches(&self, password: &str) -> Result<bool, HashError> {
        let mut key = Zeroizing::new([0; 32]);
        scrypt::scrypt(password.as_bytes(), &self.salt, &self.params, key.as_mut_slice())
            .map_err(|_| HashError("could not be computed"))?;
        let mut candidate = self.signer_key.clone();
        ctr::Ctr128BE::<Aes256>::new((&*key).into(), &[0; 16].into()).apply_keystream(&mut candidate);
        Ok(constant_time_eq(&candidate, &self.hash))
    }
}
