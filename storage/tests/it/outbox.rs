use std::collections::HashSet;

use storage::{Database, NewOutbox, OutboxDepth, TenantStore};
use uuid::Uuid;

use crate::fixture::{Fixture, t};

on_both! {
    a_message_is_claimed_with_its_project
    two_workers_never_claim_the_same_message
    a_lease_keeps_a_message_until_it_ends
    a_message_is_put_back_buried_or_finished
    only_committed_messages_are_seen
    projects_are_passed_over
}

async fn put(f: &Fixture, store: &TenantStore, hour: i64) -> Uuid {
    let id = f.id();
    let mut tx = store.begin().await.unwrap();
    tx.outbox().put(NewOutbox { id, kind: "mail", payload: "sealed".to_owned(), now: t(hour) }).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn claim(database: &Database, hour: i64, limit: u32) -> Vec<Uuid> {
    database.claim_outbox(t(hour), t(hour + 1), limit).await.unwrap().into_iter().map(|row| row.id).collect()
}

async fn a_message_is_claimed_with_its_project(f: Fixture) {
    let (one, other) = (f.tenant(), f.tenant());
    let later = put(&f, &one, 2).await;
    let earlier = put(&f, &other, 1).await;
    assert!(claim(&f.database, 0, 9).await.is_empty());
    let rows = f.database.claim_outbox(t(2), t(3), 9).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [earlier, later]);
    assert_ne!(rows[0].instance, rows[1].instance);
    assert_eq!((rows[0].kind.as_str(), rows[0].payload.as_str(), rows[0].attempts), ("mail", "sealed", 1));
}

async fn two_workers_never_claim_the_same_message(f: Fixture) {
    let store = f.tenant();
    for _ in 0..60 {
        put(&f, &store, 1).await;
    }
    let other = Database::connect(&f.placement).await.unwrap();
    let worker = |database: Database| async move {
        let mut mine = Vec::new();
        loop {
            let claimed = claim(&database, 2, 7).await;
            if claimed.is_empty() {
                return mine;
            }
            mine.extend(claimed);
        }
    };
    let (first, second) = tokio::join!(tokio::spawn(worker(f.database.clone())), tokio::spawn(worker(other)));
    let (first, second) = (first.unwrap(), second.unwrap());
    let all: HashSet<_> = first.iter().chain(&second).collect();
    assert_eq!((all.len(), first.len() + second.len()), (60, 60));
}

async fn a_lease_keeps_a_message_until_it_ends(f: Fixture) {
    let id = put(&f, &f.tenant(), 1).await;
    assert_eq!(claim(&f.database, 2, 9).await, [id]);
    let waiting = OutboxDepth { pending: 1, dead: 0, next_due: Some(t(3)) };
    assert_eq!(f.database.outbox_depth().await.unwrap(), waiting);
    assert_eq!(f.database.claim_outbox(t(3).plus_seconds(-1), t(9), 9).await.unwrap(), []);
    let again = f.database.claim_outbox(t(3), t(4), 9).await.unwrap();
    assert_eq!((again[0].id, again[0].attempts), (id, 2));
}

async fn a_message_is_put_back_buried_or_finished(f: Fixture) {
    let store = f.tenant();
    let (first, second, third) = (put(&f, &store, 1).await, put(&f, &store, 2).await, put(&f, &store, 3).await);
    assert_eq!(claim(&f.database, 4, 9).await.len(), 3);
    f.database.retry_outbox(first, t(6), "greylisted").await.unwrap();
    f.database.bury_outbox(second, "no such user").await.unwrap();
    f.database.finish_outbox(third).await.unwrap();
    let depth = f.database.outbox_depth().await.unwrap();
    assert_eq!(depth, OutboxDepth { pending: 1, dead: 1, next_due: Some(t(6)) });
    assert!(claim(&f.database, 5, 9).await.is_empty());
    assert_eq!(claim(&f.database, 9, 9).await, [first]);
    f.database.finish_outbox(first).await.unwrap();
    let depth = f.database.outbox_depth().await.unwrap();
    assert_eq!(depth, OutboxDepth { pending: 0, dead: 1, next_due: None });
}

async fn only_committed_messages_are_seen(f: Fixture) {
    let store = f.tenant();
    let message = NewOutbox { id: f.id(), kind: "mail", payload: String::new(), now: t(1) };
    let mut tx = store.begin().await.unwrap();
    tx.outbox().put(message).await.unwrap();
    drop(tx);
    assert!(claim(&f.database, 9, 9).await.is_empty());
    assert_eq!(f.database.outbox_depth().await.unwrap(), OutboxDepth::default());
}

async fn projects_are_passed_over(f: Fixture) {
    let (one, other) = (f.tenant(), f.tenant());
    let older = put(&f, &one, 1).await;
    let newer = put(&f, &other, 2).await;
    let except = async |projects: &[&TenantStore]| -> Vec<Uuid> {
        let projects: Vec<_> = projects.iter().map(|store| store.instance()).collect();
        let rows = f.database.claim_outbox_except(t(3), t(3), 9, &projects).await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(except(&[&one]).await, [newer]);
    assert_eq!(except(&[&other]).await, [older]);
    assert!(except(&[&one, &other]).await.is_empty());
    assert_eq!(except(&[]).await, [older, newer]);
}
