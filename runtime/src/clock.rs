//! The system clock: the one place of the workspace that reads the time.

use domain::time::{Clock, Timestamp};

/// The time of the machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one real clock, handed down from here")]
    fn now(&self) -> Timestamp {
        Timestamp::new(std::time::SystemTime::now().into())
    }
}
