//! A breaker: who is away is not asked by everybody, again and again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which it opens.
const FAILURES: u32 = 3;
/// How long it stays open the first time; twice as long after each trial that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest it stays open without a trial.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Counts failures to reach somebody.
#[derive(Default)]
pub(crate) struct Breaker {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// When somebody was last reached.
    reached: Option<Instant>,
    open: Option<Open>,
}

struct Open {
    until: Instant,
    pause: Duration,
    /// Whether somebody tries.
    trial: bool,
}

/// Whether one may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// As everybody.
    Through,
    /// As the one who tries for all.
    Trial,
    /// Not before this long.
    Refused(Duration),
}

impl Breaker {
    /// Asks for a pass at `now`. A trial must be followed by [`Self::succeeded`], [`Self::failed`] or [`Self::abandoned`].
    pub(crate) fn pass(&self, now: Instant) -> Pass {
        let mut state = self.lock();
        let Some(open) = &mut state.open else { return Pass::Through };
        if open.trial || now < open.until {
            return Pass::Refused(open.until.saturating_duration_since(now));
        }
        open.trial = true;
        Pass::Trial
    }

    /// Somebody was reached.
    pub(crate) fn succeeded(&self, now: Instant) {
        *self.lock() = State { failures: 0, reached: Some(now), open: None };
    }

    /// An attempt that began at `began` failed at `now`. Whether the breaker opened by it. An attempt during which others succeeded only
    /// met a crowd.
    pub(crate) fn failed(&self, began: Instant, now: Instant) -> bool {
        let mut state = self.lock();
        let crowded = state.reached.is_some_and(|reached| reached >= began);
        match &mut state.open {
            Some(open) if open.trial && began >= open.until => {
                let pause = (open.pause * 2).min(LONGEST_PAUSE);
                *open = Open { until: now + pause, pause, trial: false };
                false
            }
            // Begun before the trial: nothing new.
            Some(_) => false,
            None if crowded => false,
            None => {
                state.failures = state.failures.saturating_add(1);
                if state.failures >= FAILURES {
                    state.open = Some(Open { until: now + FIRST_PAUSE, pause: FIRST_PAUSE, trial: false });
                }
                state.open.is_some()
            }
        }
    }

    /// A trial that came to nothing for another reason: somebody else may try.
    pub(crate) fn abandoned(&self) {
        if let Some(open) = &mut self.lock().open {
            open.trial = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        assert!(!breaker.failed(now, now));
        assert!(!breaker.failed(now, now));
        assert_eq!(breaker.pass(now), Pass::Through);
        assert!(breaker.failed(now, now));
        breaker
    }

    #[tokio::test]
    async fn three_failures_in_a_row_open_it_for_a_second() {
        let now = Instant::now();
        let breaker = opened(now);
        assert_eq!(breaker.pass(now), Pass::Refused(SECOND));
        assert_eq!(breaker.pass(now + SECOND / 2), Pass::Refused(SECOND / 2));
        assert_eq!(breaker.pass(now + SECOND), Pass::Trial);
    }

    #[tokio::test]
    async fn one_tries_and_the_others_wait_for_what_he_finds() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + 2 * SECOND;
        assert_eq!(breaker.pass(later), Pass::Trial);
        assert_eq!(breaker.pass(later), Pass::Refused(Duration::ZERO));
        breaker.succeeded(later);
        assert_eq!(breaker.pass(later), Pass::Through);
        assert!(!breaker.failed(later + SECOND, later + SECOND), "counting begins anew");
    }

    #[tokio::test]
    async fn each_trial_that_fails_doubles_the_pause_up_to_half_a_minute() {
        let mut now = Instant::now();
        let breaker = opened(now);
        let mut pauses = Vec::new();
        now += SECOND;
        for _ in 0..7 {
            assert_eq!(breaker.pass(now), Pass::Trial);
            breaker.failed(now, now);
            let Pass::Refused(pause) = breaker.pass(now) else { panic!("not open") };
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
    }

    #[tokio::test]
    async fn what_failed_while_others_succeeded_does_not_count() {
        let began = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..10 {
            breaker.succeeded(began + SECOND);
            assert!(!breaker.failed(began, began + 2 * SECOND));
        }
        assert_eq!(breaker.pass(began + 2 * SECOND), Pass::Through);
    }

    #[tokio::test]
    async fn a_trial_without_outcome_leaves_it_to_the_next() {
        let now = Instant::now();
        let breaker = opened(now);
        assert_eq!(breaker.pass(now + SECOND), Pass::Trial);
        breaker.abandoned();
        assert_eq!(breaker.pass(now + SECOND), Pass::Trial);
    }

    #[tokio::test]
    async fn what_was_begun_before_it_opened_changes_nothing() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(!breaker.failed(now, now + SECOND));
        assert_eq!(breaker.pass(now + SECOND), Pass::Trial);
        assert!(!breaker.failed(now, now + SECOND), "nor does it end the trial");
        assert_eq!(breaker.pass(now + 2 * SECOND), Pass::Refused(Duration::ZERO));
    }
}
