//! Counters in memory.

use std::time::Duration;

use async_trait::async_trait;
use domain::ids::ProjectId;
use domain::time::Timestamp;

use super::expiring::{Expires, ExpiringMap};
use crate::Unavailable;
use crate::counters::{Counters, Hit, Log, Rate, Take, hit_verdict, window_micros};

const MAX_KEYS: usize = 1_000_000;

type Key = (ProjectId, Box<str>);

pub(crate) struct LocalCounters {
    buckets: ExpiringMap<Key, Bucket>,
    logs: ExpiringMap<Key, WindowedLog>,
}

impl Default for LocalCounters {
    fn default() -> Self {
        Self { buckets: ExpiringMap::new(MAX_KEYS), logs: ExpiringMap::new(MAX_KEYS) }
    }
}

/// A bucket that is full is a bucket that never was.
struct Bucket {
    full_at: i64,
}

impl Expires for Bucket {
    fn ends_at(&self) -> i64 {
        self.full_at
    }
}

#[derive(Default)]
struct WindowedLog {
    log: Log,
    window: i64,
}

impl Expires for WindowedLog {
    fn ends_at(&self) -> i64 {
        self.log.ends_at(self.window)
    }
}

#[async_trait]
impl Counters for LocalCounters {
    async fn take(
        &self,
        project: ProjectId,
        bucket: &str,
        capacity: u32,
        refill_per_second: f64,
        now: Timestamp,
    ) -> Result<Take, Unavailable> {
        let rate = Rate::new(capacity, refill_per_second);
        let now = now.unix_micros();
        let full = || Bucket { full_at: now };
        let overdraft = self.buckets.write((project, bucket.into()), now, full, |bucket| {
            let (full_at, overdraft) = rate.step(Some(bucket.full_at), now);
            if overdraft <= 0 {
                bucket.full_at = full_at;
            }
            overdraft
        });
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
        let window = window_micros(window);
        let now = now.unix_micros();
        let outcome = self.logs.write((project, key.into()), now, WindowedLog::default, |known| {
            known.window = window;
            known.log.step(limit, window, now)
        });
        Ok(hit_verdict(outcome))
    }

    async fn clear(&self, project: ProjectId, key: &str) -> Result<(), Unavailable> {
        self.logs.remove(&(project, key.into()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn idle_buckets_and_logs_are_dropped() {
        let counters = LocalCounters::default();
        let project = ProjectId(Uuid::from_u128(1));
        for second in 0..10_000 {
            let now = Timestamp::from_unix(second);
            let key = format!("address {second}");
            counters.take(project, &key, 5, 1.0, now).await.unwrap();
            counters.hit(project, &key, 5, Duration::from_secs(60), now).await.unwrap();
        }
        assert!(counters.buckets.len() < 1_100, "{}", counters.buckets.len());
        assert!(counters.logs.len() < 1_200, "{}", counters.logs.len());
    }
}
