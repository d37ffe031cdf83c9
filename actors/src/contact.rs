//! How long this gateway serves by what it knows without having reached the control store. Who changes where a project's rows are waits
//! for every gateway that has given a sign of life lately; one that has given none for longer must not write any more by what it knew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Until when this gateway is waited for, as far as it knows.
pub(crate) struct Contact {
    lasts: Duration,
    /// `None` = it has never said that it lives: it begins with what it reads now.
    until: Mutex<Option<Instant>>,
}

impl Contact {
    /// A contact that lasts so long after a sign of life.
    pub(crate) fn new(lasts: Duration) -> Self {
        Self { lasts, until: Mutex::default() }
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it lasts after a sign of life.
    pub(crate) fn lasts(&self) -> Duration {
        self.lasts
    }

    /// Whether projects may have changed without anybody having waited for this gateway.
    pub(crate) fn is_lost(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() >= until)
    }

    /// A sign of life was given that was begun then. One that comes too late does not bring the contact back.
    pub(crate) fn keep(&self, began: Instant) {
        let mut until = self.until();
        if until.is_none_or(|until| Instant::now() < until) {
            *until = Some(began + self.lasts);
        }
    }

    /// Everything has been read again since a sign of life that was begun then.
    pub(crate) fn restore(&self, began: Instant) {
        *self.until() = Some(began + self.lasts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(25);

    #[tokio::test(start_paused = true)]
    async fn a_sign_of_life_that_comes_too_late_does_not_bring_it_back() {
        let contact = Contact::new(LASTS);
        tokio::time::advance(2 * LASTS).await;
        assert!(!contact.is_lost(), "nothing is known yet that could be old");
        let first = Instant::now();
        contact.keep(first);
        tokio::time::advance(LASTS / 2).await;
        let second = Instant::now();
        contact.keep(second);
        tokio::time::advance(LASTS / 2).await;
        assert!(!contact.is_lost());
        tokio::time::advance(LASTS / 2).await;
        assert!(contact.is_lost());
        contact.keep(Instant::now());
        assert!(contact.is_lost());
        contact.restore(Instant::now());
        assert!(!contact.is_lost());
    }
}
