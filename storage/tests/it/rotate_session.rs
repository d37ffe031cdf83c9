use std::collections::BTreeSet;
use std::time::Duration;

use domain::ids::{SessionId, UserId};
use serde_json::json;
use storage::{ListAudit, RotateSession, TenantStore, UserChanges};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    rotating_answers_what_a_read_then_finds
    another_counter_is_nobodys_turn
    banned_and_deleted_users_do_not_rotate
    of_many_rotations_of_one_token_one_wins
    sessions_of_many_projects_rotate_together
    only_what_happened_is_audited
    a_session_somebody_holds_waits_alone
    what_clients_say_of_themselves_is_kept_as_it_is
}

fn rotate(f: &Fixture, session: SessionId, expected: i64) -> RotateSession {
    RotateSession {
        session,
        expected_counter: expected,
        next_counter: expected + 1,
        user_agent: Some("newer agent".to_owned()),
        ip: Some("2001:db8::7".to_owned()),
        audit: vec![f.audit("token_refreshed"), f.audit("token_revoked")],
        now: t(10),
    }
}

async fn rotating_answers_what_a_read_then_finds(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let before = store.database().statements();
    let rotated = store.rotate_session(rotate(&f, session, 0)).await.unwrap().unwrap();
    // On SQLite also BEGIN, COMMIT, the audit and the read.
    assert_eq!(store.database().statements() - before, if f.is_postgres() { 1 } else { 5 });
    assert_eq!(f.read(&store, user, session).await, rotated);
    assert_eq!(rotated.user.identities.len(), 1);
    let session = rotated.session.unwrap();
    assert_eq!(
        (session.refresh_token_counter, session.refreshed_at, session.updated_at),
        (Some(1), Some(t(10)), t(10))
    );
    assert_eq!((session.user_agent.as_deref(), session.ip.as_deref()), (Some("newer agent"), Some("2001:db8::7")));
    assert_eq!((session.created_at, session.amr.len()), (t(1), 1));
    let again = RotateSession { next_counter: 1, user_agent: None, ip: None, ..rotate(&f, session.id, 1) };
    let session = store.rotate_session(again).await.unwrap().unwrap().session.unwrap();
    assert_eq!((session.refresh_token_counter, session.user_agent, session.ip), (Some(1), None, None));
}

