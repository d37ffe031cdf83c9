//! The session index in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use domain::ids::{ProjectId, SessionId, UserId};
use domain::time::Timestamp;

use super::expiring::{Expires, ExpiringMap};
use crate::Unavailable;
use crate::sessions::{IDLE_LIFETIME, KEPT_PER_USER, MAX_PER_USER, SessionEntry, SessionIndex, listed};

const MAX_USERS: usize = 1_000_000;

pub(crate) struct Sessions {
    users: ExpiringMap<(ProjectId, UserId), UserSessions>,
    /// The latest time any caller has named: what is old is measured against it.
    latest: AtomicI64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { users: ExpiringMap::new(MAX_USERS), latest: AtomicI64::new(i64::MIN) }
    }
}

#[derive(Default)]
struct UserSessions {
    entries: HashMap<SessionId, SessionEntry>,
    newest: i64,
}

impl Expires for UserSessions {
    fn ends_at(&self) -> i64 {
        let lifetime = i64::try_from(IDLE_LIFETIME.as_micros()).unwrap_or(i64::MAX);
        self.newest.saturating_add(lifetime)
    }
}

impl UserSessions {
    fn put(&mut self, entry: SessionEntry) {
        self.newest = self.newest.max(entry.last_used.unix_micros());
        self.entries.insert(entry.session, entry);
        if self.entries.len() > MAX_PER_USER {
            let kept = listed(self.entries.drain().map(|(_, entry)| entry).collect());
            self.entries.extend(kept.into_iter().take(KEPT_PER_USER).map(|entry| (entry.session, entry)));
        }
    }
}

impl Sessions {
    fn saw(&self, at: Timestamp) -> i64 {
        let at = at.unix_micros();
        self.latest.fetch_max(at, Ordering::Relaxed).max(at)
    }
}

#[async_trait]
impl SessionIndex for Sessions {
    async fn put(&self, project: ProjectId, entry: SessionEntry) -> Result<(), Unavailable> {
        let now = self.saw(entry.last_used);
        self.users.write((project, entry.user), now, UserSessions::default, |user| user.put(entry));
        Ok(())
    }

    async fn touch(
        &self,
        project: ProjectId,
        user: UserId,
        session: SessionId,
        at: Timestamp,
    ) -> Result<bool, Unavailable> {
        self.saw(at);
        let Some(mut user) = self.users.get_mut(&(project, user)) else {
            return Ok(false);
        };
        let Some(entry) = user.entries.get_mut(&session) else {
            return Ok(false);
        };
        entry.last_used = entry.last_used.max(at);
        user.newest = user.newest.max(at.unix_micros());
        Ok(true)
    }

    async fn remove(&self, project: ProjectId, user: UserId, sessions: &[SessionId]) -> Result<(), Unavailable> {
        let key = (project, user);
        if let Some(mut known) = self.users.get_mut(&key) {
            known.entries.retain(|session, _| !sessions.contains(session));
        }
        self.users.remove_if(&key, |known| known.entries.is_empty());
        Ok(())
    }

    async fn remove_user(&self, project: ProjectId, user: UserId) -> Result<(), Unavailable> {
        self.users.remove(&(project, user));
        Ok(())
    }

    async fn list(&self, project: ProjectId, user: UserId) -> Result<Vec<SessionEntry>, Unavailable> {
        let entries = self.users.get_mut(&(project, user)).map(|user| user.entries.values().cloned().collect());
        Ok(listed(entries.unwrap_or_default()))
    }

    async fn forget_project(&self, project: ProjectId) -> Result<(), Unavailable> {
        self.users.remove_where(|(of, _)| *of == project);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn users_who_never_come_back_are_forgotten() {
        let index = Sessions::default();
        let project = ProjectId(Uuid::from_u128(1));
        let week = 7 * 24 * 60 * 60;
        for number in 0..5_000_u32 {
            let id = Uuid::from_u128(u128::from(number));
            let at = Timestamp::from_unix(i64::from(number) * week);
            let entry = SessionEntry {
                session: SessionId(id),
                user: UserId(id),
                created_at: at,
                last_used: at,
                ip: None,
                user_agent: None,
            };
            index.put(project, entry).await.unwrap();
        }
        assert!(index.users.len() < 2_000, "{}", index.users.len());
        let newest = UserId(Uuid::from_u128(4_999));
        assert_eq!(index.list(project, newest).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_user_without_sessions_takes_no_memory() {
        let index = Sessions::default();
        let (project, user) = (ProjectId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let session = SessionId(Uuid::from_u128(3));
        let at = Timestamp::from_unix(1_700_000_000);
        let entry = SessionEntry { session, user, created_at: at, last_used: at, ip: None, user_agent: None };
        index.put(project, entry).await.unwrap();
        index.remove(project, user, &[session]).await.unwrap();
        assert_eq!(index.users.len(), 0);
    }
}
