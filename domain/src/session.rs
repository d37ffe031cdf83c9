//! Sessions as facts, and whether one is still valid.

use chrono::TimeDelta;

use crate::factor::{FactorType, PASSKEY, RECOVERY_CODE};
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

impl AmrEntry {
    /// Whether it stands for a second factor.
    pub fn is_second_factor(&self) -> bool {
        let kinds = [FactorType::Totp, FactorType::Phone, FactorType::WebAuthn];
        self.method == RECOVERY_CODE || kinds.into_iter().any(|kind| self.method == kind.method())
    }
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
    /// The first of its refresh tokens that was issued when its level rose last or after that: a counter, or the row of a
    /// stored token. `None` before the first rise, and in rows that another server raised.
    pub raised_from: Option<i64>,
    /// A key of its own, only in adopted rows.
    pub refresh_token_hmac_key: Option<String>,
    /// Authentication methods, newest first.
    pub amr: Vec<AmrEntry>,
}

impl Session {
    /// The level its methods give it (`contract/core.md` §8.2). A passkey gives the level that was stored when it opened the
    /// session (`passkey_assurance_level`).
    pub fn level(&self) -> Aal {
        let by_passkey = self.aal == Aal::Aal2 && self.amr.iter().any(|entry| entry.method == PASSKEY);
        let raised = by_passkey || self.amr.iter().any(AmrEntry::is_second_factor);
        if raised { Aal::Aal2 } else { Aal::Aal1 }
    }

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

/// [`session_end`] turned round, for statements that look for the sessions that are not over: what a row must say to be one of
/// them. `None` = no such limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Live {
    /// Its fixed end, where it has one, is not before this.
    pub not_after_from: Timestamp,
    /// It was opened not before this.
    pub created_from: Option<Timestamp>,
    /// It was last used not before this.
    pub used_from: Option<Timestamp>,
    /// It was opened not before this, or is raised.
    pub low_created_from: Option<Timestamp>,
}

impl Live {
    /// Sessions of a user who can reach `user_best` that are not over at `now`.
    pub fn at(now: Timestamp, user_best: Aal, limits: &SessionLimits) -> Self {
        // A limit that reaches back behind the epoch limits nothing, and databases know no such instants.
        let from = |life: Option<TimeDelta>| life.map(|life| now.plus(-life)).filter(|from| from.unix() > 0);
        Self {
            not_after_from: now,
            created_from: from(limits.timebox),
            used_from: from(limits.inactivity),
            low_created_from: from(limits.low_aal.filter(|_| user_best > Aal::Aal1)),
        }
    }

    /// Whether `session` is one of them.
    pub fn contains(&self, session: &Session) -> bool {
        let since = |at: Timestamp, from: Option<Timestamp>| from.is_none_or(|from| at >= from);
        session.not_after.is_none_or(|end| end >= self.not_after_from)
            && since(session.created_at, self.created_from)
            && since(session.last_refresh(), self.used_from)
            && (session.aal > Aal::Aal1 || since(session.created_at, self.low_created_from))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::session;

    #[test]
    fn what_statements_look_for_is_what_has_not_ended() {
        let seconds = |seconds| TimeDelta::try_seconds(seconds);
        let limits = [
            SessionLimits::default(),
            SessionLimits { timebox: seconds(100), ..SessionLimits::default() },
            SessionLimits { inactivity: seconds(40), ..SessionLimits::default() },
            SessionLimits { low_aal: seconds(60), ..SessionLimits::default() },
        ];
        let opened = session().created_at;
        let mut sessions = vec![session()];
        sessions.push(Session { refreshed_at: Some(opened.plus_seconds(50)), ..session() });
        sessions.push(Session { not_after: Some(opened.plus_seconds(90)), ..session() });
        sessions.push(Session { aal: Aal::Aal2, ..session() });
        for limits in limits {
            for best in [Aal::Aal1, Aal::Aal2] {
                for later in [0, 39, 40, 41, 59, 60, 61, 89, 90, 91, 99, 100, 101] {
                    let now = opened.plus_seconds(later);
                    for session in &sessions {
                        let over = session_end(session, session.last_refresh(), best, &limits, now).is_some();
                        let live = Live::at(now, best, &limits).contains(session);
                        assert_eq!(live, !over, "{limits:?} {best:?} {later} {session:?}");
                    }
                }
            }
        }
    }
}
