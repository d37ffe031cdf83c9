//! `DELETE /user`: one's own account (mission row 4). Answers nothing.

use crate::request::Bearer;
use crate::secret::Secret;

/// The end of one's own account is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
    /// A mailed nonce, empty when absent.
    pub nonce: Secret<String>,
    /// The password, where the project asks for a fresh proof.
    pub current_password: Option<Secret<String>>,
}
