//! `POST /resend` (`contract/core.md` §14.5). Answers [`crate::sms::Sent`].

use crate::captcha::Proof;

/// A message is asked for once more. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `type`: `signup`, `email_change`, `sms` or `phone_change`.
    pub kind: String,
    /// Current address, as typed.
    pub email: String,
    /// Current number, as typed.
    pub phone: String,
    /// PKCE challenge.
    pub code_challenge: String,
    /// PKCE method.
    pub code_challenge_method: String,
    /// For the captcha check.
    pub captcha: Proof,
}
