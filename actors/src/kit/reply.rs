//! Waiting for a reply.

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It was accepted, and whoever had it died: the outcome is unknown.
    Crashed,
    /// The deadline passed.
    Late,
}

/// The reply, if it comes before `deadline`.
pub(crate) async fn answer_by<T>(deadline: Instant, reply: oneshot::Receiver<T>) -> Result<T, Lost> {
    match timeout_at(deadline, reply).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Lost::Crashed),
        Err(_) => Err(Lost::Late),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_dropped_reply_is_a_crash_and_a_missing_one_is_late() {
        let deadline = Instant::now() + Duration::from_secs(1);
        let (reply, answer) = oneshot::channel();
        reply.send(7).unwrap();
        assert_eq!(answer_by(deadline, answer).await, Ok(7));

        let (reply, answer) = oneshot::channel::<u8>();
        drop(reply);
        assert_eq!(answer_by(deadline, answer).await, Err(Lost::Crashed));

        let (_reply, answer) = oneshot::channel::<u8>();
        assert_eq!(answer_by(deadline, answer).await, Err(Lost::Late));
    }
}
