use domain::pkce::Method;
use storage::NewFlowState;
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    a_flow_reads_back
    the_newest_flow_of_a_method_is_found
    a_code_is_issued_found_and_used_once
    of_many_uses_of_a_code_one_wins
}

fn flow(f: &Fixture, method: &str, hour: i64) -> NewFlowState {
    NewFlowState {
        id: f.id(),
        user_id: None,
        challenge: Some((Method::S256, "challenge".to_owned())),
        provider_type: "email".to_owned(),
        authentication_method: method.to_owned(),
        referrer: Some("https://app.example.com".to_owned()),
        now: t(hour),
    }
}

async fn a_flow_reads_back(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    let plain = Some((Method::Plain, "challenge".to_owned()));
    for (n, challenge) in [plain, flow(&f, "", 0).challenge, None].into_iter().enumerate() {
        let new = NewFlowState { user_id: Some(user), challenge: challenge.clone(), ..flow(&f, "magiclink", n as i64) };
        tx.flow_states().insert(new.clone()).await.unwrap();
        let found = tx.flow_states().newest(user, "magiclink").await.unwrap().unwrap();
        assert_eq!((found.id, found.user_id, found.challenge), (new.id, Some(user), challenge));
        assert_eq!((found.provider_type, found.authentication_method), (new.provider_type, new.authentication_method));
        assert_eq!((found.referrer, found.created_at, found.auth_code_issued_at), (new.referrer, new.now, None));
        assert!(found.provider_access_token.expose().is_empty() && found.provider_refresh_token.expose().is_empty());
    }
}

async fn the_newest_flow_of_a_method_is_found(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    let mut ids = Vec::new();
    for (method, hour) in [("recovery", 3), ("recovery", 5), ("recovery", 4), ("magiclink", 9)] {
        let new = NewFlowState { user_id: Some(user), ..flow(&f, method, hour) };
        ids.push(new.id);
        tx.flow_states().insert(new).await.unwrap();
    }
    assert_eq!(tx.flow_states().newest(user, "recovery").await.unwrap().unwrap().id, ids[1]);
    assert!(tx.flow_states().newest(user, "email/signup").await.unwrap().is_none());
    assert!(tx.flow_states().newest(f.new_user("").id, "recovery").await.unwrap().is_none());
}

async fn a_code_is_issued_found_and_used_once(f: Fixture) {
    let store = f.tenant();
    let new = flow(&f, "magiclink", 1);
    let mut tx = store.begin().await.unwrap();
    tx.flow_states().insert(new.clone()).await.unwrap();
    assert!(tx.flow_states().find_by_code("hash").await.unwrap().is_none());
    assert!(tx.flow_states().issue_code(new.id, "hash", t(2)).await.unwrap());
    assert!(!tx.flow_states().issue_code(f.id(), "other", t(2)).await.unwrap());
    let found = tx.flow_states().find_by_code("hash").await.unwrap().unwrap();
    assert_eq!((found.id, found.auth_code_issued_at), (new.id, Some(t(2))));
    assert!(tx.flow_states().consume(new.id).await.unwrap());
    assert!(!tx.flow_states().consume(new.id).await.unwrap());
    assert!(tx.flow_states().find_by_code("hash").await.unwrap().is_none());
}

async fn of_many_uses_of_a_code_one_wins(f: Fixture) {
    let store = f.tenant();
    let new = flow(&f, "magiclink", 1);
    let mut tx = store.begin().await.unwrap();
    tx.flow_states().insert(new.clone()).await.unwrap();
    tx.commit().await.unwrap();
    let mut racing = JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let won = tx.flow_states().consume(new.id).await.unwrap();
            tx.commit().await.unwrap();
            won
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
}
