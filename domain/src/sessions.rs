//! A user's own sessions and an admin's view of them (`interface.md`, routes that the contract does not have).

use crate::ids::{SessionId, UserId};
use crate::pagination::{Page, Paged};
use crate::request::Bearer;
use crate::session::Session;
use crate::time::Timestamp;

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

/// Whether a session that was last used at `used` would stand on `page`: later than its last one, unless nothing follows, and
/// earlier than its first, unless nothing comes before. At the very ends nothing is said.
pub fn covers(page: &Paged<Session>, used: Timestamp) -> bool {
    let offset = page.page.offset();
    let end = offset.saturating_add(page.items.len() as u64);
    let (newest, oldest) = (page.items.first(), page.items.last());
    let below = offset == 0 || newest.is_some_and(|newest| used < newest.last_refresh());
    let above = end >= page.total || oldest.is_some_and(|oldest| used > oldest.last_refresh());
    below && above
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, session};

    fn page(number: u64, uses: &[i64], total: u64) -> Paged<Session> {
        let used = |&seconds: &i64| Session { refreshed_at: Some(at(seconds)), ..session() };
        Paged { items: uses.iter().map(used).collect(), total, page: Page { number, size: 2 } }
    }

    #[test]
    fn a_page_speaks_for_what_lies_between_its_ends() {
        let covered =
            |page: &Paged<Session>| -> Vec<i64> { (1..=9).filter(|&seconds| covers(page, at(seconds))).collect() };
        assert_eq!(covered(&page(1, &[8, 6], 5)), [7, 8, 9]);
        assert_eq!(covered(&page(2, &[6, 3], 5)), [4, 5]);
        assert_eq!(covered(&page(3, &[3], 5)), [1, 2]);
        assert_eq!(covered(&page(1, &[5, 4], 2)), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(covered(&page(1, &[], 0)), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(covered(&page(9, &[], 5)), [0_i64; 0]);
    }
}
