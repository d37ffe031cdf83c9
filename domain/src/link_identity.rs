//! `GET /user/identities/authorize`: begins to link a provider to the signed-in account
//! (`contract/mfa-passkeys-oauth.md` §3.9).

use crate::authorize;
use crate::request::Bearer;

/// A link begins. Answers an `authorize::Redirect`.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose account.
    pub bearer: Bearer,
    /// At which provider, and how.
    pub departure: authorize::Request,
}
