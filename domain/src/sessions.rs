//! A user's own sessions and an admin's view of them (`interface.md`, routes that the contract does not have).

use crate::ids::{SessionId, UserId};
use crate::pagination::{Page, Paged};
use crate::request::Bearer;
use crate::session::Session;

/// `GET /sessions`: the bearer's live sessions, newest use first.
#[derive(Clone, Debug)]
pub struct List {
    /// The caller's token.
    pub bearer: Bearer,
    /// Which page.
    pub page: Page,
}

/// `DELETE /sessions/{id}`: ends one of the bearer's own sessions. The id stays text until the bearer has been checked.
#[derive(Clone, Debug)]
pub struct End {
    /// The caller's token.
    pub bearer: Bearer,
    /// The path's id.
    pub session: String,
}

/// `GET /admin/users/{id}/sessions`.
#[derive(Clone, Debug)]
pub struct AdminList {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's user id.
    pub user: String,
    /// Which page.
    pub page: Page,
}

/// `DELETE /admin/users/{id}/sessions` and `DELETE /admin/users/{id}/sessions/{session}`.
#[derive(Clone, Debug)]
pub struct AdminEnd {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's user id.
    pub user: String,
    /// The path's session id; `None` = all.
    pub session: Option<String>,
}

/// A page of sessions.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Whose.
    pub user: UserId,
    /// The session of the token that asked.
    pub current: Option<SessionId>,
    /// The page.
    pub sessions: Paged<Session>,
}
