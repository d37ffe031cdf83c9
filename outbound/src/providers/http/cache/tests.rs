use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;

#[derive(Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.0.load(Ordering::SeqCst))
    }
}

/// A cache, the clock in its hands, and an issuer that counts how often it is asked.
struct Scene {
    clock: Arc<Hand>,
    cache: Arc<Cache<usize>>,
    asked: Arc<AtomicUsize>,
    away: Arc<std::sync::atomic::AtomicBool>,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::<Hand>::default();
        let cache = Cache::new(Arc::clone(&clock) as Arc<dyn Clock>);
        Self { clock, cache, asked: Arc::default(), away: Arc::default() }
    }

    fn at(&self, seconds: i64) {
        self.clock.0.store(seconds, Ordering::SeqCst);
    }

    fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    async fn get(&self, key: &str, renew: bool) -> Result<usize, Fault> {
        let (asked, away) = (Arc::clone(&self.asked), Arc::clone(&self.away));
        let found = self.cache.get(key, renew, || async move {
            let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
            if away.load(Ordering::SeqCst) { Err(Fault::outage(ProviderError::Unavailable)) } else { Ok(number) }
        });
        Ok(*found.await?)
    }
}

#[tokio::test]
async fn a_value_is_good_for_an_hour() {
    let scene = Scene::new();
    assert_eq!(scene.get("a", false).await, Ok(1));
    scene.at(3_599);
    assert_eq!(scene.get("a", false).await, Ok(1));
    scene.at(3_600);
    assert_eq!(scene.get("a", false).await, Ok(2));
    assert_eq!(scene.get("b", false).await, Ok(3));
}

#[tokio::test]
async fn a_stale_value_serves_while_the_issuer_is_away_but_not_for_ever() {
    let scene = Scene::new();
    assert_eq!(scene.get("a", false).await, Ok(1));
    scene.away(true);
    scene.at(4_000);
    assert_eq!(scene.get("a", false).await, Ok(1));
    assert_eq!(scene.asked.load(Ordering::SeqCst), 2);
    // The failure is remembered for a moment.
    assert_eq!(scene.get("a", false).await, Ok(1));
    assert_eq!(scene.asked.load(Ordering::SeqCst), 2);
    scene.at(24 * 3_600);
    assert_eq!(scene.get("a", false).await, Err(Fault::outage(ProviderError::Unavailable)));
}

#[tokio::test]
async fn a_failure_is_the_answer_for_ten_seconds_and_counts_once() {
    let scene = Scene::new();
    scene.away(true);
    assert_eq!(scene.get("a", false).await, Err(Fault::outage(ProviderError::Unavailable)));
    scene.away(false);
    scene.at(9);
    for renew in [false, true] {
        assert_eq!(scene.get("a", renew).await, Err(Fault::answer(ProviderError::Unavailable)));
    }
    scene.at(10);
    assert_eq!(scene.get("a", false).await, Ok(2));
}

#[tokio::test]
async fn the_first_renewal_comes_soon_and_later_ones_once_a_minute() {
    let scene = Scene::new();
    assert_eq!(scene.get("a", false).await, Ok(1));
    scene.at(4);
    assert_eq!(scene.get("a", true).await, Ok(1));
    scene.at(5);
    assert_eq!(scene.get("a", true).await, Ok(2));
    scene.at(64);
    assert_eq!(scene.get("a", true).await, Ok(2));
    scene.at(65);
    scene.away(true);
    assert_eq!(scene.get("a", true).await, Ok(2));
    assert_eq!(scene.asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_hundred_ask_and_one_fetches_even_if_the_first_leaves() {
    let cache: Arc<Cache<usize>> = Cache::new(Arc::<Hand>::default());
    let (asked, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let fetch = || {
        let (asked, gate) = (Arc::clone(&asked), Arc::clone(&gate));
        async move {
            asked.fetch_add(1, Ordering::SeqCst);
            drop(gate.acquire_owned().await);
            Ok(7)
        }
    };
    assert!(cache.get("a", false, fetch).now_or_never().is_none());
    let waiting = futures::future::join_all((0..100).map(|_| cache.get("a", false, fetch)));
    let release = async {
        tokio::task::yield_now().await;
        gate.close();
    };
    let (found, ()) = futures::future::join(waiting, release).await;
    assert!(found.into_iter().all(|found| found.is_ok_and(|value| *value == 7)));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn while_a_value_is_renewed_the_old_one_serves() {
    let scene = Scene::new();
    assert_eq!(scene.get("a", false).await, Ok(1));
    scene.at(3_600);
    let never = scene.cache.get("a", false, std::future::pending);
    assert!(never.now_or_never().is_none());
    assert_eq!(scene.get("a", false).await, Ok(1));
}

#[tokio::test]
async fn a_fetch_that_crashed_can_be_repeated() {
    let scene = Scene::new();
    let crashed = scene.cache.get("a", false, || async { panic!("crash") }).await;
    assert_eq!(crashed.unwrap_err(), Fault::answer(ProviderError::Unavailable));
    assert_eq!(scene.get("a", false).await, Ok(1));
}

#[tokio::test]
async fn the_entry_used_longest_ago_makes_room() {
    let scene = Scene::new();
    for number in 0..MOST {
        assert!(scene.get(&number.to_string(), false).await.is_ok());
    }
    assert_eq!(scene.get("0", false).await, Ok(1));
    assert!(scene.get("one more", false).await.is_ok());
    assert_eq!(scene.cache.slots().by_key.len(), MOST);
    assert_eq!(scene.get("0", false).await, Ok(1));
    assert_eq!(scene.get("1", false).await, Ok(MOST + 2));
}
