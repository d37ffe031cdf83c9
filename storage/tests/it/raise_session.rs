use domain::factor::FactorType;
use domain::ids::{FactorId, SessionId, UserId};
use domain::session::{Aal, Session};
use storage::{OpenSession, RotateSession, SignUp, TenantStore};
use tokio::task::JoinSet;

use crate::factors::enroll;
use crate::fixture::{Fixture, t};

on_both! {
    a_session_rises_with_its_method_and_counter
    rises_at_once_all_count
    a_session_is_opened_at_its_level
    low_sessions_end_and_others_stay
    a_factor_that_ends_lowers_what_it_raised_last
    a_method_that_ends_lowers_what_nothing_else_raised
    the_end_of_a_session_and_its_rise_have_one_winner
    the_first_token_of_the_rise_is_noted
    what_was_decided_before_the_rise_does_not_happen
}

async fn raise(f: &Fixture, store: &TenantStore, session: SessionId, factor: Option<FactorId>, hour: i64) -> Session {
    let method = if factor.is_some() { "totp" } else { "mfa/recovery_code" };
    let mut tx = store.begin().await.unwrap();
    let raised = tx.sessions().raise(session, factor, method, f.id(), 2, t(hour)).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    raised
}

fn methods(session: &Session) -> Vec<(&str, domain::time::Timestamp)> {
    session.amr.iter().map(|entry| (entry.method.as_str(), entry.at)).collect()
}

async fn a_session_rises_with_its_method_and_counter(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let factor = enroll(&f, &store, user, FactorType::Totp, "").await;
    let raised = raise(&f, &store, session, Some(factor), 5).await;
    assert_eq!((raised.aal, raised.factor_id, raised.refresh_token_counter), (Aal::Aal2, Some(factor), Some(2)));
    assert_eq!((raised.updated_at, raised.refreshed_at, raised.created_at), (t(5), None, t(1)));
    assert_eq!(methods(&raised), [("totp", t(5)), ("password", t(1))]);
    assert_eq!(f.read(&store, user, session).await.session, Some(raised));

    let again = raise(&f, &store, session, Some(factor), 6).await;
    assert_eq!(methods(&again), [("totp", t(6)), ("password", t(1))], "one row for each method");
    let by_code = raise(&f, &store, session, None, 7).await;
    assert_eq!((by_code.factor_id, by_code.refresh_token_counter), (Some(factor), Some(6)));
    assert_eq!(methods(&by_code), [("mfa/recovery_code", t(7)), ("totp", t(6)), ("password", t(1))]);
    assert_eq!(f.read(&store, user, session).await.session, Some(by_code));

    let stored = f.new_session_with_token(user, "token");
    let open =
        OpenSession { session: stored.clone(), verified_hash: None, upgraded_hash: None, audit: None, now: t(2) };
    store.open_session(open).await.unwrap().unwrap();
    assert_eq!(raise(&f, &store, stored.id, Some(factor), 8).await.refresh_token_counter, None);
    let mut tx = store.begin().await.unwrap();
    assert!(tx.sessions().raise(SessionId(f.id()), None, "totp", f.id(), 2, t(9)).await.unwrap().is_none());
}

async fn rises_at_once_all_count(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let mut racing = JoinSet::new();
    for n in 0..20 {
        let (f, store) = (f.clone(), store.clone());
        racing.spawn(async move { raise(&f, &store, session, None, 2 + n).await.refresh_token_counter });
    }
    let mut counters: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    counters.sort_unstable();
    assert_eq!(counters, (1..=20).map(|n| 2 * n).collect::<Vec<_>>());
    assert_eq!(f.read(&store, user, session).await.session.unwrap().amr.len(), 2);
}

async fn a_session_is_opened_at_its_level(f: Fixture) {
    let store = f.tenant();
    let user = f.new_user("ada@example.com");
    let id = user.id;
    let raised = || storage::NewSession { aal: Aal::Aal2, ..f.new_session(id) };
    let (first, second, third) = (raised(), raised(), raised());
    let sign_up = SignUp { user, identities: vec![], session: Some(first.clone()), audit: vec![], now: t(1) };
    assert_eq!(store.sign_up(sign_up).await.unwrap().session.unwrap().aal, Aal::Aal2);
    let open = |session| OpenSession { session, verified_hash: None, upgraded_hash: None, audit: None, now: t(2) };
    let opened = store.open_session(open(second.clone())).await.unwrap().unwrap();
    assert_eq!(opened.session.unwrap().aal, Aal::Aal2);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.sessions().insert(&third, t(3)).await.unwrap().aal, Aal::Aal2);
    let fourth = f.new_session(id);
    let opened = tx.open_session(open(fourth.clone())).await.unwrap().unwrap();
    assert_eq!(opened.session.unwrap().aal, Aal::Aal1);
    tx.commit().await.unwrap();
    for (session, aal) in [(first.id, Aal::Aal2), (second.id, Aal::Aal2), (third.id, Aal::Aal2), (fourth.id, Aal::Aal1)]
    {
        assert_eq!(f.read(&store, id, session).await.session.unwrap().aal, aal);
    }
}

