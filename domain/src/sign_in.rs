//! `POST /token?grant_type=password` (`contract/core.md` §13.1). Answers an `IssuedSession`.

use crate::secret::Secret;

/// A password sign-in as parsed from the body. Empty texts count as absent.
#[derive(Clone, Debug)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// Number, as typed.
    pub phone: String,
    /// Password.
    pub password: Secret<String>,
}
