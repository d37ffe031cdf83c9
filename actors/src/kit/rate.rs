//! A token bucket without a timer (the generic cell rate algorithm).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Rate;

/// Lets through `rate.burst` at once and `rate.per_second` in the long run.
pub(crate) struct Bucket {
    born: Instant,
    /// When the bucket will be full again, in nanoseconds since `born`.
    full_at: AtomicU64,
    per_request: u64,
    depth: u64,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        let per_request = 1_000_000_000 / u64::from(rate.per_second.max(1));
        Self { born: now, full_at: AtomicU64::new(0), per_request, depth: per_request * u64::from(rate.burst.max(1)) }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// Says how long to wait when there is none.
    pub(crate) fn take(&self, now: Instant) -> Result<(), Duration> {
        let since = u64::try_from(now.duration_since(self.born).as_nanos()).unwrap_or(u64::MAX);
        let taken = self.full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_at| {
            let next = full_at.max(since) + self.per_request;
            (next - since <= self.depth).then_some(next)
        });
        match taken {
            Ok(_) => Ok(()),
            Err(full_at) => Err(Duration::from_nanos(full_at + self.per_request - since - self.depth)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let bucket = Bucket::new(Rate { per_second: 10, burst: 3 }, start);
        for _ in 0..3 {
            assert!(bucket.take(start).is_ok());
        }
        assert_eq!(bucket.take(start), Err(Duration::from_millis(100)));
        assert!(bucket.take(start + Duration::from_millis(100)).is_ok());
        assert!(bucket.take(start + Duration::from_millis(150)).is_err());
    }
}