async fn another_counter_is_nobodys_turn(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    for wrong in [-1, 1, i64::MAX - 1] {
        assert_eq!(store.rotate_session(rotate(&f, session, wrong)).await.unwrap(), None);
    }
    let with_token = f.new_session_with_token(user, "token");
    let mut tx = store.begin().await.unwrap();
    tx.sessions().insert(&with_token, t(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.rotate_session(rotate(&f, with_token.id, 0)).await.unwrap(), None);
    assert_eq!(store.rotate_session(rotate(&f, f.new_session(user).id, 0)).await.unwrap(), None);
    assert_eq!(f.read(&store, user, session).await.session.unwrap().refreshed_at, None);
}

async fn banned_and_deleted_users_do_not_rotate(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let mut tx = store.begin().await.unwrap();
    let ban = UserChanges { banned_until: Some(Some(t(11))), ..UserChanges::default() };
    tx.users().update(user, ban, t(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.rotate_session(rotate(&f, session, 0)).await.unwrap(), None);
    let after_the_ban = RotateSession { now: t(11), ..rotate(&f, session, 0) };
    assert!(store.rotate_session(after_the_ban).await.unwrap().is_some());
    f.write("update auth.users set deleted_at = updated_at, banned_until = null").await;
    assert_eq!(store.rotate_session(rotate(&f, session, 1)).await.unwrap(), None);
}

async fn of_many_rotations_of_one_token_one_wins(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    // Two gateways: each has its own lane.
    let other = TenantStore::new(storage::Database::connect(&f.placement).await.unwrap(), instance(&f, &store).await);
    let mut racing = JoinSet::new();
    for n in 0..64 {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        let rotate = rotate(&f, session, 0);
        racing.spawn(async move { store.rotate_session(rotate).await.unwrap().is_some() });
    }
    let winners = racing.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1);
    assert_eq!(f.read(&store, user, session).await.session.unwrap().refresh_token_counter, Some(1));
    assert_eq!(f.count("auth.audit_log_entries").await, 2);
}

/// The project of a store, which only the store itself knows, by way of a row of its own.
async fn instance(f: &Fixture, store: &TenantStore) -> domain::ids::InstanceId {
    let marker = f.new_user("marker@example.com");
    let mut tx = store.begin().await.unwrap();
    tx.users().insert(&marker, t(1)).await.unwrap();
    let message = storage::NewOutbox { id: f.id(), kind: "marker", payload: String::new(), now: t(1) };
    tx.outbox().put(message).await.unwrap();
    tx.commit().await.unwrap();
    let claimed = f.database.claim_outbox(t(1), t(2), 1).await.unwrap();
    f.database.finish_outbox(claimed[0].id).await.unwrap();
    claimed[0].instance
}

async fn sessions_of_many_projects_rotate_together(f: Fixture) {
    let mut sessions: Vec<(TenantStore, UserId, SessionId)> = Vec::new();
    for _ in 0..4 {
        let store = f.tenant();
        for n in 0..10 {
            let (user, session) = f.signed_in(&store, &format!("user-{n}@example.com")).await;
            sessions.push((store.clone(), user, session));
        }
    }
    for round in 0..3 {
        let before = f.database.statements();
        let mut turns = JoinSet::new();
        for (store, user, session) in sessions.clone() {
            let rotate = rotate(&f, session, round);
            turns.spawn(async move {
                let rotated = store.rotate_session(rotate).await.unwrap().unwrap();
                assert_eq!((rotated.user.id, rotated.session.map(|session| session.id)), (user, Some(session)));
            });
        }
        turns.join_all().await;
        if f.is_postgres() {
            assert!(f.database.statements() - before < 40, "nothing travelled together");
        }
    }
    assert_eq!(f.number("select cast(sum(refresh_token_counter) as bigint) from auth.sessions").await, 120);
}

async fn only_what_happened_is_audited(f: Fixture) {
    let store = f.tenant();
    let mut turns = JoinSet::new();
    for n in 0..10 {
        let (_, session) = f.signed_in(&store, &format!("user-{n}@example.com")).await;
        let (store, rotate) = (store.clone(), rotate(&f, session, n % 2));
        turns.spawn(async move { store.rotate_session(rotate).await.unwrap().is_some() });
    }
    assert_eq!(turns.join_all().await.into_iter().filter(|won| *won).count(), 5);
    assert_eq!(f.count("auth.audit_log_entries").await, 10);
}

async fn a_session_somebody_holds_waits_alone(f: Fixture) {
    let store = f.tenant();
    let (_, held) = f.signed_in(&store, "ada@example.com").await;
    let (_, free) = f.signed_in(&store, "bob@example.com").await;
    let mut holder = store.begin().await.unwrap();
    holder.sessions().lock(held).await.unwrap().unwrap();
    let waiting = tokio::spawn({
        let (store, rotate) = (store.clone(), rotate(&f, held, 0));
        async move { store.rotate_session(rotate).await.unwrap() }
    });
    tokio::task::yield_now().await;
    if f.is_postgres() {
        let neighbour = store.rotate_session(rotate(&f, free, 0));
        let neighbour = tokio::time::timeout(Duration::from_secs(3), neighbour).await.expect("held up by a stranger");
        assert!(neighbour.unwrap().is_some());
        assert!(!waiting.is_finished());
    }
    holder.commit().await.unwrap();
    assert!(waiting.await.unwrap().is_some());
}

async fn what_clients_say_of_themselves_is_kept_as_it_is(f: Fixture) {
    let store = f.tenant();
    let agents =
        ["", "\"quoted\" \\\\ 'single' [1, {\"a\": null}]", "tab\t line\n \u{7f} \u{1}", "ü 漢字 🦀", "null", "17"];
    let mut turns = JoinSet::new();
    for (n, agent) in agents.into_iter().enumerate() {
        let (_, session) = f.signed_in(&store, &format!("user-{n}@example.com")).await;
        let mut rotate = RotateSession { user_agent: Some(agent.to_owned()), ip: None, ..rotate(&f, session, 0) };
        rotate.audit.truncate(1);
        rotate.audit[0].payload = json!({ "z": agent, "a": 0.1 });
        let store = store.clone();
        turns.spawn(async move {
            let session = store.rotate_session(rotate).await.unwrap().unwrap().session.unwrap();
            assert_eq!((session.user_agent.as_deref(), session.ip), (Some(agent), None));
        });
    }
    turns.join_all().await;
    let (entries, _) = store.list_audit(ListAudit { search: None, limit: 9, offset: 0 }).await.unwrap();
    let written: BTreeSet<String> = entries.iter().map(|entry| entry.payload.get().to_owned()).collect();
    assert_eq!(written, agents.map(|agent| json!({ "z": agent, "a": 0.1 }).to_string()).into());
}
