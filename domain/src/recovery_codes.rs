//! `/factors/recovery-codes`: codes for the day the second factor is lost (`security/advisor.md` §1.9).

use uuid::Uuid;

use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::secret::Secret;

/// `GET /factors/recovery-codes`. Answers a [`Summary`].
#[derive(Clone, Debug)]
pub struct Get {
    /// The caller's token.
    pub bearer: Bearer,
}

/// `POST /factors/recovery-codes`. Answers a [`Generated`].
#[derive(Clone, Debug)]
pub struct Generate {
    /// The caller's token.
    pub bearer: Bearer,
}

/// `POST /factors/recovery-codes/regenerate`. Answers a [`Generated`].
#[derive(Clone, Debug)]
pub struct Regenerate {
    /// The caller's token.
    pub bearer: Bearer,
}

/// `DELETE /factors/recovery-codes`. Answers the id of what went.
#[derive(Clone, Debug)]
pub struct Delete {
    /// The caller's token.
    pub bearer: Bearer,
}

/// `POST /factors/recovery-codes/verify`. Answers an `IssuedSession`.
#[derive(Clone, Debug)]
pub struct Verify {
    /// The caller's token.
    pub bearer: Bearer,
    /// `code` of the body, empty when absent; what is wrong with the body is told after the bearer was let in.
    pub code: Result<Secret<String>, Refusal>,
}

/// What there is of a set of codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The set.
    pub id: Uuid,
    /// Codes it was made with.
    pub total: u32,
    /// Codes that were not used yet.
    pub remaining: u32,
}

/// A set that was just made. The codes are shown this once.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The set.
    pub summary: Summary,
    /// The codes.
    pub codes: Vec<Secret<String>>,
}
