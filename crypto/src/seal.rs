//! Sealing of secrets at rest: XChaCha20-Poly1305, bound to a purpose.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use domain::entropy::Entropy;
use domain::secret::Secret;
use zeroize::Zeroizing;

use crate::bytes::{base64url, from_base64url, hmac_sha256};

const VERSION: &str = "v1.";
const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;

/// The gateway's key: seals the keys of all projects. Wiped from memory when dropped.
pub struct MasterKey(SealingKey);

/// A text that is not a master key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a master key is 32 bytes as 43 characters of base64url")]
pub struct InvalidMasterKey;

/// A sealed text that cannot be opened: damaged, or sealed with another key or for another purpose.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("sealed text is damaged, or belongs to another key or purpose")]
pub struct OpenError;

impl MasterKey {
    /// A fresh key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(SealingKey::new(Zeroizing::new(entropy.bytes())))
    }

    /// Reads what [`MasterKey::to_text`] wrote; white space around it is ignored.
    ///
    /// # Errors
    /// Anything but 43 characters of base64url.
    pub fn from_text(text: &str) -> Result<Self, InvalidMasterKey> {
        let bytes = Zeroizing::new(from_base64url(text.trim()).ok_or(InvalidMasterKey)?);
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| InvalidMasterKey)?;
        Ok(Self(SealingKey::new(Zeroizing::new(key))))
    }

    /// The key as 43 characters of base64url.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(base64url(self.0.0.as_slice()))
    }

    /// Seals `plain` so that it opens for the same `purpose` alone. Two sealings of the same text differ.
    pub fn seal(&self, purpose: &str, plain: &[u8], entropy: &dyn Entropy) -> String {
        self.0.seal(purpose, plain, entropy)
    }

    /// Opens what [`MasterKey::seal`] returned.
    ///
    /// # Errors
    /// A damaged text, another key, another purpose: they cannot be told apart.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Vec<u8>, OpenError> {
        self.0.open(purpose, sealed)
    }

    /// A keyed digest of `value`, the same each time and different for each `kind`, from which nobody learns anything without this
    /// key: base64url of HMAC-SHA-256 under a key that is derived for marks.
    pub fn mark(&self, kind: &str, value: &[u8]) -> String {
        let marks = Zeroizing::new(hmac_sha256(self.0.0.as_slice(), b"marks"));
        let of_kind = Zeroizing::new(hmac_sha256(marks.as_slice(), kind.as_bytes()));
        base64url(hmac_sha256(of_kind.as_slice(), value))
    }
}

/// Whether a text has the form of a sealed one; what it holds, only its key can say.
pub fn is_sealed(text: &str) -> bool {
    let bytes = text.strip_prefix(VERSION).and_then(from_base64url);
    bytes.is_some_and(|bytes| bytes.len() >= NONCE_LENGTH + TAG_LENGTH)
}

/// 32 bytes that seal; wiped from memory when dropped.
pub(crate) struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }

    #[expect(clippy::expect_used, reason = "the cipher only refuses texts of more than 256 GiB")]
    pub(crate) fn seal(&self, purpose: &str, plain: &[u8], entropy: &dyn Entropy) -> String {
        let nonce: [u8; NONCE_LENGTH] = entropy.bytes();
        let payload = Payload { msg: plain, aad: purpose.as_bytes() };
        let ciphertext = self.cipher().encrypt(&XNonce::from(nonce), payload).expect("a text that fits in memory");
        let mut sealed = nonce.to_vec();
        sealed.extend_from_slice(&ciphertext);
        format!("{VERSION}{}", base64url(sealed))
    }

    pub(crate) fn open(&self, purpose: &str, sealed: &str) -> Result<Vec<u8>, OpenError> {
        let bytes = sealed.strip_prefix(VERSION).and_then(from_base64url).ok_or(OpenError)?;
        let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_LENGTH>().ok_or(OpenError)?;
        let payload = Payload { msg: ciphertext, aad: purpose.as_bytes() };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| OpenError)
    }
}
