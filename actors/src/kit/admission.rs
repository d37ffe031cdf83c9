//! Bounds: a permit rides in every piece of work and is home again when the work is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Set when nobody is let in any more.
const CLOSED: u64 = 1 << 63;

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
pub(crate) struct Permit(Arc<Inside>);

/// Who is in.
#[derive(Debug, Default)]
struct Inside {
    /// How many, and whether it is closed.
    state: AtomicU64,
    emptied: Notify,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.0.state.fetch_sub(1, Ordering::SeqCst) & !CLOSED == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}

/// Lets in at most so many at a time and never makes anybody wait.
pub(crate) struct Admission {
    inside: Arc<Inside>,
    size: u32,
}

impl Admission {
    /// Room for `size`.
    pub(crate) fn new(size: u32) -> Self {
        Self { inside: Arc::default(), size }
    }

    /// Enters, or is denied at once.
    pub(crate) fn enter(&self) -> Result<Permit, Denied> {
        self.enter_within(self.size)
    }

    /// The same where there is room for `size` just now.
    pub(crate) fn enter_within(&self, size: u32) -> Result<Permit, Denied> {
        let room = |state: u64| (state < u64::from(size)).then(|| state + 1);
        match self.inside.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, room) {
            Ok(_) => Ok(Permit(Arc::clone(&self.inside))),
            Err(state) if state & CLOSED != 0 => Err(Denied::Closed),
            Err(_) => Err(Denied::Full),
        }
    }

    /// How many more could enter.
    pub(crate) fn free(&self) -> usize {
        (self.size as usize).saturating_sub(self.inside())
    }

    /// How many are in.
    pub(crate) fn inside(&self) -> usize {
        usize::try_from(self.inside.state.load(Ordering::SeqCst) & !CLOSED).unwrap_or(usize::MAX)
    }

    /// Whether nobody is let in any more.
    pub(crate) fn is_closing(&self) -> bool {
        self.inside.state.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// Closes if nobody is inside, in one step: whoever comes later is denied. Whether it did.
    pub(crate) fn close_if_empty(&self) -> bool {
        self.inside.state.compare_exchange(0, CLOSED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Denies newcomers and waits, at most for `limit`, until everybody inside has left. Whether they have.
    pub(crate) async fn close_and_wait(&self, limit: Duration) -> bool {
        self.inside.state.fetch_or(CLOSED, Ordering::SeqCst);
        self.emptied(limit).await
    }

    /// Waits, at most for `limit`, for a moment in which nobody is inside. Whether there was one.
    pub(crate) async fn emptied(&self, limit: Duration) -> bool {
        let emptied = async {
            loop {
                let mut left = std::pin::pin!(self.inside.emptied.notified());
                // Before the look: who leaves after it is not slept through.
                left.as_mut().enable();
                if self.inside() == 0 {
                    return;
                }
                left.await;
            }
        };
        tokio::time::timeout(limit, emptied).await.is_ok()
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
        assert_eq!((admission.inside(), admission.free()), (2, 0));
        drop(first);
        assert!(admission.enter().is_ok());
    }

    #[test]
    fn room_can_grow_and_shrink_while_somebody_is_inside() {
        let admission = Admission::new(1);
        let _first = admission.enter().unwrap();
        let second = admission.enter_within(2).unwrap();
        assert_eq!(admission.enter_within(2).unwrap_err(), Denied::Full);
        drop(second);
        assert_eq!(admission.enter_within(1).unwrap_err(), Denied::Full);
    }

    #[test]
    fn it_closes_only_when_nobody_is_inside() {
        let admission = Admission::new(2);
        let inside = admission.enter().unwrap();
        assert!(!admission.close_if_empty());
        drop(inside);
        assert!(admission.close_if_empty());
        assert_eq!(admission.enter().unwrap_err(), Denied::Closed);
        assert!(admission.is_closing());
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

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_last_one_to_leave_keeps_nobody_out() {
        let admission = Arc::new(Admission::new(2));
        let inside = admission.enter().unwrap();
        let waiting = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.emptied(Duration::from_secs(5)).await }
        });
        tokio::task::yield_now().await;
        drop(admission.enter().unwrap());
        assert!(!waiting.is_finished());
        drop(inside);
        assert!(waiting.await.unwrap());
        assert!(admission.enter().is_ok());
    }
}
