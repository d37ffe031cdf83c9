use domain::secret::Secret;
use storage::StoreError;
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    a_token_is_traded_once
    the_newest_live_token_of_a_session_is_active
    a_family_ends_whole
    a_token_is_taken_once_in_a_project
    tokens_go_with_their_session
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

async fn a_token_is_traded_once(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    let first = tx.refresh_tokens().insert(&secret("first"), user, session, None, t(2)).await.unwrap();
    assert_eq!((first.token.expose().as_str(), first.user_id, first.session_id), ("first", user, Some(session)));
    tx.commit().await.unwrap();
    let mut racing = JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let locked = tx.refresh_tokens().lock("first").await.unwrap().unwrap();
            let won = !locked.revoked && tx.refresh_tokens().revoke(locked.id, t(3)).await.unwrap();
            tx.commit().await.unwrap();
            won
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
    let used = store.find_refresh_token("first").await.unwrap().unwrap();
    assert_eq!((used.revoked, used.created_at, used.updated_at), (true, t(2), t(3)));
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.refresh_tokens().revoke(first.id, t(4)).await.unwrap());
    assert!(tx.refresh_tokens().lock("unknown").await.unwrap().is_none());
}

async fn the_newest_live_token_of_a_session_is_active(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.refresh_tokens().active(session).await.unwrap().is_none());
    let first = tx.refresh_tokens().insert(&secret("first"), user, session, None, t(2)).await.unwrap();
    let second = tx.refresh_tokens().insert(&secret("second"), user, session, Some("first"), t(2)).await.unwrap();
    assert_eq!((second.parent.as_deref(), second.id > first.id), (Some("first"), true));
    assert_eq!(tx.refresh_tokens().active(session).await.unwrap().unwrap().id, second.id);
    tx.refresh_tokens().revoke(second.id, t(3)).await.unwrap();
    assert_eq!(tx.refresh_tokens().active(session).await.unwrap().unwrap().id, first.id);
}

async fn a_family_ends_whole(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let other = f.open(&store, user, t(2)).await;
    let mut tx = store.begin().await.unwrap();
    let used = tx.refresh_tokens().insert(&secret("used"), user, session, None, t(2)).await.unwrap();
    tx.refresh_tokens().revoke(used.id, t(3)).await.unwrap();
    for token in ["a", "b"] {
        tx.refresh_tokens().insert(&secret(token), user, session, Some("used"), t(2)).await.unwrap();
    }
    tx.refresh_tokens().insert(&secret("other"), user, other, None, t(2)).await.unwrap();
    assert_eq!(tx.refresh_tokens().revoke_family(session, t(4)).await.unwrap(), 2);
    assert!(tx.refresh_tokens().active(session).await.unwrap().is_none());
    assert!(tx.refresh_tokens().active(other).await.unwrap().is_some());
    let untouched = tx.refresh_tokens().lock("used").await.unwrap().unwrap();
    assert_eq!(untouched.updated_at, t(3));
    assert!(tx.refresh_tokens().delete(used.id).await.unwrap());
    assert!(!tx.refresh_tokens().delete(used.id).await.unwrap());
}

async fn a_token_is_taken_once_in_a_project(f: Fixture) {
    for (store, taken) in [(f.tenant(), true), (f.tenant(), false)] {
        let (user, session) = f.signed_in(&store, "ada@example.com").await;
        let mut tx = store.begin().await.unwrap();
        tx.refresh_tokens().insert(&secret("token"), user, session, None, t(2)).await.unwrap();
        if taken {
            let again = tx.refresh_tokens().insert(&secret("token"), user, session, None, t(2)).await;
            assert!(matches!(again, Err(StoreError::Conflict)));
        } else {
            tx.commit().await.unwrap();
        }
    }
}

async fn tokens_go_with_their_session(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let session = f.new_session_with_token(user, "token");
    let mut tx = store.begin().await.unwrap();
    tx.sessions().insert(&session, t(2)).await.unwrap();
    assert!(tx.sessions().delete(session.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(f.count("auth.refresh_tokens").await, 0);
}
