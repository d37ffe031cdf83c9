//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta};
use domain::time::{Clock, Timestamp};

/// A clock that stands still until it is moved.
pub struct MockClock(AtomicI64);

impl Default for MockClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_800_000_000_000_000))
    }
}

impl MockClock {
    /// Moves the clock on by `seconds`.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(TimeDelta::seconds(seconds).num_microseconds().unwrap(), Ordering::SeqCst);
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap())
    }
}
