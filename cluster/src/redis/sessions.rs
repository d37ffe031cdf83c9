//! The session index in Redis: one hash per user.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::ids::{ProjectId, SessionId, UserId};
use domain::time::Timestamp;
use fred::interfaces::{HashesInterface, KeysInterface};
use fred::types::scripts::Script;
use tokio::sync::{mpsc, oneshot};

use super::link::{Link, unavailable};
use super::{Tasks, forget, keys_of, noting, run};
use crate::Unavailable;
use crate::sessions::{IDLE_LIFETIME, KEPT_PER_USER, MAX_PER_USER, SessionEntry, SessionIndex, listed};

/// Entries of one call.
const BATCH: usize = 64;
/// Entries that may wait; beyond that Redis is far behind.
const QUEUE: usize = 4096;

static PUT: LazyLock<Script> = LazyLock::new(|| Script::from_lua(include_str!("put_sessions.lua")));
static TOUCH: LazyLock<Script> = noting!("touch_session.lua");

pub(super) struct RedisSessions {
    link: Arc<Link>,
    prefix: Arc<str>,
    put: mpsc::Sender<Put>,
    _tasks: Tasks,
}

/// An entry on its way.
struct Put {
    keys: [String; 2],
    arguments: [String; 3],
    reply: oneshot::Sender<Result<(), Unavailable>>,
}

/// Takes entries to Redis: what has queued while the last call was on its way travels together in the next. Ends with the last sender.
async fn carry(link: Arc<Link>, mut waiting: mpsc::Receiver<Put>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut keys = Vec::with_capacity(2 * batch.len());
        let mut arguments = Vec::with_capacity(3 + 3 * batch.len());
        let [most, kept] = [MAX_PER_USER, KEPT_PER_USER].map(|sessions| sessions.to_string());
        arguments.extend([IDLE_LIFETIME.as_millis().to_string(), most, kept]);
        let mut replies = Vec::with_capacity(batch.len());
        for put in batch.drain(..) {
            keys.extend(put.keys);
            arguments.extend(put.arguments);
            replies.push(put.reply);
        }
        let outcome: Result<(), Unavailable> = run(&link, &PUT, keys, arguments).await;
        for reply in replies {
            // Who has left does not care.
            let _left = reply.send(outcome.clone());
        }
    }
}

impl RedisSessions {
    pub(super) fn new(link: Arc<Link>, prefix: Arc<str>, tasks: Tasks) -> Self {
        let (put, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(carry(Arc::clone(&link), waiting));
        Self { link, prefix, put, _tasks: tasks }
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
        let (reply, answer) = oneshot::channel();
        let put = Put {
            keys: [self.key(project, entry.user), keys_of(&self.prefix, project)],
            arguments: [entry.session.to_string(), entry.last_used.unix_micros().to_string(), text],
            reply,
        };
        self.put.try_send(put).map_err(|_| Unavailable::new("too many sessions wait to be noted"))?;
        answer.await.unwrap_or_else(|_| Err(Unavailable::new("nobody notes sessions any more")))
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
