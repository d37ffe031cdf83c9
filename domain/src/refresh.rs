//! `POST /token?grant_type=refresh_token` (`contract/core.md` §10.3 to §10.7). Answers an `IssuedSession`.

use chrono::TimeDelta;

use crate::access_token::best_aal;
use crate::config::Policy;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::session::{Session, SessionEnd, session_end};
use crate::time::Timestamp;
use crate::user::User;

/// A refresh as parsed from the body.
#[derive(Clone, Debug)]
pub struct Request {
    /// The presented token, empty when absent.
    pub refresh_token: Secret<String>,
}

/// Whether the account may have a new token at all (§10.3 step 3).
///
/// # Errors
/// Deleted, or banned.
pub fn check_account(user: &User, now: Timestamp) -> Result<(), Refusal> {
    if user.deleted_at.is_some() {
        return Err(Refusal::RefreshTokenNotFound);
    }
    if user.is_banned(now) {
        return Err(Refusal::RefreshUserBanned);
    }
    Ok(())
}

/// Whether the session has not come to its end (§10.4). `last_use` is its last refresh as the caller knows it.
///
/// # Errors
/// Past its fixed end or timebox, unused for too long, the second factor was due.
pub fn still_valid(
    session: &Session,
    last_use: Timestamp,
    user: &User,
    policy: &Policy,
    now: Timestamp,
) -> Result<(), Refusal> {
    match session_end(session, last_use, best_aal(user), &policy.session_limits, now) {
        None => Ok(()),
        Some(SessionEnd::Expired) => Err(Refusal::SessionExpired),
        Some(SessionEnd::Inactive) => Err(Refusal::SessionExpiredInactivity),
        Some(SessionEnd::LowAal) => Err(Refusal::SessionExpiredLowAal),
    }
}

/// The one-session-per-user rule (§10.5): of the user's valid sessions of the same group, only the one that was used
/// last refreshes.
///
/// # Errors
/// Another one was used later.
pub fn newest_login(
    session: &Session,
    others: &[Session],
    user: &User,
    policy: &Policy,
    now: Timestamp,
) -> Result<(), Refusal> {
    if !policy.sessions_single_per_user {
        return Ok(());
    }
    let group = group(session, &policy.sessions_tags);
    let newer = |other: &&Session| other.id != session.id && other.last_refresh() > session.last_refresh();
    let rival = |other: &Session| {
        self::group(other, &policy.sessions_tags) == group
            && still_valid(other, other.last_refresh(), user, policy, now).is_ok()
    };
    if others.iter().filter(newer).any(rival) { Err(Refusal::SessionExpiredNewerLogin) } else { Ok(()) }
}

/// The group of a session: its tag where the project knows it, else the project's first.
fn group<'a>(session: &'a Session, tags: &'a [String]) -> &'a str {
    let Some(first) = tags.first() else { return "" };
    session.tag.as_deref().filter(|tag| tags.iter().any(|known| known == tag)).unwrap_or(first)
}

/// Whether a counter was issued before the session's level rose. Order tells, not a clock: a proof may take a while, and
/// tokens that are given out meanwhile are older than the rise that follows.
fn precedes_rise(session: &Session, counter: i64) -> bool {
    session.raised_from.is_some_and(|first| counter < first)
}

/// The same for the row of a stored token. In a session whose tokens are counted, stored ones are left from before.
pub fn stored_precedes_rise(session: &Session, row: i64) -> bool {
    session.raised_from.is_some_and(|first| session.refresh_token_counter.is_some() || row < first)
}

/// When a second factor was last used in a session of which it is not known with which token its level rose: an adopted
/// one, raised by another server. There the clock must do, for tokens that were used already.
pub fn raised_at_by_clock(session: &Session) -> Option<Timestamp> {
    let methods = session.amr.iter().filter(|entry| entry.is_second_factor());
    methods.map(|entry| entry.at).max().filter(|_| session.raised_from.is_none())
}

