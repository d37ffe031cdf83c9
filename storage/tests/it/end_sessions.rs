use domain::ids::{SessionId, UserId};
use storage::{EndSessions, EndedSessions, UserChanges, Which};

use crate::fixture::{Fixture, t};

on_both! {
    each_scope_ends_what_it_says
    an_unknown_user_or_session_ends_nothing
    a_banned_user_ends_nothing
    another_users_session_is_out_of_reach
}

fn end(f: &Fixture, user: UserId, bearer: Option<SessionId>, which: Which) -> EndSessions {
    EndSessions { user, bearer_session: bearer, which, audit: Some(f.audit("logout")), now: t(10) }
}

fn sorted(mut ended: EndedSessions) -> EndedSessions {
    ended.ended.sort();
    ended
}

fn done(mut ended: Vec<SessionId>) -> EndedSessions {
    ended.sort();
    EndedSessions { user_exists: true, banned: false, session_exists: true, ended }
}

async fn each_scope_ends_what_it_says(f: Fixture) {
    let store = f.tenant();
    let (user, first) = f.signed_in(&store, "ada@example.com").await;
    let second = f.open(&store, user, t(2)).await;
    let third = f.open(&store, user, t(3)).await;
    let fourth = f.open(&store, user, t(4)).await;
    f.signed_in(&store, "bob@example.com").await;

    let before = store.database().statements();
    let one = store.end_sessions(end(&f, user, Some(first), Which::One(second))).await.unwrap();
    if f.is_postgres() {
        assert_eq!(store.database().statements() - before, 1);
    }
    assert_eq!(one, done(vec![second]));
    let again = store.end_sessions(end(&f, user, Some(first), Which::One(second))).await.unwrap();
    assert_eq!(again, done(vec![]));
    assert_eq!(f.count("auth.audit_log_entries").await, 1, "what ended nothing is no sign-out");
    let others = store.end_sessions(end(&f, user, Some(first), Which::Others(first))).await.unwrap();
    assert_eq!(sorted(others), done(vec![third, fourth]));
    let all = store.end_sessions(end(&f, user, None, Which::All)).await.unwrap();
    assert_eq!(all, done(vec![first]));
    assert_eq!(f.count("auth.sessions").await, 1);
    assert_eq!(f.count("auth.audit_log_entries").await, 3);
    let nobody_else = store.end_sessions(end(&f, user, None, Which::Others(first))).await.unwrap();
    assert_eq!(nobody_else, done(vec![]));
    assert_eq!(f.count("auth.audit_log_entries").await, 4, "signing out all others is one, though there are none");
}

async fn an_unknown_user_or_session_ends_nothing(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let nobody = f.new_user("").id;
    let seen = store.end_sessions(end(&f, nobody, Some(session), Which::All)).await.unwrap();
    assert_eq!((seen.user_exists, seen.session_exists, seen.ended.len()), (false, false, 0));
    let gone = f.new_session(user).id;
    let seen = store.end_sessions(end(&f, user, Some(gone), Which::All)).await.unwrap();
    assert_eq!(seen, EndedSessions { session_exists: false, ..done(vec![]) });
    assert_eq!(f.count("auth.sessions").await, 1);
    assert_eq!(f.count("auth.audit_log_entries").await, 0);
}

async fn a_banned_user_ends_nothing(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    let ban = UserChanges { banned_until: Some(Some(t(11))), ..UserChanges::default() };
    tx.users().update(user, ban, t(2)).await.unwrap();
    tx.commit().await.unwrap();
    let seen = store.end_sessions(end(&f, user, Some(session), Which::All)).await.unwrap();
    assert_eq!(seen, EndedSessions { banned: true, ..done(vec![]) });
    let later = EndSessions { now: t(11), ..end(&f, user, Some(session), Which::All) };
    assert_eq!(store.end_sessions(later).await.unwrap(), done(vec![session]));
}

async fn another_users_session_is_out_of_reach(f: Fixture) {
    let store = f.tenant();
    let (ada, adas) = f.signed_in(&store, "ada@example.com").await;
    let (_, bobs) = f.signed_in(&store, "bob@example.com").await;
    let seen = store.end_sessions(end(&f, ada, Some(adas), Which::One(bobs))).await.unwrap();
    assert_eq!(seen, done(vec![]));
    let seen = store.end_sessions(end(&f, ada, Some(bobs), Which::All)).await.unwrap();
    assert_eq!(seen, EndedSessions { session_exists: false, ..done(vec![]) });
    let seen = store.end_sessions(end(&f, ada, None, Which::One(bobs))).await.unwrap();
    assert_eq!(seen, done(vec![]));
    assert_eq!(f.count("auth.sessions").await, 2);
    assert_eq!(f.count("auth.audit_log_entries").await, 0);
}
