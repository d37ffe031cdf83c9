//! Why an operator's request has no answer.

use domain::refusal::Refusal;
use storage::StoreError;

/// What the Management API tells apart.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such project, key or version.
    #[error("not found")]
    NotFound,
    /// The request cannot be carried out as it is; the text is for the operator and holds no secret.
    #[error("{0}")]
    Invalid(String),
    /// Somebody else changed the same thing; to be read again and repeated.
    #[error("{0}")]
    Conflict(String),
    /// Worth another try later: a database is away or has its hands full.
    #[error("temporarily unavailable")]
    Busy(#[source] crate::Source),
    /// A defect.
    #[error("fault")]
    Fault(#[source] crate::Source),
}

impl Error {
    /// A fault with `source` as its cause.
    pub(super) fn fault(source: impl Into<crate::Source>) -> Self {
        Self::Fault(source.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy(_) | StoreError::Unknown(_) => Self::Busy(error.into()),
            StoreError::Conflict => Self::Conflict("changed by somebody else meanwhile".to_owned()),
            StoreError::Fault(_) => Self::Fault(error.into()),
        }
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        match error {
            crate::Error::Busy(source) | crate::Error::Unknown(source) => Self::Busy(source),
            crate::Error::Refused(Refusal::QuotaBusy(_)) => Self::Busy(error.into()),
            other => Self::Fault(other.into()),
        }
    }
}

/// The result of an operator's request.
pub type Result<T> = std::result::Result<T, Error>;
