//! The session index in Redis: one hash per user.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::ids::{ProjectId, SessionId, UserId};
use domain::time::Timestamp;
use fred::interfaces::{HashesInterface, KeysInterface};
use fred::types::scripts::Script;

use super::link::{Link, unavailable};
use super::{Tasks, forget, keys_of, noting, run};
use crate::Unavailable;
use crate::sessions::{IDLE_LIFETIME, KEPT_PER_USER, MAX_PER_USER, SessionEntry, SessionIndex, listed};

static PUT: LazyLock<Script> = noting!("put_session.lua");
static TOUCH: LazyLock<Script> = noting!("touch_session.lua");

pub(super) struct RedisSessions {
    link: Arc<Link>,
    prefix: Arc<str>,
    _tasks: Tasks,
}

impl RedisSessions {
    pub(super) fn new(link: Arc<Link>, prefix: Arc<str>, tasks: Tasks) -> Self {
        Self { link, prefix, _tasks: tasks }
    }

    fn key(&self, project: ProjectId, user: UserId) -> String {
        format!("{}:{project}:sessions:{user}", self.prefix)
    }

    fn keys(&self, project: ProjectId, user: UserId) -> Vec<String> {
        vec![self.key(project, user), keys_of(&self.prefix, project)]
    }
}

/// An entry as stored: its last use stands before it, where a script finds and replaces it.
fn read(stored: &str) -> Option<SessionEntry> {
    let (last_used, entry) = stored.split_once(':')?;
    let mut entry: SessionEntry = serde_json::from_str(entry).ok()?;
    entry.last_used = Timestamp::from_unix(0).plus(TimeDelta::microseconds(last_used.parse().ok()?));
    Some(entry)
}

#[async_trait]
impl SessionIndex for RedisSessions {
    async fn put(&self, project: ProjectId, entry: SessionEntry) -> Result<(), Unavailable> {
        let text = serde_json::to_string(&entry).map_err(|error| Unavailable::new(error.to_string()))?;
        let arguments = vec![
            entry.session.to_string(),
            entry.last_used.unix_micros().to_string(),
            text,
            IDLE_LIFETIME.as_millis().to_string(),
            MAX_PER_USER.to_string(),
            KEPT_PER_USER.to_string(),
        ];
        run(&self.link, &PUT, self.keys(project, entry.user), arguments).await
    }

    async fn touch(
        &self,
        project: ProjectId,
        user: UserId,
        session: SessionId,
        at: Timestamp,
    ) -> Result<bool, Unavailable> {
        let arguments = vec![session.to_string(), at.unix_micros().to_string(), IDLE_LIFETIME.as_millis().to_string()];
        let known: i64 = run(&self.link, &TOUCH, self.keys(project, user), arguments).await?;
        Ok(known == 1)
    }

    async fn remove(&self, project: ProjectId, user: UserId, sessions: &[SessionId]) -> Result<(), Unavailable> {
        if sessions.is_empty() {
            return Ok(());
        }
        let fields: Vec<String> = sessions.iter().map(SessionId::to_string).collect();
        let command = self.link.client().hdel(self.key(project, user), fields);
        self.link.call(command).await.map_err(unavailable)
    }

    async fn remove_user(&self, project: ProjectId, user: UserId) -> Result<(), Unavailable> {
        let command = self.link.client().del(self.key(project, user));
        self.link.call(command).await.map_err(unavailable)
    }

    async fn list(&self, project: ProjectId, user: UserId) -> Result<Vec<SessionEntry>, Unavailable> {
        let command = self.link.client().hgetall(self.key(project, user));
        let stored: HashMap<String, String> = self.link.call(command).await.map_err(unavailable)?;
        Ok(listed(stored.values().filter_map(|text| read(text)).collect()))
    }

    async fn forget_project(&self, project: ProjectId) -> Result<(), Unavailable> {
        forget(&self.link, &self.prefix, project).await
    }
}