/// What happens to a session-bound token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The newest token: issue its successor.
    Rotate {
        /// The successor's counter.
        next: i64,
    },
    /// An older token of a living session: issue the newest one again.
    Reissue {
        /// The session's counter, which stays.
        current: i64,
        /// Why, as the answer's header names it.
        causes: Vec<&'static str>,
    },
    /// Reuse out of turn: answer "already used" and end the session with all its tokens.
    EndFamily,
    /// Answer "already used"; the session lives.
    Refuse,
}

/// Judges a session-bound token by its counter (§10.7).
///
/// A level rises only for tokens issued after it rose: an older one is refused at any time, and is no theft either.
///
/// # Errors
/// A session without counter; a counter that was never issued.
pub fn decide(session: &Session, token: i64, policy: &Policy, now: Timestamp) -> Result<Verdict, Refusal> {
    let current = session.refresh_token_counter.ok_or(Refusal::RefreshTokenNotFound)?;
    let behind = current.saturating_sub(token);
    if behind < 0 {
        return Err(Refusal::RefreshTokenNotIssued);
    }
    if behind == 0 {
        let next = current.checked_add(1).ok_or(Refusal::RefreshTokenNotFound)?;
        return Ok(Verdict::Rotate { next });
    }
    if precedes_rise(session, token) {
        return Ok(Verdict::Refuse);
    }
    let last_use = session.last_refresh();
    let interval = TimeDelta::try_seconds(policy.refresh_token_reuse_interval).unwrap_or(TimeDelta::MAX);
    let concurrent = now.since(last_use).abs() < interval;
    let lost_answer = behind == 1;
    // Who raised it moved the counter on by two, so that a token from before never passes for a lost answer.
    if let (Some(raised), false) = (raised_at_by_clock(session), lost_answer) {
        // Where nothing was refreshed since, the token's owner is merely late.
        if concurrent || raised >= last_use {
            return Ok(Verdict::Refuse);
        }
    }
    let mut causes = Vec::new();
    causes.extend(concurrent.then_some("concurrent-refresh"));
    causes.extend(lost_answer.then_some("fail-to-save"));
    if !causes.is_empty() {
        return Ok(Verdict::Reissue { current, causes });
    }
    Ok(if policy.refresh_token_rotation_enabled { Verdict::EndFamily } else { Verdict::Refuse })
}

/// A stored token and what stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredFacts {
    /// Whether it was used, or its family ended.
    pub revoked: bool,
    /// When that happened: the row's last change.
    pub revoked_at: Timestamp,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// It was issued before the session's level rose (`stored_precedes_rise`).
    pub precedes_rise: bool,
    /// When the session's level rose last, where nothing better tells (`raised_at_by_clock`).
    pub raised_at: Option<Timestamp>,
    /// It is the predecessor of the session's active token.
    pub is_parent_of_active: bool,
    /// The session has a token that was not used yet.
    pub family_has_active: bool,
}

/// What happens to a stored token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredVerdict {
    /// Mark it used and issue its successor.
    Rotate,
    /// Issue the session's active token again.
    ReturnActive,
    /// Reuse out of turn: answer "already used" and mark every token of the session used.
    EndFamily,
    /// Answer "already used"; the family stays as it is.
    Refuse,
}

