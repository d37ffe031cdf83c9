//! One-time codes and the link tokens derived from them (`contract/core.md` §9).

use sha2::{Digest, Sha224};

use crate::bytes::hex;
use crate::digest::constant_time_eq;

/// What marks the token of a PKCE flow, both in a link and at rest.
pub const PKCE_PREFIX: &str = "pkce_";

/// The token that a link carries for `otp`: lower-case hex of SHA-224 over contact and code. The contact is a
/// lower-cased address or a number without `+`.
pub fn link_token(contact: &str, otp: &str) -> String {
    hex(Sha224::new().chain_update(contact).chain_update(otp).finalize())
}

/// Whether the `stored` token is `token`, with or without the mark of a PKCE flow: a typed code may finish a flow that
/// was started with PKCE. Takes a time that depends on the lengths alone; an empty stored token equals nothing.
pub fn same(stored: &str, token: &str) -> bool {
    let bare = stored.strip_prefix(PKCE_PREFIX).unwrap_or(stored);
    !bare.is_empty() && constant_time_eq(bare.as_bytes(), token.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_tokens_are_the_contracts() {
        let token = link_token("test@example.com", "123456");
        assert_eq!(token, "a3f3debf8d4c206eac18c518ad464512d0033123760f8a2c42a1110c");
    }

    #[test]
    fn a_code_finishes_plain_and_pkce_flows() {
        let token = link_token("4915112345678", "000000");
        assert!(same(&token, &token));
        assert!(same(&format!("pkce_{token}"), &token));
        assert!(!same(&format!("pkce_pkce_{token}"), &token));
        assert!(!same(&token, &link_token("4915112345678", "000001")));
    }

    #[test]
    fn nothing_matches_an_empty_column() {
        assert!(!same("", ""));
        assert!(!same("pkce_", ""));
        assert!(!same("", "a"));
    }
}
