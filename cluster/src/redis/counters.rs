//! Counters in Redis: scripts that decide where the state is. Time is an argument, so that all gateways and tests mean
//! the same by it.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::ProjectId;
use domain::time::Timestamp;
use fred::interfaces::KeysInterface;
use fred::types::scripts::Script;

use super::link::{Link, unavailable};
use super::{Tasks, forget, keys_of, noting, run};
use crate::Unavailable;
use crate::counters::{Counters, Hit, Rate, Take, hit_verdict, window_micros};

static TAKE: LazyLock<Script> = noting!("take.lua");
static HIT: LazyLock<Script> = noting!("hit.lua");
static COUNT: LazyLock<Script> = LazyLock::new(|| Script::from_lua(include_str!("count.lua")));

pub(super) struct RedisCounters {
    link: Arc<Link>,
    prefix: Arc<str>,
    _tasks: Tasks,
}

impl RedisCounters {
    pub(super) fn new(link: Arc<Link>, prefix: Arc<str>, tasks: Tasks) -> Self {
        Self { link, prefix, _tasks: tasks }
    }

    fn log(&self, project: ProjectId, key: &str) -> String {
        format!("{}:{project}:log:{key}", self.prefix)
    }
}

#[async_trait]
impl Counters for RedisCounters {
    async fn take(
        &self,
        project: ProjectId,
        bucket: &str,
        capacity: u32,
        refill_per_second: f64,
        now: Timestamp,
    ) -> Result<Take, Unavailable> {
        let rate = Rate::new(capacity, refill_per_second);
        let keys = vec![format!("{}:{project}:bucket:{bucket}", self.prefix), keys_of(&self.prefix, project)];
        let arguments = vec![now.unix_micros().to_string(), rate.interval.to_string(), rate.depth.to_string()];
        let overdraft: i64 = run(&self.link, &TAKE, keys, arguments).await?;
        Ok(rate.verdict(overdraft))
    }

    async fn hit(
        &self,
        project: ProjectId,
        key: &str,
        limit: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Hit, Unavailable> {
        let arguments = vec![now.unix_micros().to_string(), limit.to_string(), window_micros(window).to_string()];
        let keys = vec![self.log(project, key), keys_of(&self.prefix, project)];
        let outcome: i64 = run(&self.link, &HIT, keys, arguments).await?;
        Ok(hit_verdict(outcome))
    }

    async fn clear(&self, project: ProjectId, key: &str) -> Result<(), Unavailable> {
        let command = self.link.client().del(self.log(project, key));
        self.link.call(command).await.map_err(unavailable)
    }

    async fn count(&self, project: ProjectId, key: &str, window: Duration, now: Timestamp) -> Result<u32, Unavailable> {
        let begin = now.unix_micros() - window_micros(window);
        let count: i64 = run(&self.link, &COUNT, vec![self.log(project, key)], vec![begin.to_string()]).await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    async fn forget_project(&self, project: ProjectId) -> Result<(), Unavailable> {
        forget(&self.link, &self.prefix, project).await
    }
}