async fn low_sessions_end_and_others_stay(f: Fixture) {
    let store = f.tenant();
    let (ada, keep) = f.signed_in(&store, "ada@example.com").await;
    let (_, bobs) = f.signed_in(&store, "bob@example.com").await;
    let (low, other_low) = (f.open(&store, ada, t(2)).await, f.open(&store, ada, t(3)).await);
    let (high, without_level) = (f.open(&store, ada, t(4)).await, f.open(&store, ada, t(5)).await);
    raise(&f, &store, high, None, 6).await;
    f.write(&format!("update auth.sessions set aal = null where id = {}", f.literal(without_level.0))).await;
    let mut tx = store.begin().await.unwrap();
    let mut ended = tx.sessions().delete_low(ada, keep).await.unwrap();
    tx.commit().await.unwrap();
    ended.sort();
    let mut expected = [low, other_low];
    expected.sort();
    assert_eq!(ended, expected);
    let mut left = f.sessions(&store, ada).await;
    left.sort();
    let mut expected = [keep, high, without_level];
    expected.sort();
    assert_eq!(left, expected);
    assert!(store.read_session(bobs).await.unwrap().is_some());
}

/// Another session of the user that a factor raised.
async fn raised_by(f: &Fixture, store: &TenantStore, user: UserId, factor: FactorId) -> SessionId {
    let session = f.open(store, user, t(2)).await;
    raise(f, store, session, Some(factor), 5).await;
    session
}

async fn a_factor_that_ends_lowers_what_it_raised_last(f: Fixture) {
    let store = f.tenant();
    let (ada, _) = f.signed_in(&store, "ada@example.com").await;
    let (ends, stays) = (
        enroll(&f, &store, ada, FactorType::Totp, "ends").await,
        enroll(&f, &store, ada, FactorType::Totp, "stays").await,
    );
    let (first, second) = (raised_by(&f, &store, ada, ends).await, raised_by(&f, &store, ada, ends).await);
    let by_other = raised_by(&f, &store, ada, stays).await;
    let moved_on = raised_by(&f, &store, ada, ends).await;
    raise(&f, &store, moved_on, Some(stays), 6).await;

    let mut tx = store.begin().await.unwrap();
    let mut lowered = tx.sessions().drop_factor(ada, ends, "totp", t(8)).await.unwrap();
    tx.commit().await.unwrap();
    lowered.sort();
    let mut expected = [first, second];
    expected.sort();
    assert_eq!(lowered, expected);
    for session in [first, second] {
        let session = f.read(&store, ada, session).await.session.unwrap();
        assert_eq!((session.aal, session.factor_id, session.updated_at), (Aal::Aal1, None, t(8)));
        assert_eq!(methods(&session), [("password", t(2))]);
    }
    for session in [by_other, moved_on] {
        let session = f.read(&store, ada, session).await.session.unwrap();
        assert_eq!((session.aal, session.factor_id, session.amr.len()), (Aal::Aal2, Some(stays), 2));
    }
}

