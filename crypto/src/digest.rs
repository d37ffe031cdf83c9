//! Digests the wire contract prescribes, and comparison in constant time.

use domain::secret::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::bytes::{base64url, hex, hmac_sha256};

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
