//! `PUT /user` (`contract/core.md` §16.2). Answers a `User`.

use crate::request::Bearer;
use crate::secret::Secret;
use crate::user::Metadata;

/// A change of one's own account as parsed from the body.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
    /// New address, empty when absent.
    pub email: String,
    /// New number, empty when absent.
    pub phone: String,
    /// New password; `None` = untouched, empty = too short.
    pub password: Option<Secret<String>>,
    /// The old password, where the project asks for it.
    pub current_password: Option<Secret<String>>,
    /// The mailed nonce, empty when absent.
    pub nonce: Secret<String>,
    /// Merged into `user_metadata`; `null` values delete keys.
    pub data: Option<Metadata>,
    /// Merged into `app_metadata`, for admin users only.
    pub app_metadata: Option<Metadata>,
    /// PKCE challenge for an address change, empty when absent.
    pub code_challenge: String,
    /// PKCE method for an address change, empty when absent.
    pub code_challenge_method: String,
}
