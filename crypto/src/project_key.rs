//! A project's own key. One key for each use is derived from it with HKDF-SHA-256 (RFC 5869), so that what leaks from
//! one use says nothing about another.

use domain::entropy::Entropy;
use domain::ids::SessionId;
use hkdf::Hkdf;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::bytes::{hex, hmac_sha256};
use crate::otp::PKCE_PREFIX;
use crate::seal::{OpenError, SealingKey};

/// 32 random bytes of one project. Wiped from memory when dropped.
pub struct ProjectKey {
    bytes: Zeroizing<[u8; 32]>,
    one_time: Zeroizing<[u8; 32]>,
    sealing: SealingKey,
}

impl ProjectKey {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let one_time = derive(&bytes, &[b"one-time token"]);
        let sealing = SealingKey::new(derive(&bytes, &[b"sealing"]));
        Self { bytes, one_time, sealing }
    }

    /// A fresh key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self::new(entropy.bytes())
    }

    /// The key's bytes, to be sealed with the master key.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// How a one-time token that `travels` to the user is stored: lower-case hex of an HMAC-SHA-256. A leading `pkce_`
    /// is no secret and stays readable. A stolen database cannot be turned into links.
    pub fn one_time_hash(&self, travels: &str) -> String {
        let (prefix, token) = match travels.strip_prefix(PKCE_PREFIX) {
            Some(token) => (PKCE_PREFIX, token),
            None => ("", travels),
        };
        format!("{prefix}{}", hex(hmac_sha256(self.one_time.as_slice(), token.as_bytes())))
    }

    /// The key of a session's bound refresh tokens, unless the session has one of its own.
    pub fn session_key(&self, session: SessionId) -> [u8; 32] {
        *derive(&self.bytes, &[b"refresh token", session.0.as_bytes()])
    }

    /// What belongs to the `state` of a sign-in at a provider under `label`: it can be computed again from the state on every
    /// gateway, and neither from the state alone nor from what belongs to it under other labels.
    pub fn state_secret(&self, label: &str, state: &Uuid) -> [u8; 32] {
        let key = derive(&self.bytes, &[b"oauth state ", label.as_bytes()]);
        hmac_sha256(key.as_slice(), state.as_bytes())
    }

    /// Seals a text of this project, as [`crate::seal::MasterKey::seal`] does.
    pub fn seal(&self, purpose: &str, plain: &[u8], entropy: &dyn Entropy) -> String {
        self.sealing.seal(purpose, plain, entropy)
    }

    /// Opens what [`ProjectKey::seal`] returned.
    ///
    /// # Errors
    /// A damaged text, another key, another purpose: they cannot be told apart.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Vec<u8>, OpenError> {
        self.sealing.open(purpose, sealed)
    }
}

#[expect(clippy::expect_used, reason = "HKDF-SHA-256 yields up to 8160 bytes")]
fn derive(key: &[u8; 32], info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, key).expand_multi_info(info, derived.as_mut_slice()).expect("32 bytes");
    derived
}
