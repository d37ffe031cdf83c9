//! The index of open sessions: which sessions a user probably has, without asking a database.

use std::time::Duration;

use async_trait::async_trait;
use domain::ids::{ProjectId, SessionId, UserId};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Unavailable;

/// An entry that has not been used for this long is forgotten.
pub const IDLE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many sessions are remembered for a user; beyond it the least recently used are forgotten.
pub const MAX_PER_USER: usize = 512;

/// What is left after forgetting: an eighth is cleared at once, so that not every sign-in sorts the whole set. As many of a
/// user's sessions, the most recently used, are always remembered.
pub const KEPT_PER_USER: usize = MAX_PER_USER - MAX_PER_USER / 8;

/// What the index knows about a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used: Timestamp,
    /// The address it was last used from.
    pub ip: Option<String>,
    /// The client it was last used with.
    pub user_agent: Option<String>,
}

/// An index of sessions per project and user. It may know less than the database (entries expire) and, after an
/// outage, more (a removal was lost): whoever acts on an entry asks the database first.
#[async_trait]
pub trait SessionIndex: Send + Sync {
    /// Adds or replaces an entry.
    async fn put(&self, project: ProjectId, entry: SessionEntry) -> Result<(), Unavailable>;

    /// Marks a session as used at `at`; an earlier time than the known one changes nothing. `false`: the index does
    /// not know the session and the caller may `put` it, which is how the index rebuilds itself.
    async fn touch(
        &self,
        project: ProjectId,
        user: UserId,
        session: SessionId,
        at: Timestamp,
    ) -> Result<bool, Unavailable>;

    /// Forgets these sessions of a user.
    async fn remove(&self, project: ProjectId, user: UserId, sessions: &[SessionId]) -> Result<(), Unavailable>;

    /// Forgets all sessions of a user.
    async fn remove_user(&self, project: ProjectId, user: UserId) -> Result<(), Unavailable>;

    /// The known sessions of a user, the most recently used first.
    async fn list(&self, project: ProjectId, user: UserId) -> Result<Vec<SessionEntry>, Unavailable>;

    /// Forgets everything about a project that has ended.
    async fn forget_project(&self, project: ProjectId) -> Result<(), Unavailable>;
}

/// Drops what expired before the newest use among `entries` and sorts: newest use first, then by id.
pub(crate) fn listed(mut entries: Vec<SessionEntry>) -> Vec<SessionEntry> {
    let lifetime = i64::try_from(IDLE_LIFETIME.as_micros()).unwrap_or(i64::MAX);
    if let Some(newest) = entries.iter().map(|entry| entry.last_used.unix_micros()).max() {
        entries.retain(|entry| newest.saturating_sub(entry.last_used.unix_micros()) < lifetime);
    }
    entries.sort_by(|a, b| b.last_used.cmp(&a.last_used).then(a.session.cmp(&b.session)));
    entries
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    fn entry(session: u128, last_used: Timestamp) -> SessionEntry {
        SessionEntry {
            session: SessionId(Uuid::from_u128(session)),
            user: UserId(Uuid::from_u128(1)),
            created_at: last_used,
            last_used,
            ip: None,
            user_agent: None,
        }
    }

    #[test]
    fn an_entry_ends_a_lifetime_after_its_last_use() {
        let now = Timestamp::from_unix(1_700_000_000);
        let lifetime = TimeDelta::from_std(IDLE_LIFETIME).unwrap();
        let just_alive = entry(1, now.plus(TimeDelta::microseconds(1) - lifetime));
        let over = entry(2, now.plus(-lifetime));
        let newest = entry(3, now);
        assert_eq!(listed(vec![just_alive.clone(), over, newest.clone()]), [newest, just_alive]);
    }

    #[test]
    fn equal_times_sort_by_id() {
        let now = Timestamp::from_unix(1_700_000_000);
        assert_eq!(listed(vec![entry(2, now), entry(1, now)]), [entry(1, now), entry(2, now)]);
    }
}
