//! `POST /admin/introspect` (RFC 7662).

use crate::access_token::best_aal;
use crate::config::Policy;
use crate::request::Bearer;
use crate::secret::Secret;
use crate::session::{Session, session_end};
use crate::time::Timestamp;
use crate::user::{Metadata, User};

/// Whether a token is good now is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The admin's token.
    pub bearer: Bearer,
    /// The token in question.
    pub token: Secret<String>,
}

/// The claims of a token that is good now; `None` for every other text.
pub type Answer = Option<Metadata>;

/// Whether the session of a token, where it has one, is within the project's limits: bearers are let in without that
/// (`contract/core.md` §8.4), but who asks whether a token is good asks for the whole of it.
pub fn is_within_limits(user: &User, session: Option<&Session>, policy: &Policy, now: Timestamp) -> bool {
    let end =
        |session: &Session| session_end(session, session.last_refresh(), best_aal(user), &policy.session_limits, now);
    session.is_none_or(|session| end(session).is_none())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::fixtures::{at, policy, session, user};
    use crate::session::SessionLimits;

    #[test]
    fn a_session_past_its_end_makes_its_tokens_inactive() {
        let limits = SessionLimits { timebox: TimeDelta::try_seconds(60), ..SessionLimits::default() };
        let policy = Policy { session_limits: limits, ..policy() };
        let opened = session().created_at;
        let within = |seconds| is_within_limits(&user(), Some(&session()), &policy, opened.plus_seconds(seconds));
        assert!(within(60) && !within(61));
        assert!(is_within_limits(&user(), None, &policy, at(1_000_000)));
    }
}
