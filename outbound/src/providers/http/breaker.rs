//! A provider that is out of service is left alone for a while, by each project for itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use domain::ids::ProjectId;
use domain::time::{Clock, Timestamp};

/// Failures in a row after which a provider is not asked any more.
const MOST_FAILURES: u32 = 5;
/// For how long; then one attempt may try.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// Providers with failures that are remembered.
const MOST_BROKEN: usize = 10_000;

type Key = (ProjectId, String);

/// Counts the failures of each provider of each project.
pub(super) struct Breakers {
    clock: Arc<dyn Clock>,
    broken: Mutex<HashMap<Key, Broken>>,
}

/// A provider whose last answer was none.
#[derive(Clone, Copy)]
struct Broken {
    failures: u32,
    /// Nobody tries before.
    until: Timestamp,
    last: Timestamp,
}

/// Leave to ask a provider. Dropped without a word it says nothing about the provider.
pub(super) struct Passage<'a> {
    breakers: &'a Breakers,
    key: Key,
    /// This is the one attempt after a pause.
    decides: bool,
}

impl Breakers {
    /// Nothing has failed yet.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, broken: Mutex::default() }
    }

    /// Whether the provider is being left alone.
    pub(super) fn is_open(&self, project: ProjectId, provider: &str) -> bool {
        let now = self.clock.now();
        self.broken().get(&(project, provider.to_owned())).is_some_and(|broken| broken.is_open(now))
    }

    /// Leave to ask the provider, unless it is being left alone. After the pause one attempt gets leave; the next one gets it when
    /// that one has succeeded, or after another pause.
    pub(super) fn enter(&self, project: ProjectId, provider: &str) -> Option<Passage<'_>> {
        let (now, key) = (self.clock.now(), (project, provider.to_owned()));
        let mut decides = false;
        if let Some(broken) = self.broken().get_mut(&key) {
            if broken.is_open(now) {
                return None;
            }
            decides = broken.failures >= MOST_FAILURES;
            if decides {
                broken.until = now.plus(PAUSE);
            }
        }
        Some(Passage { breakers: self, key, decides })
    }

    fn broken(&self) -> MutexGuard<'_, HashMap<Key, Broken>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broken {
    fn is_open(&self, now: Timestamp) -> bool {
        self.failures >= MOST_FAILURES && now < self.until
    }
}

impl Passage<'_> {
    /// The provider has answered.
    pub(super) fn answered(self) {
        self.breakers.broken().remove(&self.key);
    }

    /// Nothing was learnt: somebody else may be the one that decides.
    pub(super) fn unspent(self) {
        let now = self.breakers.clock.now();
        if self.decides
            && let Some(broken) = self.breakers.broken().get_mut(&self.key)
        {
            broken.until = now;
        }
    }

    /// The provider was out of service.
    pub(super) fn failed(self) {
        let now = self.breakers.clock.now();
        let mut all = self.breakers.broken();
        if all.len() >= MOST_BROKEN && !all.contains_key(&self.key) {
            let oldest = all.iter().min_by_key(|(_, broken)| broken.last).map(|(key, _)| key.clone());
            oldest.map(|key| all.remove(&key));
        }
        let broken = all.entry(self.key).or_insert(Broken { failures: 0, until: now, last: now });
        broken.failures = broken.failures.saturating_add(1);
        broken.last = now;
        if broken.failures >= MOST_FAILURES {
            broken.until = now.plus(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use uuid::Uuid;

    use super::*;

    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix(self.0.load(Ordering::SeqCst))
        }
    }

    fn project(number: u128) -> ProjectId {
        ProjectId::from(Uuid::from_u128(number))
    }

    fn broken(clock: &Arc<Hand>) -> Breakers {
        let breakers = Breakers::new(Arc::clone(clock) as Arc<dyn Clock>);
        for _ in 0..MOST_FAILURES {
            breakers.enter(project(1), "gitlab").unwrap().failed();
        }
        breakers
    }

    #[test]
    fn five_failures_in_a_row_open_it_for_one_provider_of_one_project() {
        let breakers = broken(&Arc::default());
        assert!(breakers.is_open(project(1), "gitlab") && breakers.enter(project(1), "gitlab").is_none());
        assert!(breakers.enter(project(1), "github").is_some() && breakers.enter(project(2), "gitlab").is_some());
    }

    #[test]
    fn an_answer_in_between_starts_the_count_anew() {
        let breakers = Breakers::new(Arc::<Hand>::default());
        for _ in 0..3 {
            for _ in 0..MOST_FAILURES - 1 {
                breakers.enter(project(1), "gitlab").unwrap().failed();
            }
            breakers.enter(project(1), "gitlab").unwrap().answered();
        }
        assert!(!breakers.is_open(project(1), "gitlab"));
    }

    #[test]
    fn after_the_pause_one_attempt_decides() {
        let clock = Arc::<Hand>::default();
        let breakers = broken(&clock);
        clock.0.store(29, Ordering::SeqCst);
        assert!(breakers.enter(project(1), "gitlab").is_none());
        clock.0.store(30, Ordering::SeqCst);
        let trial = breakers.enter(project(1), "gitlab").unwrap();
        assert!(breakers.enter(project(1), "gitlab").is_none());
        trial.failed();
        assert!(breakers.enter(project(1), "gitlab").is_none());

        clock.0.store(60, Ordering::SeqCst);
        breakers.enter(project(1), "gitlab").unwrap().answered();
        assert!(breakers.enter(project(1), "gitlab").is_some() && !breakers.is_open(project(1), "gitlab"));
    }

    #[test]
    fn an_attempt_that_teaches_nothing_leaves_the_decision_to_the_next() {
        let clock = Arc::<Hand>::default();
        let breakers = broken(&clock);
        clock.0.store(30, Ordering::SeqCst);
        breakers.enter(project(1), "gitlab").unwrap().unspent();
        let trial = breakers.enter(project(1), "gitlab").unwrap();
        assert!(breakers.enter(project(1), "gitlab").is_none());
        trial.failed();
        assert!(breakers.is_open(project(1), "gitlab"));
    }

    #[test]
    fn a_trial_that_nobody_waited_for_is_repeated_after_a_pause() {
        let clock = Arc::<Hand>::default();
        let breakers = broken(&clock);
        clock.0.store(30, Ordering::SeqCst);
        drop(breakers.enter(project(1), "gitlab").unwrap());
        assert!(breakers.enter(project(1), "gitlab").is_none());
        clock.0.store(60, Ordering::SeqCst);
        assert!(breakers.enter(project(1), "gitlab").is_some());
    }
}
