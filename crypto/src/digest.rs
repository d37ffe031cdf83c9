//! Digests the wire contract prescribes, and comparison in constant time.

use domain::secret::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::bytes::{base64url, hmac_sha256};

pub use crate::bytes::hex;

/// What a soft-deleted user's `value` is replaced with: base64url without padding of SHA-256 over the id and the
/// value (`contract/core.md` §17.6).
pub fn obfuscate(id: &Uuid, value: &str) -> String {
    base64url(Sha256::new().chain_update(id.to_string()).chain_update(value).finalize())
}

/// What a configuration answers in place of a secret: lower-case hex of HMAC-SHA-256 under the project ref
/// (`contract/management.md` §1.3). Clients compare it with their own, so it must not be salted.
pub fn secret_fingerprint(project_ref: &str, secret: &Secret<String>) -> String {
    hex(hmac_sha256(project_ref.as_bytes(), secret.expose().as_bytes()))
}

/// Lower-case hex of SHA-256: what an ID token repeats of a nonce (`contract/mfa-passkeys-oauth.md` §5.1).
pub fn sha256_hex(text: &str) -> String {
    hex(Sha256::digest(text))
}

/// SHA-256 of `parts`, each after its length: no two lists of parts have one digest.
pub fn sha256_of(parts: &[&str]) -> [u8; 32] {
    let with_length =
        |digest: Sha256, part: &&str| digest.chain_update((part.len() as u64).to_be_bytes()).chain_update(part);
    parts.iter().fold(Sha256::new(), with_length).finalize().into()
}

/// Whether `a` and `b` are equal, in a time that depends on their lengths alone.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obfuscation_is_the_contracts() {
        let id = "11111111-2222-4333-8444-555555555555".parse().unwrap();
        assert_eq!(obfuscate(&id, "test@example.com"), "7GUOXsGbf-KLp8tLfOHtjs9UPStFjZQwwP-fDFLDXbo");
        assert_eq!(obfuscate(&id, "").len(), 43);
    }

    #[test]
    fn a_nonce_is_told_by_its_digest() {
        let expected = "bdedd5fce31480a9aa795ed844773e76e41c2e99de0247119eb2d2fc48bdfc60";
        assert_eq!(sha256_hex("demo-nonce-123"), expected);
    }

    #[test]
    fn parts_are_kept_apart() {
        assert_eq!(sha256_of(&["a", "b"]), sha256_of(&["a", "b"]));
        assert_ne!(sha256_of(&["ab", ""]), sha256_of(&["a", "b"]));
        assert_ne!(sha256_of(&["a"]), sha256_of(&["a", ""]));
    }

    #[test]
    fn a_fingerprint_is_keyed_by_the_project() {
        // HMAC-SHA-256 of RFC 4231, test case 2.
        let secret = Secret::new("what do ya want for nothing?".to_owned());
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(secret_fingerprint("Jefe", &secret), expected);
        assert_ne!(secret_fingerprint("other", &secret), expected);
    }

    #[test]
    fn comparison_needs_every_byte() {
        assert!(constant_time_eq(b"", b""));
        assert!(constant_time_eq(b"abc", b"abc"));
        assert!(!constant_time_eq(b"abc", b"abd"));
        assert!(!constant_time_eq(b"abc", b"abcd"));
    }
}
