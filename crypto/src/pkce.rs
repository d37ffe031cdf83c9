//! Proof Key for Code Exchange (RFC 7636 §4.6; `contract/core.md` §13.3 step 5).

use sha2::{Digest, Sha256};

use crate::bytes::base64url;
use crate::digest::constant_time_eq;

/// Whether `verifier` belongs to the stored `challenge`. Methods are `s256` and `plain` in any case; another method
/// proves nothing.
pub fn verify(method: &str, challenge: &str, verifier: &str) -> bool {
    let derived = if method.eq_ignore_ascii_case("s256") {
        base64url(Sha256::digest(verifier))
    } else if method.eq_ignore_ascii_case("plain") {
        verifier.to_owned()
    } else {
        return false;
    };
    !verifier.is_empty() && constant_time_eq(derived.as_bytes(), challenge.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn s256_compares_the_digest() {
        assert!(verify("s256", CHALLENGE, VERIFIER));
        assert!(verify("S256", CHALLENGE, VERIFIER));
        assert!(!verify("s256", CHALLENGE, CHALLENGE));
        assert!(!verify("s256", VERIFIER, VERIFIER));
    }

    #[test]
    fn plain_compares_the_text() {
        assert!(verify("plain", VERIFIER, VERIFIER));
        assert!(!verify("plain", CHALLENGE, VERIFIER));
    }

    #[test]
    fn unknown_methods_and_empty_verifiers_fail() {
        assert!(!verify("", VERIFIER, VERIFIER));
        assert!(!verify("none", VERIFIER, VERIFIER));
        assert!(!verify("plain", "", ""));
    }
}
