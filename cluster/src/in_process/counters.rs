//! Counters in memory.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::ProjectId;
use domain::time::Timestamp;

use super::expiring::{Expires, ExpiringMap};
use super::journal::{Entry, Event, Journal};
use crate::Unavailable;
use crate::counters::{Counters, Hit, Log, Rate, Take, hit_verdict, window_micros};

const MAX_KEYS: usize = 1_000_000;

type Key = (ProjectId, Box<str>);

pub(crate) struct LocalCounters {
    buckets: ExpiringMap<Key, Bucket>,
    logs: ExpiringMap<Key, WindowedLog>,
    /// Held while a log changes, so that the file tells the same story.
    journal: Option<Mutex<Journal>>,
}

impl Default for LocalCounters {
    fn default() -> Self {
        Self { buckets: ExpiringMap::new(MAX_KEYS), logs: ExpiringMap::new(MAX_KEYS), journal: None }
    }
}

impl LocalCounters {
    /// Counters whose sliding logs go on where those in the file `path` ended.
    pub(crate) fn kept(path: &Path) -> io::Result<Self> {
        let (mut journal, entries) = Journal::open(path)?;
        let counters = Self::default();
        for entry in entries {
            let key = (entry.project(), entry.key);
            match entry.event {
                Some(Event { at, window }) => {
                    counters.step(key, u32::MAX, window, at);
                }
                None => {
                    counters.logs.remove(&key);
                }
            }
        }
        journal.rewrite(counters.events())?;
        Ok(Self { journal: Some(Mutex::new(journal)), ..counters })
    }

    fn step(&self, key: Key, limit: u32, window: i64, now: i64) -> i64 {
        self.logs.write(key, now, WindowedLog::default, |known| {
            known.window = window;
            known.log.step(limit, window, now)
        })
    }

    /// Everything that is in the logs.
    fn events(&self) -> Vec<Entry> {
        let mut events = Vec::new();
        self.logs.for_each(|(project, key), known| {
            let window = known.window;
            events.extend(known.log.events().map(|at| Entry::counted(*project, key, Event { at, window })));
        });
        events
    }

    /// Notes a change in the file. Without it the counters go on in memory.
    fn note(&self, journal: &mut Journal, entry: &Entry) {
        let mut noted = journal.append(entry);
        if noted.is_ok() && journal.is_too_long() {
            noted = journal.rewrite(self.events());
        }
        if let Err(error) = noted {
            tracing::warn!(%error, "counters not kept: a restart will forget them");
        }
    }

    fn journal(&self) -> Option<MutexGuard<'_, Journal>> {
        self.journal.as_ref().map(|journal| journal.lock().unwrap_or_else(PoisonError::into_inner))
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
        let mut journal = self.journal();
        let hit = hit_verdict(self.step((project, key.into()), limit, window, now));
        if let Some(journal) = journal.as_mut().filter(|_| hit.counted()) {
            self.note(journal, &Entry::counted(project, key, Event { at: now, window }));
        }
        Ok(hit)
    }

    async fn clear(&self, project: ProjectId, key: &str) -> Result<(), Unavailable> {
        let mut journal = self.journal();
        let known = self.logs.remove(&(project, key.into()));
        if let Some(journal) = journal.as_mut().filter(|_| known) {
            self.note(journal, &Entry::forgotten(project, key));
        }
        Ok(())
    }

    async fn count(&self, project: ProjectId, key: &str, window: Duration, now: Timestamp) -> Result<u32, Unavailable> {
        let begin = now.unix_micros() - window_micros(window);
        let known = self.logs.get_mut(&(project, key.into()));
        let count = known.map_or(0, |known| known.log.events().filter(|at| *at > begin).count());
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    async fn forget_project(&self, project: ProjectId) -> Result<(), Unavailable> {
        let mut journal = self.journal();
        let mut forgotten = Vec::new();
        self.logs.for_each(|(of, key), _| {
            if *of == project {
                forgotten.push(key.clone());
            }
        });
        self.logs.remove_where(|(of, _)| *of == project);
        self.buckets.remove_where(|(of, _)| *of == project);
        if let Some(journal) = journal.as_mut() {
            forgotten.iter().for_each(|key| self.note(journal, &Entry::forgotten(project, key)));
        }
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
