//! All sessions of a project, for its operator.

use std::collections::HashMap;

use cluster::Invalidation;
use domain::ids::{ProjectId, ProjectRef, SessionId, UserId};
use domain::session::Session;
use serde_json::json;
use storage::{EndSessions, Which};

use super::{Error, Management, Result};

/// Sessions of a page when nothing is said.
const PAGE: u32 = 100;

/// Most sessions of a page.
const MOST: u32 = 1000;

/// Some sessions.
#[derive(Clone, Debug)]
pub struct SessionPage {
    /// The sessions, by id.
    pub sessions: Vec<Session>,
    /// What to ask for the next page with, as `after`; `None` on the last one.
    pub next: Option<SessionId>,
}

impl Management {
    /// The project's sessions by id, those too that are over and were not removed yet.
    pub async fn sessions(
        &self,
        project: &ProjectRef,
        after: Option<SessionId>,
        limit: Option<u32>,
    ) -> Result<SessionPage> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=MOST).contains(&limit) {
            return Err(Error::Invalid(format!("limit must be from 1 to {MOST}")));
        }
        let store = self.rows(&self.bundle(project).await?)?;
        let mut sessions = store.page_of_sessions(after, limit + 1).await?;
        let more = sessions.len() > limit as usize;
        sessions.truncate(limit as usize);
        let next = sessions.last().filter(|_| more).map(|session| session.id);
        Ok(SessionPage { sessions, next })
    }

    /// Ends one session.
    pub async fn end_session(&self, project: &ProjectRef, session: SessionId) -> Result<()> {
        let (bundle, store) = self.writable(project).await?;
        let user = store.end_session_of_anybody(session).await?.ok_or(Error::NotFound)?;
        self.forget(bundle.project.id, user, vec![session]).await;
        let ended = json!({ "session": session.0, "user": user.0 });
        self.note("session.ended", &bundle.project, ended).await
    }

    /// Ends all sessions of a user, `None` = of everybody: how many. Sessions that are opened meanwhile may end, too.
    pub async fn end_sessions(&self, project: &ProjectRef, user: Option<UserId>) -> Result<u64> {
        let (bundle, store) = self.writable(project).await?;
        let id = bundle.project.id;
        let mut count: u64 = 0;
        match user {
            Some(user) => {
                let end = EndSessions { user, bearer_session: None, which: Which::All, audit: None, now: self.now() };
                let seen = store.end_sessions(end).await?;
                if !seen.user_exists {
                    return Err(Error::NotFound);
                }
                count = seen.ended.len() as u64;
                self.forget(id, user, seen.ended).await;
            }
            None => loop {
                // A project that begins to move writes nothing more.
                let (_, store) = self.writable(project).await?;
                let ended = store.end_some_sessions().await?;
                if ended.is_empty() {
                    break;
                }
                count += ended.len() as u64;
                let mut of_users: HashMap<UserId, Vec<SessionId>> = HashMap::new();
                for (session, user) in ended {
                    of_users.entry(user).or_default().push(session);
                }
                for (user, sessions) in of_users {
                    self.forget(id, user, sessions).await;
                }
            },
        }
        let ended = json!({ "sessions": count, "user": user.map(|user| user.0) });
        self.note("sessions.ended", &bundle.project, ended).await?;
        Ok(count)
    }

    /// Tells the index and the gateways of sessions that ended.
    async fn forget(&self, project: ProjectId, user: UserId, sessions: Vec<SessionId>) {
        if sessions.is_empty() {
            return;
        }
        if let Err(error) = self.cluster.sessions.remove(project, user, &sessions).await {
            tracing::debug!(%error, "session index is away");
        }
        if let Err(error) = self.cluster.bus.publish(&Invalidation::Sessions { project, user, sessions }).await {
            tracing::debug!(%error, "invalidation bus is away");
        }
    }
}
