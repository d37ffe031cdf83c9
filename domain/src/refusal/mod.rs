//! Everything a project may refuse: one closed table of error code, status and message (`contract/core.md` §2.3).
//! A refusal is an expected outcome and a value; a fault (a database that is away, a bug) is not in this table.

mod parts;
mod table;

pub use parts::{DatabaseError, WeakPassword, WeakReason, Wire};
pub use table::Refusal;

use crate::time::Timestamp;

impl Refusal {
    /// The seconds a client is asked to wait by a header; the contract's own limits do not say.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::OverAttemptLimit(wait)
            | Self::OverEmailAttemptLimit(wait)
            | Self::OverSmsAttemptLimit(wait)
            | Self::RecoveryCodesLocked(wait) => Some(*wait),
            _ => None,
        }
    }

    /// The cool-down refusal at `now` for a message that went out at `sent_at`, if it stands (`contract/core.md` §3.3).
    pub fn email_cool_down(sent_at: Option<Timestamp>, every_seconds: i64, now: Timestamp) -> Option<Self> {
        let left = sent_at?.plus_seconds(every_seconds).since(now);
        (left > chrono::TimeDelta::zero()).then(|| Self::EmailCoolDown(left.num_seconds()))
    }

    /// The same for an SMS.
    pub fn sms_cool_down(sent_at: Option<Timestamp>, every_seconds: i64, now: Timestamp) -> Option<Self> {
        match Self::email_cool_down(sent_at, every_seconds, now)? {
            Self::EmailCoolDown(seconds) => Some(Self::SmsCoolDown(seconds)),
            other => Some(other),
        }
    }
}
