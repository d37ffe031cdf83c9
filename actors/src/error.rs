//! Why an ask has no answer.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use domain::quota::Quota;
use domain::refusal::Refusal;

use crate::hashing::HashingRefused;
use crate::limits::RETRY_SOON;

/// The cause of a failure: for the log, never for a client.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why an ask has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// An expected outcome of the contract.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// There is no such project.
    #[error("no such project")]
    UnknownProject,
    /// The gateway or the project has its hands full; nothing was done (503).
    #[error("overloaded")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// The project's own rate is used up; nothing was done (429).
    #[error("rate limit reached")]
    Limited {
        /// When to come back.
        retry_after: Duration,
    },
    /// Something it needs is away (503).
    #[error("temporarily unavailable")]
    Unavailable {
        /// When to come back.
        retry_after: Duration,
        /// What is away.
        #[source]
        source: Cause,
    },
    /// The actor or task that had the request died with it: the outcome is unknown (500).
    #[error("crashed while at work")]
    Crashed,
    /// The deadline passed (504).
    #[error("deadline passed")]
    Timeout,
    /// A defect, ours or the data's (500).
    #[error("fault")]
    Fault(#[source] Cause),
}

impl AskError {
    /// No room right now.
    pub(crate) fn overloaded() -> Self {
        Self::Overloaded { retry_after: RETRY_SOON }
    }

    /// Away for `retry_after`, because of `reason`.
    pub(crate) fn away(retry_after: Duration, reason: &'static str) -> Self {
        Self::Unavailable { retry_after, source: Box::<dyn Error + Send + Sync>::from(reason).into() }
    }
}

impl From<flows::Error> for AskError {
    fn from(error: flows::Error) -> Self {
        match error {
            flows::Error::Refused(refusal) => Self::Refused(refusal),
            flows::Error::Busy(source) => match source.downcast_ref::<HashingRefused>() {
                Some(HashingRefused::Full) => Self::Refused(Refusal::QuotaBusy(Quota::Hashing)),
                Some(HashingRefused::Late) => Self::Timeout,
                None => Self::Unavailable { retry_after: RETRY_SOON, source: source.into() },
            },
            flows::Error::Unknown(source) => Self::Unavailable { retry_after: RETRY_SOON, source: source.into() },
            flows::Error::Fault(source) => Self::Fault(source.into()),
        }
    }
}
