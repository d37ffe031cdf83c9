use domain::ids::UserId;
use domain::secret::Secret;
use storage::{OpenSession, UserChanges};

use crate::fixture::{Fixture, t};

on_both! {
    opening_answers_what_a_read_then_finds
    a_stored_token_comes_with_its_session
    banned_deleted_and_unknown_users_open_nothing
    a_password_changed_meanwhile_opens_nothing
    a_better_hash_is_kept
}

fn open(f: &Fixture, user: UserId) -> OpenSession {
    let session = f.new_session(user);
    OpenSession { session, verified_hash: None, upgraded_hash: None, audit: Some(f.audit("login")), now: t(10) }
}

fn secret(text: &str) -> Option<Secret<String>> {
    Some(Secret::new(text.to_owned()))
}

async fn opening_answers_what_a_read_then_finds(f: Fixture) {
    let store = f.tenant();
    let (user, _) = f.signed_in(&store, "ada@example.com").await;
    let open = open(&f, user);
    let id = open.session.id;
    let before = store.database().statements();
    let opened = store.open_session(open).await.unwrap().unwrap();
    if f.is_postgres() {
        assert_eq!(store.database().statements() - before, 1);
    }
    assert_eq!(f.read(&store, user, id).await, opened);
    assert_eq!((opened.user.last_sign_in_at, opened.user.updated_at), (Some(t(10)), t(10)));
    assert_eq!(opened.user.identities.len(), 1);
    assert_eq!(opened.session.unwrap().amr[0].at, t(10));
    assert_eq!(f.count("auth.audit_log_entries").await, 1);
    assert_eq!(f.count("auth.refresh_tokens").await, 0);
}

async fn a_stored_token_comes_with_its_session(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let session = f.new_session_with_token(user, "first-token");
    let id = session.id;
    let opened = store.open_session(OpenSession { session, ..open(&f, user) }).await.unwrap().unwrap();
    assert_eq!(opened.session.unwrap().refresh_token_counter, None);
    let token = store.find_refresh_token("first-token").await.unwrap().unwrap();
    assert_eq!((token.user_id, token.session_id, token.parent, token.revoked), (user, Some(id), None, false));
    assert_eq!((token.created_at, token.updated_at), (t(10), t(10)));
    assert!(store.find_refresh_token("other").await.unwrap().is_none());
}

async fn banned_deleted_and_unknown_users_open_nothing(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let ban = |until| {
        let store = store.clone();
        async move {
            let mut tx = store.begin().await.unwrap();
            let changes = UserChanges { banned_until: Some(until), ..UserChanges::default() };
            tx.users().update(user, changes, t(2)).await.unwrap();
            tx.commit().await.unwrap();
        }
    };
    ban(Some(t(11))).await;
    assert!(store.open_session(open(&f, user)).await.unwrap().is_none());
    ban(Some(t(10))).await;
    assert!(store.open_session(open(&f, user)).await.unwrap().is_some());
    ban(None).await;
    assert!(store.open_session(open(&f, user)).await.unwrap().is_some());
    f.write("update auth.users set deleted_at = updated_at").await;
    assert!(store.open_session(open(&f, user)).await.unwrap().is_none());
    assert!(store.open_session(open(&f, f.new_user("").id)).await.unwrap().is_none());
    assert_eq!(f.count("auth.sessions").await, 2);
    assert_eq!(f.count("auth.audit_log_entries").await, 2);
}

async fn a_password_changed_meanwhile_opens_nothing(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let stale = OpenSession { verified_hash: secret("older hash"), upgraded_hash: secret("better"), ..open(&f, user) };
    assert!(store.open_session(stale).await.unwrap().is_none());
    assert_eq!(store.find_password(user).await.unwrap(), secret("old hash"));
}

async fn a_better_hash_is_kept(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let fresh = OpenSession { verified_hash: secret("old hash"), upgraded_hash: secret("better"), ..open(&f, user) };
    assert!(store.open_session(fresh).await.unwrap().is_some());
    assert_eq!(store.find_password(user).await.unwrap(), secret("better"));
    assert!(store.open_session(open(&f, user)).await.unwrap().is_some());
    assert_eq!(store.find_password(user).await.unwrap(), secret("better"));
}
