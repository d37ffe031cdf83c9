//! Operations that are asked again while they have nothing to tell (long polls). Who waits is not in flight: between two
//! questions no place is taken, neither in the process nor in the project, and no connection is held.

use std::time::Duration;

use domain::ids::ProjectRef;
use domain::refusal::Refusal;
use domain::request::Caller;
use tokio::time::Instant;

use crate::error::AskError;
use crate::handle::RuntimeHandle;
use crate::limits::RETRY_SOON;
use crate::operation::Operation;

/// How an operation is asked again.
pub struct Poll<O: Operation> {
    /// For how long.
    pub patience: Duration,
    /// What to ask next, after an answer that is not worth giving yet.
    pub next: Next<O>,
}

/// The next question after an answer; `None` = the answer is given.
pub type Next<O> = Box<dyn Fn(&<O as Operation>::Answer) -> Option<O> + Send + Sync>;

impl RuntimeHandle {
    /// Asks until there is an answer worth giving or the patience is over: whenever sessions of the project have ended, as far as
    /// the bus tells, and from time to time without a hint.
    pub(crate) async fn ask_until<O: Operation>(
        &self,
        project: &ProjectRef,
        caller: Caller,
        deadline: Instant,
        first: O,
        poll: Poll<O>,
    ) -> Result<O::Answer, AskError> {
        let until = deadline.min(Instant::now() + poll.patience);
        let mut leaving = self.shared.leaving.subscribe();
        let mut said = None;
        let mut operation = first;
        loop {
            let entry = self.find(project, deadline).await?;
            let mut ended = std::pin::pin!(entry.sessions_ended());
            // Before the question: what ends after it is not slept through.
            ended.as_mut().enable();
            let mut pause = self.shared.limits.ends_poll;
            let answer = match (self.ask_once(project, caller.clone(), deadline, operation).await, said.take()) {
                (Ok(answer), _) => answer,
                // Who waits already gives way to who works.
                (Err(AskError::Overloaded { retry_after } | AskError::Limited { retry_after }), Some(earlier)) => {
                    pause = pause.min(retry_after);
                    earlier
                }
                (Err(AskError::Refused(Refusal::QuotaBusy(_) | Refusal::QuotaReached(_))), Some(earlier)) => {
                    pause = pause.min(RETRY_SOON);
                    earlier
                }
                (Err(error), _) => return Err(error),
            };
            let Some(next) = (poll.next)(&answer) else { return Ok(answer) };
            tokio::select! {
                () = ended => {}
                () = tokio::time::sleep_until(until.min(Instant::now() + pause)) => {}
                _ = leaving.wait_for(|leaving| *leaving) => return Ok(answer),
            }
            if Instant::now() >= until {
                return Ok(answer);
            }
            operation = next;
            said = Some(answer);
        }
    }
}
