//! `POST /otp` (`contract/core.md` §14.1). Answers [`crate::sms::Sent`].

use crate::captcha::Proof;
use crate::user::Metadata;

/// A code or a link is asked for. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// Number, as typed.
    pub phone: String,
    /// Whether an unknown contact gets an account; `true` when absent.
    pub create_user: bool,
    /// Metadata of a new account.
    pub data: Metadata,
    /// `channel`.
    pub channel: String,
    /// PKCE challenge.
    pub code_challenge: String,
    /// PKCE method.
    pub code_challenge_method: String,
    /// For the captcha check.
    pub captcha: Proof,
}
