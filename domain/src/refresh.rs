//! `POST /token?grant_type=refresh_token` (`contract/core.md` §10.3 to §10.7). Answers an `IssuedSession`.

use crate::secret::Secret;

/// A refresh as parsed from the body.
#[derive(Clone, Debug)]
pub struct Request {
    /// The presented token, empty when absent.
    pub refresh_token: Secret<String>,
}
