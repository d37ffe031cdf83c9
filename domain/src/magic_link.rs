//! `POST /magiclink` (`contract/core.md` §14.2). Answers nothing but that a mail may have gone out.

use crate::captcha::Proof;
use crate::user::Metadata;

/// A link is asked for. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// Metadata of a new account.
    pub data: Metadata,
    /// PKCE challenge.
    pub code_challenge: String,
    /// PKCE method.
    pub code_challenge_method: String,
    /// For the captcha check.
    pub captcha: Proof,
}
