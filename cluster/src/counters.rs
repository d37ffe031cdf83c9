//! Rate limits: token buckets and sliding logs. The arithmetic is here, the state is in the implementations.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::ProjectId;
use domain::time::Timestamp;

use crate::Unavailable;

/// Whether a token bucket gave a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// A token was taken.
    Granted {
        /// How many more could be taken now.
        remaining: u32,
    },
    /// The bucket is empty; nothing was taken.
    Refused {
        /// When there will be a token.
        retry_after: Duration,
    },
}

impl Take {
    /// Whether the caller may go on.
    pub fn granted(self) -> bool {
        matches!(self, Self::Granted { .. })
    }
}

/// Whether a sliding log counted an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The event was counted.
    Counted {
        /// Events in the window, with this one.
        count: u32,
    },
    /// As many events as allowed lie in the window; this one was not counted.
    Refused {
        /// When the oldest of them leaves the window.
        retry_after: Duration,
    },
}

impl Hit {
    /// Whether the caller may go on.
    pub fn counted(self) -> bool {
        matches!(self, Self::Counted { .. })
    }
}

/// Counters that all gateways share. Those of a [`Cluster`](crate::Cluster) always answer: while Redis is away, each gateway
/// counts for itself. Buckets and logs are separate: the same name in both is two counters.
#[async_trait]
pub trait Counters: Send + Sync {
    /// Takes a token from a bucket that holds `capacity` tokens, starts full and gains `refill_per_second`
    /// (at least one a day). A capacity of 0 refuses always.
    async fn take(
        &self,
        project: ProjectId,
        bucket: &str,
        capacity: u32,
        refill_per_second: f64,
        now: Timestamp,
    ) -> Result<Take, Unavailable>;

    /// Counts an event of `key`, unless `limit` counted events lie in the `window` before `now`. Refused events are
    /// not counted, so a block ends one window after the oldest of them. A limit of 0 refuses always.
    async fn hit(
        &self,
        project: ProjectId,
        key: &str,
        limit: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Hit, Unavailable>;

    /// Forgets the events of `key`, as after a success.
    async fn clear(&self, project: ProjectId, key: &str) -> Result<(), Unavailable>;

    /// How many events of `key` lie in the `window` before `now`, without counting one.
    async fn count(&self, project: ProjectId, key: &str, window: Duration, now: Timestamp) -> Result<u32, Unavailable>;

    /// Forgets everything about a project that has ended.
    async fn forget_project(&self, project: ProjectId) -> Result<(), Unavailable>;
}

const DAY: f64 = 86_400_000_000.0;
/// Keeps every sum of instants exact in Lua's floating-point numbers.
const LONGEST: i64 = 1 << 51;

/// A token bucket as a rate (generic cell rate algorithm): its whole state is the instant at which it will be full
/// again, in microseconds of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Microseconds for one token.
    pub(crate) interval: i64,
    /// Microseconds to fill the empty bucket.
    pub(crate) depth: i64,
}

impl Rate {
    pub(crate) fn new(capacity: u32, refill_per_second: f64) -> Self {
        let interval = (1_000_000.0 / refill_per_second).round();
        let interval = if interval.is_nan() || interval < 0.0 { DAY } else { interval.clamp(1.0, DAY) };
        let interval = interval as i64;
        Self { interval, depth: interval.saturating_mul(i64::from(capacity)).min(LONGEST) }
    }

    /// Takes a token from a bucket that is full at `full_at`: when it is full after that, and by how much the token
    /// overdraws it (then nothing is taken; not positive: it is granted).
    pub(crate) fn step(self, full_at: Option<i64>, now: i64) -> (i64, i64) {
        let start = full_at.map_or(now, |at| at.max(now));
        let next = start + self.interval;
        (next, next - now - self.depth)
    }

    /// What an overdraft means.
    pub(crate) fn verdict(self, overdraft: i64) -> Take {
        if overdraft > 0 {
            return Take::Refused { retry_after: micros(overdraft) };
        }
        Take::Granted { remaining: u32::try_from(-overdraft / self.interval).unwrap_or(u32::MAX) }
    }
}

/// The instants of counted events, oldest first, in microseconds of Unix time.
#[derive(Debug, Default)]
pub(crate) struct Log(VecDeque<i64>);

impl Log {
    /// Counts an event: the number of events in the window, or else the negative wait in microseconds.
    pub(crate) fn step(&mut self, limit: u32, window: i64, now: i64) -> i64 {
        while self.0.front().is_some_and(|at| *at <= now - window) {
            self.0.pop_front();
        }
        let limit = limit as usize;
        if self.0.len() < limit {
            self.0.push_back(now);
            return i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        }
        let oldest = self.0.get(self.0.len() - limit).copied().unwrap_or(now);
        now - window - oldest
    }

