use domain::session::Aal;

use crate::fixture::{Fixture, t};

on_both! {
    a_session_reads_back_with_its_method
    sessions_end_one_all_or_others
    sessions_change_under_a_lock
    sessions_are_listed_by_last_use
    an_address_that_is_none_is_not_kept
}

async fn a_session_reads_back_with_its_method(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let new = f.new_session(user);
    let mut tx = store.begin().await.unwrap();
    let made = tx.sessions().insert(&new, t(2)).await.unwrap();
    assert_eq!(tx.sessions().lock(new.id).await.unwrap().as_ref(), Some(&made));
    tx.commit().await.unwrap();

    assert_eq!((made.id, made.user_id, made.created_at, made.updated_at), (new.id, user, t(2), t(2)));
    assert_eq!((made.refreshed_at, made.not_after, made.factor_id, made.tag.as_deref()), (None, None, None, None));
    assert_eq!((made.user_agent.as_deref(), made.ip.as_deref()), (Some("agent"), Some("192.0.2.7")));
    assert_eq!(
        (made.aal, made.refresh_token_counter, made.refresh_token_hmac_key.as_deref()),
        (Aal::Aal1, Some(0), None)
    );
    assert_eq!((made.amr[0].method.as_str(), made.amr[0].at, made.amr.len()), ("password", t(2), 1));

    let read = f.read(&store, user, new.id).await;
    assert_eq!(read.session, Some(made.clone()));
    assert_eq!(read.user.last_sign_in_at, None);
    let before = store.database().statements();
    let found = store.read_session(new.id).await.unwrap().unwrap();
    assert_eq!((found.user, found.session), (read.user, Some(made)));
    assert_eq!(store.database().statements() - before, 1);

    let other = f.user(&store, "bob@example.com").await;
    assert_eq!(store.read_user(other, Some(new.id)).await.unwrap().unwrap().session, None);
    assert!(store.read_session(f.new_session(user).id).await.unwrap().is_none());
}

async fn sessions_end_one_all_or_others(f: Fixture) {
    let store = f.tenant();
    let (ada, first) = f.signed_in(&store, "ada@example.com").await;
    let (bob, bobs) = f.signed_in(&store, "bob@example.com").await;
    let mut others = vec![f.open(&store, ada, t(2)).await, f.open(&store, ada, t(3)).await];
    let mut tx = store.begin().await.unwrap();
    let mut ended = tx.sessions().delete_others(ada, first).await.unwrap();
    ended.sort();
    others.sort();
    assert_eq!(ended, others);
    assert!(tx.sessions().delete(first).await.unwrap());
    assert!(!tx.sessions().delete(first).await.unwrap());
    assert_eq!(tx.sessions().delete_all(ada).await.unwrap(), []);
    assert_eq!(tx.sessions().delete_all(bob).await.unwrap(), [bobs]);
    tx.commit().await.unwrap();
    assert_eq!(f.count("auth.sessions").await + f.count("auth.mfa_amr_claims").await, 0);
}

async fn sessions_change_under_a_lock(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.sessions().touch_refreshed(session, None, Some("2001:db8::1"), t(7)).await.unwrap());
    let changed = tx.sessions().lock(session).await.unwrap().unwrap();
    assert_eq!((changed.refreshed_at, changed.updated_at), (Some(t(7)), t(7)));
    assert_eq!((changed.user_agent.as_deref(), changed.ip.as_deref()), (None, Some("2001:db8::1")));
    let nobody = f.new_session(user).id;
    assert!(!tx.sessions().touch_refreshed(nobody, None, None, t(7)).await.unwrap());
    assert_eq!(tx.sessions().lock(nobody).await.unwrap(), None);
}

async fn sessions_are_listed_by_last_use(f: Fixture) {
    let store = f.tenant();
    let (user, first) = f.signed_in(&store, "ada@example.com").await;
    let second = f.open(&store, user, t(3)).await;
    let third = f.open(&store, user, t(2)).await;
    f.signed_in(&store, "bob@example.com").await;
    let mut tx = store.begin().await.unwrap();
    tx.sessions().touch_refreshed(first, None, None, t(4)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(f.sessions(&store, user).await, [first, second, third]);
}

async fn an_address_that_is_none_is_not_kept(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let mut session = f.new_session(user);
    session.ip = Some("unknown".to_owned());
    let open = storage::OpenSession { session, verified_hash: None, upgraded_hash: None, audit: None, now: t(2) };
    let opened = store.open_session(open).await.unwrap().unwrap();
    assert_eq!(opened.session.unwrap().ip, None);
}
