//! Sessions as facts, and whether one is still valid.

use chrono::TimeDelta;

use crate::ids::{FactorId, SessionId, UserId};
use crate::time::Timestamp;

/// Authenticator assurance level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aal {
    /// One factor.
    Aal1,
    /// Two factors.
    Aal2,
}

impl Aal {
    /// The level of a session whose authentication methods are `amr` (`contract/core.md` §8.2).
    pub fn of(amr: &[AmrEntry]) -> Self {
        let second = ["totp", "mfa/phone", "mfa/webauthn", "mfa/recovery_code"];
        if amr.iter().any(|entry| second.contains(&entry.method.as_str())) { Self::Aal2 } else { Self::Aal1 }
    }

    /// The claim value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
        }
    }

    /// Reads the stored value; anything but `aal2` is `aal1`.
    pub fn from_stored(text: Option<&str>) -> Self {
        if text == Some("aal2") { Self::Aal2 } else { Self::Aal1 }
    }
}

/// One authentication method of a session and when it was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmrEntry {
    /// `password`, `otp`, `totp`, ...
    pub method: String,
    /// When it was last used.
    pub at: Timestamp,
}

/// A row of `auth.sessions` with its authentication methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The `session_id` claim.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Anchor of the timebox.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
    /// When it was last refreshed; `None` before the first refresh.
    pub refreshed_at: Option<Timestamp>,
    /// A fixed end, from SAML.
    pub not_after: Option<Timestamp>,
    /// The stored level.
    pub aal: Aal,
    /// The factor that raised the level.
    pub factor_id: Option<FactorId>,
    /// The client that opened or last refreshed it.
    pub user_agent: Option<String>,
    /// The address that opened or last refreshed it.
    pub ip: Option<String>,
    /// Group for the one-session-per-user rule.
    pub tag: Option<String>,
    /// Last issued counter; `None` for sessions with stored refresh tokens.
    pub refresh_token_counter: Option<i64>,
    /// A key of its own, only in adopted rows.
    pub refresh_token_hmac_key: Option<String>,
    /// Authentication methods, newest first.
    pub amr: Vec<AmrEntry>,
}

impl Session {
    /// When the session was last refreshed, or else opened.
    pub fn last_refresh(&self) -> Timestamp {
        self.refreshed_at.unwrap_or(self.created_at)
    }
}

/// The limits a project puts on its sessions; `None` = no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SessionLimits {
    /// Longest life from the sign-in on.
    pub timebox: Option<TimeDelta>,
    /// Longest time between two refreshes.
    pub inactivity: Option<TimeDelta>,
    /// Longest life of a one-factor session of a user who has a second factor.
    pub low_aal: Option<TimeDelta>,
}

/// Why a session is no longer valid (`contract/core.md` §10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// Past its fixed end or its timebox.
    Expired,
    /// Not refreshed for too long.
    Inactive,
    /// The user has a second factor and did not use it in time.
    LowAal,
}

/// Whether `session` is over at `now`. `last_use` is the last refresh as the caller knows it
/// (a stored refresh token may be younger than the session's own mark).
pub fn session_end(
    session: &Session,
    last_use: Timestamp,
    user_best: Aal,
    limits: &SessionLimits,
    now: Timestamp,
) -> Option<SessionEnd> {
    let past = |from: Timestamp, life: Option<TimeDelta>| life.is_some_and(|life| now > from.plus(life));
    if session.not_after.is_some_and(|end| now > end) || past(session.created_at, limits.timebox) {
        return Some(SessionEnd::Expired);
    }
    if past(last_use, limits.inactivity) {
        return Some(SessionEnd::Inactive);
    }
    if session.aal < user_best && past(session.created_at, limits.low_aal) {
        return Some(SessionEnd::LowAal);
    }
    None
}