/// Judges a stored token (§10.6). All that is issued for one generation is one successor: a token that is used again in
/// time gets the active one. Once a family has ended it has no active token, and none of its tokens opens it again.
///
/// A level rises only for tokens issued after it rose: an older one is refused at any time, used or not, and is no theft.
pub fn decide_stored(token: &StoredFacts, policy: &Policy, now: Timestamp) -> StoredVerdict {
    if token.precedes_rise {
        return StoredVerdict::Refuse;
    }
    if !token.revoked {
        return StoredVerdict::Rotate;
    }
    if !token.family_has_active {
        return StoredVerdict::Refuse;
    }
    if token.raised_at.is_some_and(|raised| token.issued_at < raised) {
        return StoredVerdict::Refuse;
    }
    if token.is_parent_of_active || now <= token.revoked_at.plus_seconds(policy.refresh_token_reuse_interval) {
        return StoredVerdict::ReturnActive;
    }
    if policy.refresh_token_rotation_enabled { StoredVerdict::EndFamily } else { StoredVerdict::Refuse }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::fixtures::{amr_entry, at, factor, policy, session, user};
    use crate::ids::SessionId;

    /// A session at counter 5, last refreshed at 100; the project's reuse interval is 10 seconds.
    fn at_five() -> Session {
        Session { refresh_token_counter: Some(5), refreshed_at: Some(at(100)), ..session() }
    }

    fn judged(token: i64, seconds: i64) -> Verdict {
        decide(&at_five(), token, &policy(), at(seconds)).unwrap()
    }

    #[test]
    fn the_newest_token_rotates() {
        assert_eq!(judged(5, 100_000), Verdict::Rotate { next: 6 });
    }

    #[test]
    fn the_token_before_it_gets_the_newest_again_at_any_time() {
        assert_eq!(judged(4, 100_000), Verdict::Reissue { current: 5, causes: vec!["fail-to-save"] });
        let both = vec!["concurrent-refresh", "fail-to-save"];
        assert_eq!(judged(4, 109), Verdict::Reissue { current: 5, causes: both });
    }

    #[test]
    fn an_older_token_is_reissued_only_within_the_interval() {
        assert_eq!(judged(3, 109), Verdict::Reissue { current: 5, causes: vec!["concurrent-refresh"] });
        assert_eq!(judged(3, 110), Verdict::EndFamily);
        assert_eq!(judged(0, 100_000), Verdict::EndFamily);
    }

    #[test]
    fn without_rotation_reuse_is_refused_and_the_session_lives() {
        let policy = Policy { refresh_token_rotation_enabled: false, ..policy() };
        assert_eq!(decide(&at_five(), 3, &policy, at(110)), Ok(Verdict::Refuse));
    }

    #[test]
    fn an_interval_of_zero_knows_no_parallel_refresh() {
        let policy = Policy { refresh_token_reuse_interval: 0, ..policy() };
        assert_eq!(decide(&at_five(), 3, &policy, at(100)), Ok(Verdict::EndFamily));
        assert!(matches!(decide(&at_five(), 4, &policy, at(100)), Ok(Verdict::Reissue { .. })));
    }

    #[test]
    fn counters_that_were_never_issued_are_told_apart() {
        assert_eq!(decide(&at_five(), 6, &policy(), at(100)), Err(Refusal::RefreshTokenNotIssued));
        let stored = Session { refresh_token_counter: None, ..session() };
        assert_eq!(decide(&stored, 0, &policy(), at(100)), Err(Refusal::RefreshTokenNotFound));
        assert!(decide(&at_five(), i64::MIN, &policy(), at(100_000)).is_ok());
        let last = Session { refresh_token_counter: Some(i64::MAX), ..session() };
        assert_eq!(decide(&last, i64::MAX, &policy(), at(0)), Err(Refusal::RefreshTokenNotFound));
    }

    #[test]
    fn a_token_from_before_the_rise_is_refused_at_any_time() {
        // 3 was the newest when the level rose, by a proof that was asked for at 90, and the counter moved to 5.
        let mut raised = Session { raised_from: Some(5), ..at_five() };
        raised.amr.push(amr_entry("totp", 90));
        for interval in [0, 10, i64::MAX] {
            let policy = Policy { refresh_token_reuse_interval: interval, ..policy() };
            for current in [5, 6, 7, 100] {
                let session = Session { refresh_token_counter: Some(current), ..raised.clone() };
                for (token, seconds) in (0..5).flat_map(|token| [90, 100, 101, 109, 100_000].map(|at| (token, at))) {
                    let verdict = decide(&session, token, &policy, at(seconds));
                    assert_eq!(verdict, Ok(Verdict::Refuse), "{interval} {current} {token} {seconds}");
                }
            }
        }
    }

    #[test]
    fn tokens_since_the_rise_know_parallel_refreshes_lost_answers_and_theft() {
        let mut raised = Session { raised_from: Some(5), refresh_token_counter: Some(7), ..at_five() };
        raised.amr.push(amr_entry("totp", 90));
        let judged = |token: i64, seconds: i64| decide(&raised, token, &policy(), at(seconds)).unwrap();
        assert_eq!(judged(7, 100), Verdict::Rotate { next: 8 });
        assert_eq!(judged(6, 100_000), Verdict::Reissue { current: 7, causes: vec!["fail-to-save"] });
        assert_eq!(judged(5, 109), Verdict::Reissue { current: 7, causes: vec!["concurrent-refresh"] });
        assert_eq!(judged(5, 110), Verdict::EndFamily);
        let zero = Policy { refresh_token_reuse_interval: 0, ..policy() };
        assert_eq!(decide(&raised, 5, &zero, at(100)), Ok(Verdict::EndFamily));
    }

    #[test]
    fn where_another_server_raised_the_session_the_clock_tells() {
        let mut raised = at_five(); // 3 was the newest when the factor was verified at 100 and moved the counter to 5
        raised.amr.push(amr_entry("totp", 100));
        assert_eq!(raised_at_by_clock(&raised), Some(at(100)));
        assert_eq!(raised_at_by_clock(&Session { raised_from: Some(5), ..raised.clone() }), None);
        assert_eq!(decide(&raised, 3, &policy(), at(101)), Ok(Verdict::Refuse));
        assert_eq!(decide(&raised, 3, &policy(), at(100_000)), Ok(Verdict::Refuse));
        raised.refresh_token_counter = Some(6); // refreshed once since
        raised.refreshed_at = Some(at(200));
        assert_eq!(decide(&raised, 3, &policy(), at(201)), Ok(Verdict::Refuse));
        assert_eq!(decide(&raised, 3, &policy(), at(100_000)), Ok(Verdict::EndFamily));
        assert!(matches!(decide(&raised, 5, &policy(), at(100_000)), Ok(Verdict::Reissue { .. })));
    }

    fn used() -> StoredFacts {
        StoredFacts {
            revoked: true,
            revoked_at: at(100),
            issued_at: at(50),
            precedes_rise: false,
            raised_at: None,
            is_parent_of_active: false,
            family_has_active: true,
        }
    }

    fn judged_stored(facts: StoredFacts, seconds: i64) -> StoredVerdict {
        decide_stored(&facts, &policy(), at(seconds))
    }

    #[test]
    fn an_unused_stored_token_rotates() {
        assert_eq!(judged_stored(StoredFacts { revoked: false, ..used() }, 100_000), StoredVerdict::Rotate);
    }

    #[test]
    fn the_parent_of_the_active_token_gets_it_again_at_any_time() {
        let parent = StoredFacts { is_parent_of_active: true, ..used() };
        assert_eq!(judged_stored(parent, 100_000), StoredVerdict::ReturnActive);
    }

    #[test]
    fn an_older_stored_token_gets_the_active_one_within_the_interval_only() {
        assert_eq!(judged_stored(used(), 110), StoredVerdict::ReturnActive);
        assert_eq!(judged_stored(used(), 111), StoredVerdict::EndFamily);
        let policy = Policy { refresh_token_rotation_enabled: false, ..policy() };
        assert_eq!(decide_stored(&used(), &policy, at(111)), StoredVerdict::Refuse);
    }

    #[test]
    fn a_family_that_ended_stays_ended_within_the_interval_too() {
        let ended = StoredFacts { family_has_active: false, is_parent_of_active: false, ..used() };
        assert_eq!(judged_stored(ended, 100), StoredVerdict::Refuse);
        assert_eq!(judged_stored(ended, 100_000), StoredVerdict::Refuse);
    }

    #[test]
    fn a_stored_token_from_before_the_rise_is_refused_at_any_time() {
        for (revoked, is_parent_of_active, family_has_active) in
            [(true, true, true), (true, false, true), (false, false, true), (true, false, false)]
        {
            let before = StoredFacts { precedes_rise: true, revoked, is_parent_of_active, family_has_active, ..used() };
            for seconds in [50, 100, 105, 100_000] {
                assert_eq!(judged_stored(before, seconds), StoredVerdict::Refuse, "{before:?} {seconds}");
            }
        }
    }

    #[test]
    fn the_order_of_rows_tells_what_came_before_the_rise() {
        let stored = Session { refresh_token_counter: None, raised_from: Some(20), ..session() };
        for (row, precedes) in [(0, true), (19, true), (20, false), (21, false)] {
            assert_eq!(stored_precedes_rise(&stored, row), precedes, "{row}");
        }
        // Beside a counter, stored tokens are left from before it.
        assert!(stored_precedes_rise(&Session { raised_from: Some(2), ..session() }, 1000));
        // Never raised, or by another server.
        assert!(!stored_precedes_rise(&Session { raised_from: None, ..stored }, 0));
    }

    #[test]
    fn where_another_server_raised_the_family_the_clock_tells() {
        let before = StoredFacts { raised_at: Some(at(60)), is_parent_of_active: true, ..used() };
        assert_eq!(judged_stored(before, 100), StoredVerdict::Refuse);
        let after = StoredFacts { raised_at: Some(at(50)), is_parent_of_active: true, ..used() };
        assert_eq!(judged_stored(after, 100), StoredVerdict::ReturnActive);
    }

    #[test]
    fn ends_of_a_session_have_their_own_words() {
        let mut policy = policy();
        let user = user();
        let valid = |policy: &Policy, user: &User| still_valid(&session(), at(0), user, policy, at(100));
        assert_eq!(valid(&policy, &user), Ok(()));
        policy.session_limits.inactivity = Some(TimeDelta::seconds(99));
        assert_eq!(valid(&policy, &user), Err(Refusal::SessionExpiredInactivity));
        policy.session_limits.timebox = Some(TimeDelta::seconds(99));
        assert_eq!(valid(&policy, &user), Err(Refusal::SessionExpired));
        policy.session_limits =
            crate::session::SessionLimits { low_aal: Some(TimeDelta::seconds(99)), ..Default::default() };
        assert_eq!(valid(&policy, &user), Ok(()));
        let enrolled = User { factors: vec![factor(true)], ..user };
        assert_eq!(valid(&policy, &enrolled), Err(Refusal::SessionExpiredLowAal));
    }

    #[test]
    fn only_the_session_used_last_refreshes_where_the_project_says_so() {
        let mut policy = Policy { sessions_single_per_user: true, ..policy() };
        let mine = session();
        let other = Session { id: SessionId(Uuid::from_u128(7)), created_at: at(10), ..session() };
        let judged = |mine: &Session, other: &Session, policy: &Policy| {
            newest_login(mine, &[mine.clone(), other.clone()], &user(), policy, at(100))
        };
        assert_eq!(judged(&mine, &other, &policy), Err(Refusal::SessionExpiredNewerLogin));
        assert_eq!(judged(&other, &mine, &policy), Ok(()));
        // Sessions of another group do not count; an unknown tag counts as the first.
        policy.sessions_tags = vec!["web".to_owned(), "mobile".to_owned()];
        let mobile = Session { tag: Some("mobile".to_owned()), ..other.clone() };
        assert_eq!(judged(&mine, &mobile, &policy), Ok(()));
        let unknown = Session { tag: Some("tv".to_owned()), ..other.clone() };
        assert_eq!(judged(&mine, &unknown, &policy), Err(Refusal::SessionExpiredNewerLogin));
        // Neither do sessions that are over.
        let over = Session { not_after: Some(at(50)), ..other.clone() };
        assert_eq!(judged(&mine, &over, &policy), Ok(()));
        policy.sessions_single_per_user = false;
        assert_eq!(judged(&mine, &other, &policy), Ok(()));
    }
}
