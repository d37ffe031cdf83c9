//! What can go wrong in a flow.

use std::error::Error as StdError;

use domain::quota::Quota;
use domain::refusal::{HookRefusal, PasskeyRefusal, ProviderRefusal, Refusal};
use storage::StoreError;

/// The source of a fault: for the log, never for a client.
pub type Source = Box<dyn StdError + Send + Sync>;

/// Why a flow has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An expected outcome of the contract.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// Worth another try later: the database is away or overloaded. Nothing was changed.
    #[error("temporarily unavailable")]
    Busy(#[source] Source),
    /// A commit was sent and its answer lost: what is remembered about the entity must be read again.
    #[error("outcome unknown")]
    Unknown(#[source] Source),
    /// A defect, ours or the data's.
    #[error("fault")]
    Fault(#[source] Source),
}

impl Error {
    /// A fault with `source` as its cause.
    pub fn fault(source: impl Into<Source>) -> Self {
        Self::Fault(source.into())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

macro_rules! refused {
    ($($table:ty),+) => {
        $(impl From<$table> for Error {
            fn from(refusal: $table) -> Self {
                Self::Refused(refusal.into())
            }
        })+
    };
}

refused!(HookRefusal, PasskeyRefusal, ProviderRefusal);

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy(_) if error.is_share_used_up() => Self::Refused(Refusal::QuotaBusy(Quota::Database)),
            StoreError::Busy(_) => Self::Busy(error.into()),
            StoreError::Unknown(_) => Self::Unknown(error.into()),
            StoreError::Conflict | StoreError::Fault(_) => Self::Fault(error.into()),
        }
    }
}

/// The result of a flow.
pub type Result<T> = std::result::Result<T, Error>;
