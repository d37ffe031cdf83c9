//! Captchas (`contract/core.md` §18.4): what a request brings to show that a person sends it.

use crate::request::Bearer;
use crate::secret::Secret;

/// What the body and the headers of a request hold for the captcha check.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// `gotrue_meta_security.captcha_token`, blanks removed; empty when absent.
    pub token: Secret<String>,
    /// An administrator's token spares the check.
    pub bearer: Bearer,
}
