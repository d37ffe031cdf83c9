//! PKCE: the challenge of a flow, and `POST /token?grant_type=pkce` (`contract/core.md` §5.3, §13.3).

use crate::secret::Secret;

/// An authorization code to be traded for a session. Answers an `IssuedSession`.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The `auth_code` of the body, empty when absent.
    pub auth_code: Secret<String>,
    /// The `code_verifier` of the body, empty when absent.
    pub code_verifier: Secret<String>,
}
