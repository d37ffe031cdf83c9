//! `POST /admin/introspect` (RFC 7662).

use crate::request::Bearer;
use crate::secret::Secret;
use crate::user::Metadata;

/// Whether a token is good now is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The admin's token.
    pub bearer: Bearer,
    /// The token in question.
    pub token: Secret<String>,
}

/// The claims of a token that is good now; `None` for every other text.
pub type Answer = Option<Metadata>;
