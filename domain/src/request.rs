//! What travels with every request of a project, and the bearer token as the edge found it.

use crate::secret::Secret;

/// Facts about the caller that the edge establishes once.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The client's address as far as it is known, else the peer's: shown in sessions and to hooks (`contract/core.md` §1.4).
    pub ip: Option<String>,
    /// The address that limits count; `None` when a trusted proxy gave no valid one (`interface.md`, trusted proxies).
    pub counted: Option<String>,
    /// The `User-Agent` header, `None` when absent or empty.
    pub user_agent: Option<String>,
    /// The `X-JWT-AUD` header: narrows reads, never chooses the audience of a new account.
    pub audience: Option<String>,
    /// Candidates for the redirect target, best first: `redirect_to`, then `Referer` (`contract/core.md` §4.1).
    pub redirect_candidates: Vec<String>,
    /// Shown in logs and as `error_id`.
    pub request_id: String,
}

/// The `Authorization` header: the token after `Bearer `, or `None` where there is no well-formed one.
#[derive(Clone, Debug, Default)]
pub struct Bearer(pub Option<Secret<String>>);
