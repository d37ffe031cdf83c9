//! `POST /recover` (`contract/core.md` §14.4). Answers nothing.

use crate::captcha::Proof;

/// A way back into an account is asked for. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// PKCE challenge.
    pub code_challenge: String,
    /// PKCE method.
    pub code_challenge_method: String,
    /// For the captcha check.
    pub captcha: Proof,
}
