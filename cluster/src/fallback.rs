//! Counters that go on in the process while the shared ones are away: a limit for each gateway instead of none.

use std::time::Duration;

use async_trait::async_trait;
use domain::ids::ProjectId;
use domain::time::Timestamp;

use crate::Unavailable;
use crate::counters::{Counters, Hit, Take};
use crate::in_process::LocalCounters;

/// Asks the shared counters first, always. What they did not answer is counted here and never told them; it is forgotten with
/// its window or its bucket, so that a second outage within it goes on where the first one ended.
pub(crate) struct Fallback<C> {
    shared: C,
    own: LocalCounters,
}

impl<C> Fallback<C> {
    pub(crate) fn of(shared: C) -> Self {
        Self { shared, own: LocalCounters::default() }
    }
}

#[async_trait]
impl<C: Counters> Counters for Fallback<C> {
    async fn take(
        &self,
        project: ProjectId,
        bucket: &str,
        capacity: u32,
        refill_per_second: f64,
        now: Timestamp,
    ) -> Result<Take, Unavailable> {
        match self.shared.take(project, bucket, capacity, refill_per_second, now).await {
            Err(error) => {
                log(&error);
                self.own.take(project, bucket, capacity, refill_per_second, now).await
            }
            taken => taken,
        }
    }

    async fn hit(
        &self,
        project: ProjectId,
        key: &str,
        limit: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Hit, Unavailable> {
        match self.shared.hit(project, key, limit, window, now).await {
            Err(error) => {
                log(&error);
                self.own.hit(project, key, limit, window, now).await
            }
            hit => hit,
        }
    }

    async fn clear(&self, project: ProjectId, key: &str) -> Result<(), Unavailable> {
        if let Err(error) = self.shared.clear(project, key).await {
            log(&error);
        }
        self.own.clear(project, key).await
    }

    async fn count(&self, project: ProjectId, key: &str, window: Duration, now: Timestamp) -> Result<u32, Unavailable> {
        match self.shared.count(project, key, window, now).await {
            Err(error) => {
                log(&error);
                self.own.count(project, key, window, now).await
            }
            counted => counted,
        }
    }

    /// Fails where the shared counters are away: nobody else would forget there.
    async fn forget_project(&self, project: ProjectId) -> Result<(), Unavailable> {
        self.shared.forget_project(project).await?;
        self.own.forget_project(project).await
    }
}

fn log(error: &Unavailable) {
    tracing::debug!(%error, "counted in the process");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use uuid::Uuid;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    /// Shared counters that can be away.
    #[derive(Default)]
    struct Shared {
        away: AtomicBool,
        counters: LocalCounters,
    }

    impl Shared {
        fn ask(&self) -> Result<&LocalCounters, Unavailable> {
            if self.away.load(Ordering::Relaxed) { Err(Unavailable::new("away")) } else { Ok(&self.counters) }
        }

        fn go(&self, away: bool) {
            self.away.store(away, Ordering::Relaxed);
        }
    }

    #[async_trait]
    impl Counters for Arc<Shared> {
        async fn take(&self, p: ProjectId, b: &str, c: u32, r: f64, now: Timestamp) -> Result<Take, Unavailable> {
            self.ask()?.take(p, b, c, r, now).await
        }

        async fn hit(&self, p: ProjectId, k: &str, l: u32, w: Duration, now: Timestamp) -> Result<Hit, Unavailable> {
            self.ask()?.hit(p, k, l, w, now).await
        }

        async fn clear(&self, p: ProjectId, k: &str) -> Result<(), Unavailable> {
            self.ask()?.clear(p, k).await
        }

        async fn count(&self, p: ProjectId, k: &str, w: Duration, now: Timestamp) -> Result<u32, Unavailable> {
            self.ask()?.count(p, k, w, now).await
        }

        async fn forget_project(&self, p: ProjectId) -> Result<(), Unavailable> {
            self.ask()?.forget_project(p).await
        }
    }

    fn gateway() -> (Arc<Shared>, Fallback<Arc<Shared>>, ProjectId) {
        let shared = Arc::new(Shared::default());
        (Arc::clone(&shared), Fallback::of(shared), ProjectId(Uuid::from_u128(1)))
    }

    #[tokio::test]
    async fn each_gateway_limits_while_the_shared_counters_are_away() {
        let (shared, one, project) = gateway();
        let other = Fallback::of(Arc::clone(&shared));
        shared.go(true);
        for gateway in [&one, &other] {
            for granted in [true, true, false, false] {
                let now = Timestamp::from_unix(0);
                assert_eq!(gateway.hit(project, "key", 2, WINDOW, now).await.unwrap().counted(), granted);
                assert_eq!(gateway.take(project, "key", 2, 0.1, now).await.unwrap().granted(), granted);
            }
        }
    }

    #[tokio::test]
    async fn shared_counters_that_are_back_count_alone() {
        let (shared, gateway, project) = gateway();
        let hit = async |second| gateway.hit(project, "key", 2, WINDOW, Timestamp::from_unix(second)).await.unwrap();
        assert_eq!(hit(0).await, Hit::Counted { count: 1 });
        shared.go(true);
        assert_eq!(hit(1).await, Hit::Counted { count: 1 });
        assert_eq!(hit(2).await, Hit::Counted { count: 2 });
        shared.go(false);
        assert_eq!(hit(3).await, Hit::Counted { count: 2 }, "what was counted meanwhile is not told them");
        shared.go(true);
        assert!(!hit(4).await.counted(), "nor is it forgotten within its window");
        assert_eq!(hit(61).await, Hit::Counted { count: 2 }, "the event of the first second is");
    }

    #[tokio::test]
    async fn a_clear_forgets_on_both_sides() {
        let (shared, gateway, project) = gateway();
        let now = Timestamp::from_unix(0);
        let counted = async || gateway.hit(project, "key", 1, WINDOW, now).await.unwrap().counted();
        for away in [false, true] {
            shared.go(away);
            assert!(counted().await);
            assert!(!counted().await);
        }
        shared.go(false);
        gateway.clear(project, "key").await.unwrap();
        for away in [false, true] {
            shared.go(away);
            assert!(counted().await);
        }
        gateway.clear(project, "key").await.unwrap();
        assert!(counted().await, "one that the shared counters missed holds here");
        shared.go(false);
        assert!(!counted().await);
    }
}
