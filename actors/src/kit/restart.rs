//! How often something may crash, and how long to wait before it starts again.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The rule: fewer than `intensity` crashes within `window`, each followed by a longer pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restart {
    /// This many crashes within the window are too many.
    pub(crate) intensity: usize,
    /// How long a crash counts.
    pub(crate) window: Duration,
    /// The pause after the first crash; doubles with each further one.
    pub(crate) first_pause: Duration,
    /// The longest pause.
    pub(crate) longest_pause: Duration,
}

/// What to do after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Start again after this pause.
    Again(Duration),
    /// Too many crashes.
    GiveUp,
}

/// The recent crashes of one thing.
#[derive(Debug, Default)]
pub(crate) struct Crashes(VecDeque<Instant>);

impl Crashes {
    /// Notes a crash at `now` and says what to do.
    pub(crate) fn record(&mut self, rule: &Restart, now: Instant) -> Verdict {
        self.forget_old(rule, now);
        self.0.push_back(now);
        if self.0.len() >= rule.intensity {
            return Verdict::GiveUp;
        }
        Verdict::Again(pause(rule, self.0.len() - 1))
    }

    /// Whether no crash counts any more.
    pub(crate) fn is_clean(&mut self, rule: &Restart, now: Instant) -> bool {
        self.forget_old(rule, now);
        self.0.is_empty()
    }

    fn forget_old(&mut self, rule: &Restart, now: Instant) {
        while self.0.front().is_some_and(|at| now.duration_since(*at) > rule.window) {
            self.0.pop_front();
        }
    }
}

/// The pause after `before` earlier failures.
fn pause(rule: &Restart, before: usize) -> Duration {
    let doublings = u32::try_from(before.min(20)).unwrap_or(20);
    rule.first_pause.saturating_mul(1 << doublings).min(rule.longest_pause)
}

impl Restart {
    /// The pause after `failures` failures in a row.
    pub(crate) fn pause_after(&self, failures: usize) -> Duration {
        pause(self, failures.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Restart = Restart {
        intensity: 3,
        window: Duration::from_secs(60),
        first_pause: Duration::from_millis(100),
        longest_pause: Duration::from_millis(150),
    };

    #[test]
    fn pauses_grow_to_their_limit_and_then_it_gives_up() {
        let start = Instant::now();
        let mut crashes = Crashes::default();
        assert_eq!(crashes.record(&RULE, start), Verdict::Again(Duration::from_millis(100)));
        assert_eq!(crashes.record(&RULE, start), Verdict::Again(Duration::from_millis(150)));
        assert_eq!(crashes.record(&RULE, start), Verdict::GiveUp);
    }

    #[test]
    fn old_crashes_are_forgotten() {
        let start = Instant::now();
        let mut crashes = Crashes::default();
        for minute in 0..5 {
            let at = start + Duration::from_secs(61 * minute);
            assert_eq!(crashes.record(&RULE, at), Verdict::Again(Duration::from_millis(100)));
        }
        assert!(crashes.is_clean(&RULE, start + Duration::from_secs(1000)));
    }
}