    /// The counted events.
    pub(crate) fn events(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().copied()
    }

    /// When the last event leaves the window.
    pub(crate) fn ends_at(&self, window: i64) -> i64 {
        self.0.back().map_or(i64::MIN, |at| at + window)
    }
}

/// What the outcome of a sliding log means.
pub(crate) fn hit_verdict(outcome: i64) -> Hit {
    match u32::try_from(outcome) {
        Ok(count) if count > 0 => Hit::Counted { count },
        _ => Hit::Refused { retry_after: micros(-outcome) },
    }
}

/// A window in microseconds: at least one, and short enough for exact arithmetic.
pub(crate) fn window_micros(window: Duration) -> i64 {
    i64::try_from(window.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST)
}

fn micros(count: i64) -> Duration {
    Duration::from_micros(u64::try_from(count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_rate_is_clamped_to_what_arithmetic_can_carry() {
        let day = 86_400 * SECOND;
        for never in [0.0, -1.0, f64::NAN, f64::MIN_POSITIVE] {
            assert_eq!(Rate::new(2, never), Rate { interval: day, depth: 2 * day }, "{never}");
        }
        assert_eq!(Rate::new(5, f64::INFINITY), Rate { interval: 1, depth: 5 });
        assert_eq!(Rate::new(30, 0.5), Rate { interval: 2 * SECOND, depth: 60 * SECOND });
        assert_eq!(Rate::new(u32::MAX, 0.0).depth, LONGEST);
    }

    #[test]
    fn a_bucket_starts_full_and_refills_one_interval_at_a_time() {
        let rate = Rate::new(2, 1.0);
        let (full_at, overdraft) = rate.step(None, 0);
        assert_eq!(rate.verdict(overdraft), Take::Granted { remaining: 1 });
        let (full_at, overdraft) = rate.step(Some(full_at), 0);
        assert_eq!(rate.verdict(overdraft), Take::Granted { remaining: 0 });
        let (_, overdraft) = rate.step(Some(full_at), SECOND / 4);
        assert_eq!(rate.verdict(overdraft), Take::Refused { retry_after: Duration::from_millis(750) });
        let (_, overdraft) = rate.step(Some(full_at), SECOND);
        assert_eq!(rate.verdict(overdraft), Take::Granted { remaining: 0 });
    }

    #[test]
    fn a_long_idle_bucket_holds_no_more_than_its_capacity() {
        let rate = Rate::new(3, 1.0);
        let (full_at, _) = rate.step(None, 0);
        let (_, overdraft) = rate.step(Some(full_at), 1_000 * SECOND);
        assert_eq!(rate.verdict(overdraft), Take::Granted { remaining: 2 });
    }

    #[test]
    fn an_empty_capacity_refuses() {
        let rate = Rate::new(0, 1.0);
        let (_, overdraft) = rate.step(None, 0);
        assert_eq!(rate.verdict(overdraft), Take::Refused { retry_after: Duration::from_secs(1) });
    }

    #[test]
    fn a_log_refuses_until_the_oldest_event_leaves_the_window() {
        let mut log = Log::default();
        assert_eq!(log.step(2, 10, 100), 1);
        assert_eq!(log.step(2, 10, 104), 2);
        assert_eq!(log.step(2, 10, 105), -5);
        assert_eq!(log.step(2, 10, 109), -1);
        assert_eq!(log.step(2, 10, 110), 2, "the event at 100 is out, refused ones were not counted");
        assert_eq!(log.ends_at(10), 120);
    }

    #[test]
    fn a_lowered_limit_waits_for_the_events_that_exceed_it() {
        let mut log = Log::default();
        for at in [1, 2, 3] {
            assert!(log.step(3, 10, at) > 0);
        }
        assert_eq!(log.step(1, 10, 4), -9, "the newest of three must leave before one more is allowed");
    }

    #[test]
    fn outcomes_become_verdicts() {
        assert_eq!(hit_verdict(3), Hit::Counted { count: 3 });
        assert_eq!(hit_verdict(-1_500_000), Hit::Refused { retry_after: Duration::from_millis(1_500) });
        assert_eq!(Log::default().step(0, 10, 100), -10, "a limit of nothing blocks for a whole window");
    }

    #[test]
    fn windows_are_never_empty() {
        assert_eq!(window_micros(Duration::ZERO), 1);
        assert_eq!(window_micros(Duration::MAX), LONGEST);
        assert_eq!(window_micros(Duration::from_secs(1)), SECOND);
    }
}
