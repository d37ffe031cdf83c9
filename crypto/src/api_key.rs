//! Publishable and secret API keys (`contract/management.md` §2.4).

use domain::entropy::Entropy;
use domain::secret::Secret;
use sha2::{Digest, Sha256};

use crate::bytes::base64url;

const BODY_LENGTH: usize = 22;
const CHECKSUM_LENGTH: usize = 8;
const VISIBLE_LENGTH: usize = 5;
const MASK: char = '\u{b7}';

/// Which of the two a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// May be shipped to browsers; stands for the role `anon`.
    Publishable,
    /// Stays on servers; stands for the role `service_role`.
    Secret,
}

impl Kind {
    /// The word used on the wire: `publishable` or `secret`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publishable => "publishable",
            Self::Secret => "secret",
        }
    }

    /// What every key of this kind begins with.
    fn mark(self) -> &'static str {
        match self {
            Self::Publishable => "sb_publishable_",
            Self::Secret => "sb_secret_",
        }
    }
}

/// A fresh key: the mark of its kind, 128 random bits and a checksum of both, by which scanners can tell a key from
/// a text that looks like one.
pub fn generate(kind: Kind, entropy: &dyn Entropy) -> Secret<String> {
    let body = format!("{}{}", kind.mark(), base64url(entropy.bytes::<16>()));
    let checksum: String = base64url(Sha256::digest(&body)).chars().take(CHECKSUM_LENGTH).collect();
    Secret::new(format!("{body}_{checksum}"))
}

/// The kind of a key, `None` when `text` has not the form of one. The checksum is not looked at: other issuers of such
/// keys do not say how they compute it, and their keys can be adopted.
pub fn is_well_formed(text: &str) -> Option<Kind> {
    let kind = [Kind::Publishable, Kind::Secret].into_iter().find(|kind| text.starts_with(kind.mark()))?;
    let rest = text.strip_prefix(kind.mark())?.as_bytes();
    let (body, checksum) = rest.split_at_checked(BODY_LENGTH)?;
    let (&separator, checksum) = checksum.split_first()?;
    let characters = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let shaped = separator == b'_' && checksum.len() == CHECKSUM_LENGTH && characters(body) && characters(checksum);
    shaped.then_some(kind)
}

/// What is stored of a key and what its `hash` member shows: base64url of SHA-256, 43 characters. A key has 128 random
/// bits, so that it needs neither salt nor a slow hash.
pub fn hash(key: &str) -> String {
    base64url(Sha256::digest(key))
}

/// The part of a key that may be shown: its mark and five characters, or the first five characters of the signature of a
/// key that is a JWT.
pub fn prefix(key: &str) -> String {
    match is_well_formed(key) {
        Some(kind) => key.chars().take(kind.mark().len() + VISIBLE_LENGTH).collect(),
        None => key.rsplit('.').next().unwrap_or_default().chars().take(VISIBLE_LENGTH).collect(),
    }
}

/// A key as it is listed without being revealed: its prefix, then one middle dot for each hidden character.
pub fn masked(key: &str) -> String {
    let prefix = prefix(key);
    let hidden = key.chars().count().saturating_sub(prefix.chars().count());
    prefix.chars().chain(std::iter::repeat_n(MASK, hidden)).collect()
}
