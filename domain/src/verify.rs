//! `GET /verify` and `POST /verify` (`contract/core.md` §15).

use crate::secret::Secret;
use crate::tokens::IssuedSession;

/// A followed link. Texts are empty when absent.
#[derive(Clone, Debug)]
pub struct Link {
    /// The `token` parameter.
    pub token: Secret<String>,
    /// The `type` parameter.
    pub kind: String,
}

/// Where a followed link leads; always a redirect.
#[derive(Clone, Debug)]
pub struct Landing {
    /// The validated target.
    pub target: String,
    /// What is added to it.
    pub outcome: Outcome,
    /// The link belongs to a PKCE flow: errors go to the query as well.
    pub pkce: bool,
}

/// What a followed link achieved.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Tokens, for the fragment.
    Session {
        /// The tokens.
        session: Box<IssuedSession>,
        /// The `type` the fragment carries.
        kind: String,
    },
    /// An authorization code, for the query.
    Code(Secret<String>),
    /// One of two confirmations.
    Message(&'static str),
    /// A refusal, for the fragment (and the query).
    Refused(crate::refusal::Refusal),
}

/// A typed code, or a hash a server took from a link. Texts are empty when absent.
#[derive(Clone, Debug)]
pub struct Request {
    /// `type`.
    pub kind: String,
    /// The code.
    pub token: Secret<String>,
    /// The hash.
    pub token_hash: Secret<String>,
    /// With a code.
    pub email: String,
    /// With a code.
    pub phone: String,
    /// Must be absent with a hash.
    pub redirect_to: String,
}

/// What a verified code answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Tokens.
    Session(Box<IssuedSession>),
    /// One of two confirmations.
    Message(&'static str),
}