async fn a_method_that_ends_lowers_what_nothing_else_raised(f: Fixture) {
    let store = f.tenant();
    let (ada, plain) = f.signed_in(&store, "ada@example.com").await;
    let (_, bobs) = f.signed_in(&store, "bob@example.com").await;
    let factor = enroll(&f, &store, ada, FactorType::Totp, "").await;
    let by_code = f.open(&store, ada, t(2)).await;
    let by_both = raised_by(&f, &store, ada, factor).await;
    for session in [by_code, by_both, bobs] {
        raise(&f, &store, session, None, 6).await;
    }
    let mut tx = store.begin().await.unwrap();
    let mut touched = tx.sessions().drop_method(ada, "mfa/recovery_code", t(8)).await.unwrap();
    assert_eq!(tx.sessions().drop_method(ada, "mfa/recovery_code", t(9)).await.unwrap(), []);
    tx.commit().await.unwrap();
    touched.sort();
    let mut expected = [by_code, by_both];
    expected.sort();
    assert_eq!(touched, expected);
    let facts = async |session| {
        let session = store.read_session(session).await.unwrap().unwrap().session.unwrap();
        (session.aal, session.updated_at, session.amr.into_iter().map(|entry| entry.method).collect::<Vec<_>>())
    };
    assert_eq!(facts(by_code).await, (Aal::Aal1, t(8), vec!["password".to_owned()]));
    assert_eq!(facts(by_both).await, (Aal::Aal2, t(8), vec!["totp".to_owned(), "password".to_owned()]));
    assert_eq!(facts(plain).await.0, Aal::Aal1);
    assert_eq!((facts(bobs).await.0, facts(bobs).await.2.len()), (Aal::Aal2, 2));
}

async fn the_end_of_a_session_and_its_rise_have_one_winner(f: Fixture) {
    let store = f.tenant();
    let (user, _) = f.signed_in(&store, "ada@example.com").await;
    for _ in 0..20 {
        let session = f.open(&store, user, t(2)).await;
        let mut racing = JoinSet::new();
        for n in 0..4 {
            let (f, store) = (f.clone(), store.clone());
            racing.spawn(async move {
                let mut tx = store.begin().await.unwrap();
                if n == 1 {
                    assert!(tx.sessions().delete(session).await.unwrap());
                } else {
                    tx.sessions().raise(session, None, "totp", f.id(), 2, t(3)).await.unwrap();
                }
                tx.commit().await.unwrap();
            });
        }
        racing.join_all().await;
        assert!(store.read_session(session).await.unwrap().is_none());
    }
}

async fn the_first_token_of_the_rise_is_noted(f: Fixture) {
    let store = f.tenant();
    let (user, counted) = f.signed_in(&store, "ada@example.com").await;
    let noted = async |session| store.read_session(session).await.unwrap().unwrap().session.unwrap().raised_from;
    assert_eq!(noted(counted).await, None);
    for (hour, counter) in [(5, 2), (6, 4)] {
        assert_eq!(raise(&f, &store, counted, None, hour).await.raised_from, Some(counter));
        assert_eq!(noted(counted).await, Some(counter));
    }
    let stored = f.new_session_with_token(user, "token");
    let open =
        OpenSession { session: stored.clone(), verified_hash: None, upgraded_hash: None, audit: None, now: t(2) };
    store.open_session(open).await.unwrap().unwrap();
    assert_eq!(raise(&f, &store, stored.id, None, 5).await.raised_from, None);
    let mut tx = store.begin().await.unwrap();
    assert!(tx.sessions().raised_from(stored.id, 17).await.unwrap());
    assert!(!tx.sessions().raised_from(counted, 17).await.unwrap(), "its tokens are counted");
    assert!(!tx.sessions().raised_from(SessionId(f.id()), 17).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!((noted(stored.id).await, noted(counted).await), (Some(17), Some(4)));
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.sessions().drop_method(user, "mfa/recovery_code", t(8)).await.unwrap().len(), 2);
    tx.commit().await.unwrap();
    assert_eq!((noted(stored.id).await, noted(counted).await), (Some(17), Some(4)), "what goes up may come down");
}

async fn what_was_decided_before_the_rise_does_not_happen(f: Fixture) {
    let store = f.tenant();
    let (_, session) = f.signed_in(&store, "ada@example.com").await;
    let rotate = |expected_counter, next_counter| RotateSession {
        session,
        expected_counter,
        next_counter,
        user_agent: None,
        ip: None,
        audit: vec![],
        now: t(6),
    };
    let mut counter = 0;
    // The next token, and the newest again.
    for step in [1, 0] {
        let mut tx = store.begin().await.unwrap();
        tx.sessions().raise(session, None, "totp", f.id(), 2, t(5)).await.unwrap().unwrap();
        let (waiting, decided) = (store.clone(), rotate(counter, counter + step));
        let waiting = tokio::spawn(async move { waiting.rotate_session(decided).await });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        tx.commit().await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), None);
        assert_eq!(store.rotate_session(rotate(counter, counter + step)).await.unwrap(), None);
        counter += 2;
    }
    assert!(store.rotate_session(rotate(counter, counter)).await.unwrap().is_some());
}
