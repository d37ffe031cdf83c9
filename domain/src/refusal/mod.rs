//! Everything a project may refuse: one closed table of error code, status and message (`contract/core.md` §2.3).
//! A refusal is an expected outcome and a value; a fault (a database that is away, a bug) is not in this table.

/// One table: the enum of its rows, and what a client is told for each.
macro_rules! refusals {
    (
        $(#[$about:meta])*
        $table:ident:
        $(
            $(#[$doc:meta])*
            $name:ident $( ( $($arg:ident : $ty:ty),+ ) )? => $status:expr, $code:literal $message:expr;
        )+
        $( + $other:ident($rows:ty); )*
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $table {
            $( $(#[$doc])* #[doc = concat!("`", stringify!($status), "` `", $code, "`")] $name $( ( $($ty),+ ) )?, )+
            $( #[doc = "A row of the table beside this one."] $other($rows), )*
        }

        impl $table {
            /// What the client is told.
            pub fn wire(&self) -> Wire {
                match self {
                    $( Self::$name $( ( $($arg),+ ) )? => Wire { status: $status, code: $code, message: Cow::from($message) }, )+
                    $( Self::$other(row) => row.wire(), )*
                }
            }
        }

        $( impl From<$rows> for $table {
            fn from(row: $rows) -> Self {
                Self::$other(row)
            }
        } )*
    };
}

mod hooks;
mod parts;
mod passkeys;
mod providers;
mod table;

pub use hooks::HookRefusal;
pub use parts::{DatabaseError, WeakPassword, WeakReason, Wire};
pub use passkeys::PasskeyRefusal;
pub use providers::ProviderRefusal;
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
            // As long as nobody asks a provider that failed too often.
            Self::Provider(ProviderRefusal::Unavailable(_)) => Some(30),
            Self::ProjectHeld | Self::QuotaBusy(_) | Self::QuotaReached(_) => Some(1),
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
