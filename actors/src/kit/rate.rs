//! A token bucket without a timer (the generic cell rate algorithm).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Rate;

/// Lets through `rate.burst` at once and `rate.per_second` in the long run; the rate may change between two requests.
pub(crate) struct Bucket {
    born: Instant,
    /// When the bucket will be full again, in nanoseconds since `born`.
    full_at: AtomicU64,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(now: Instant) -> Self {
        Self { born: now, full_at: AtomicU64::new(0) }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// Says how long to wait when there is none.
    pub(crate) fn take(&self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let per_request = 1_000_000_000 / u64::from(rate.per_second.max(1));
        let depth = per_request * u64::from(rate.burst.max(1));
        let since = u64::try_from(now.duration_since(self.born).as_nanos()).unwrap_or(u64::MAX);
        let taken = self.full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_at| {
            let next = full_at.max(since) + per_request;
            (next - since <= depth).then_some(next)
        });
        match taken {
            Ok(_) => Ok(()),
            Err(full_at) => Err(Duration::from_nanos(full_at + per_request - since - depth)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let (bucket, rate) = (Bucket::new(start), Rate { per_second: 10, burst: 3 });
        for _ in 0..3 {
            assert!(bucket.take(rate, start).is_ok());
        }
        assert_eq!(bucket.take(rate, start), Err(Duration::from_millis(100)));
        assert!(bucket.take(rate, start + Duration::from_millis(100)).is_ok());
        assert!(bucket.take(rate, start + Duration::from_millis(150)).is_err());
        let faster = Rate { per_second: 100, burst: 200 };
        assert!(bucket.take(faster, start + Duration::from_millis(150)).is_ok(), "a new rate holds at once");
    }
}
