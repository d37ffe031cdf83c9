use domain::ids::SessionId;
use domain::pkce::Method;
use storage::{NewFlowState, TenantStore};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    a_flow_reads_back
    the_newest_flow_of_a_method_is_found
    a_code_is_issued_found_and_used_once
    of_many_uses_of_a_code_one_wins
    a_flow_through_a_provider_reads_back
    a_flow_is_finished_once
    of_many_who_finish_a_flow_one_wins
    who_comes_second_to_a_flow_waits
}

/// A flow of nobody's yet, with a challenge.
pub(crate) fn flow(f: &Fixture, method: &str, hour: i64) -> NewFlowState {
    NewFlowState {
        id: f.id(),
        user_id: None,
        challenge: Some((Method::S256, "challenge".to_owned())),
        provider_type: "email".to_owned(),
        authentication_method: method.to_owned(),
        referrer: Some("https://app.example.com".to_owned()),
        invite_token: None,
        linking_target: None,
        linking_session: None,
        email_optional: false,
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

/// A flow that waits for its provider.
async fn begun(f: &Fixture, store: &TenantStore) -> NewFlowState {
    let new = NewFlowState {
        provider_type: "google".to_owned(),
        invite_token: Some("hash of an invitation".to_owned()),
        linking_target: Some(f.new_user("").id),
        linking_session: Some(SessionId(f.id())),
        email_optional: true,
        ..flow(f, "oauth", 1)
    };
    store.insert_flow_state(new.clone()).await.unwrap();
    new
}

async fn a_flow_through_a_provider_reads_back(f: Fixture) {
    let store = f.tenant();
    let new = begun(&f, &store).await;
    let read = store.read_flow_state(new.id).await.unwrap().unwrap();
    assert_eq!((read.id, read.user_id, read.challenge), (new.id, None, new.challenge.clone()));
    assert_eq!((read.invite_token, read.linking_target), (new.invite_token.clone(), new.linking_target));
    assert_eq!(read.linking_session, new.linking_session);
    assert_eq!((read.email_optional, read.referrer, read.created_at), (true, new.referrer.clone(), new.now));
    assert!(store.read_flow_state(f.id()).await.unwrap().is_none());
    // The answer to the first try was lost.
    store.insert_flow_state(new).await.unwrap();
    let plain = flow(&f, "oauth", 1);
    store.insert_flow_state(plain.clone()).await.unwrap();
    let read = store.read_flow_state(plain.id).await.unwrap().unwrap();
    assert_eq!((read.invite_token, read.linking_target, read.linking_session), (None, None, None));
    assert!(!read.email_optional);
}

async fn a_flow_is_finished_once(f: Fixture) {
    let store = f.tenant();
    let (user, other) = (f.new_user("").id, f.new_user("").id);
    let new = begun(&f, &store).await;
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.flow_states().finish(f.id(), user, "x", "", "", t(2)).await.unwrap());
    assert!(tx.flow_states().finish(new.id, user, "code", "access", "refresh", t(2)).await.unwrap());
    assert!(!tx.flow_states().finish(new.id, other, "other", "", "", t(3)).await.unwrap());
    assert!(tx.flow_states().find_by_code("other").await.unwrap().is_none());
    let found = tx.flow_states().find_by_code("code").await.unwrap().unwrap();
    assert_eq!((found.id, found.user_id, found.auth_code_issued_at), (new.id, Some(user), Some(t(2))));
    assert_eq!(found.provider_access_token.expose(), "access");
    assert_eq!(found.provider_refresh_token.expose(), "refresh");
    assert_eq!((found.created_at, found.linking_target), (new.now, new.linking_target));
    assert_eq!(tx.flow_states().newest(user, "oauth").await.unwrap().unwrap().id, new.id);
    tx.commit().await.unwrap();
    assert_eq!(store.read_flow_state(new.id).await.unwrap().unwrap().user_id, Some(user));
}

async fn of_many_who_finish_a_flow_one_wins(f: Fixture) {
    let store = f.tenant();
    let id = begun(&f, &store).await.id;
    let mut racing = JoinSet::new();
    for n in 0..100 {
        let (store, user) = (store.clone(), f.new_user("").id);
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let won = tx.flow_states().finish(id, user, &n.to_string(), "", "", t(2)).await.unwrap();
            tx.commit().await.unwrap();
            won.then_some(user)
        });
    }
    let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(store.read_flow_state(id).await.unwrap().unwrap().user_id, Some(winners[0]));
}

async fn who_comes_second_to_a_flow_waits(f: Fixture) {
    let store = f.tenant();
    let user = f.new_user("").id;
    let id = begun(&f, &store).await.id;
    let mut first = store.begin().await.unwrap();
    assert!(first.flow_states().lock(id).await.unwrap());
    assert!(!first.flow_states().lock(f.id()).await.unwrap());
    let second = tokio::spawn(async move {
        let mut tx = store.begin().await.unwrap();
        tx.flow_states().lock(id).await.unwrap()
    });
    assert!(first.flow_states().finish(id, user, "code", "", "", t(2)).await.unwrap());
    first.commit().await.unwrap();
    assert!(!second.await.unwrap(), "it was finished meanwhile");
}
