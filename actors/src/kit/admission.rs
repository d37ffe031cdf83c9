//! Bounds: a permit rides in every piece of work and is home again when the work is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// All permits are out.
    Full,
    /// Nobody is let in any more.
    Closed,
}

/// The right to be in flight; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Permit {
    _permit: OwnedSemaphorePermit,
}

/// Lets in at most `size` at a time and never makes anybody wait.
pub(crate) struct Admission {
    permits: Arc<Semaphore>,
    size: u32,
    closing: AtomicBool,
}

impl Admission {
    /// Room for `size`.
    pub(crate) fn new(size: u32) -> Self {
        Self { permits: Arc::new(Semaphore::new(size as usize)), size, closing: AtomicBool::new(false) }
    }

    /// Enters, or is denied at once.
    pub(crate) fn enter(&self) -> Result<Permit, Denied> {
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => Ok(Permit { _permit: permit }),
            Err(TryAcquireError::NoPermits) => Err(Denied::Full),
            Err(TryAcquireError::Closed) => Err(Denied::Closed),
        }
    }

    /// How many more could enter.
    pub(crate) fn free(&self) -> usize {
        self.permits.available_permits()
    }

    /// How many are in.
    pub(crate) fn inside(&self) -> usize {
        (self.size as usize).saturating_sub(self.permits.available_permits())
    }

    /// Whether [`Self::close_and_wait`] has begun.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Closes if nobody is inside, in one step: whoever comes later is denied. Whether it did.
    pub(crate) fn close_if_empty(&self) -> bool {
        let Ok(all) = self.permits.try_acquire_many(self.size) else { return false };
        self.permits.close();
        all.forget();
        true
    }

    /// Denies newcomers and waits, at most for `limit`, until everybody inside has left. Whether they have.
    pub(crate) async fn close_and_wait(&self, limit: Duration) -> bool {
        self.closing.store(true, Ordering::Release);
        // A waiting `acquire_many` gets every permit that comes home before any newcomer does.
        let home = tokio::time::timeout(limit, self.permits.acquire_many(self.size)).await;
        let empty = matches!(home, Ok(Ok(_)));
        self.permits.close();
        empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_permit_is_followed_by_a_refusal_and_comes_back() {
        let admission = Admission::new(2);
        let first = admission.enter().unwrap();
        let _second = admission.enter().unwrap();
        assert_eq!(admission.enter().unwrap_err(), Denied::Full);
        assert_eq!(admission.inside(), 2);
        drop(first);
        assert!(admission.enter().is_ok());
    }

    #[test]
    fn it_closes_only_when_nobody_is_inside() {
        let admission = Admission::new(2);
        let inside = admission.enter().unwrap();
        assert!(!admission.close_if_empty());
        drop(inside);
        assert!(admission.close_if_empty());
        assert_eq!(admission.enter().unwrap_err(), Denied::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn closing_waits_for_those_inside_and_denies_newcomers_meanwhile() {
        let admission = Arc::new(Admission::new(2));
        let inside = admission.enter().unwrap();
        let closing = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.close_and_wait(Duration::from_secs(5)).await }
        });
        tokio::task::yield_now().await;
        assert!(admission.enter().is_err());
        drop(inside);
        assert!(closing.await.unwrap());
        assert_eq!(admission.enter().unwrap_err(), Denied::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn closing_gives_up_at_its_limit() {
        let admission = Admission::new(1);
        let _inside = admission.enter().unwrap();
        assert!(!admission.close_and_wait(Duration::from_secs(5)).await);
        assert_eq!(admission.enter().unwrap_err(), Denied::Closed);
    }
}
