use storage::{DeadLetter, NewOutbox, OutboxDepth, TenantStore};
use uuid::Uuid;

use crate::fixture::{Fixture, t};

on_both! {
    the_operator_sees_what_was_given_up
    a_letter_is_delivered_again_or_discarded_once
    letters_of_other_projects_are_out_of_reach
    what_a_dead_worker_held_is_taken_over
}

async fn put(f: &Fixture, store: &TenantStore, hour: i64) -> Uuid {
    let id = f.id();
    let mut tx = store.begin().await.unwrap();
    tx.outbox().put(NewOutbox { id, kind: "mail", payload: "sealed".to_owned(), now: t(hour) }).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// A message that was tried once and given up.
async fn dead(f: &Fixture, store: &TenantStore, hour: i64) -> Uuid {
    let id = put(f, store, hour).await;
    let claimed = f.database.claim_outbox(t(hour), t(hour + 1), 9).await.unwrap();
    assert!(claimed.iter().any(|row| row.id == id));
    f.database.bury_outbox(id, "no such mailbox").await.unwrap();
    id
}

async fn the_operator_sees_what_was_given_up(f: Fixture) {
    let store = f.tenant();
    let (older, newer) = (dead(&f, &store, 1).await, dead(&f, &store, 2).await);
    put(&f, &store, 3).await;
    put(&f, &f.tenant(), 1).await;
    let letter = |id, hour| DeadLetter {
        id,
        kind: "mail".to_owned(),
        attempts: 1,
        last_error: "no such mailbox".to_owned(),
        created_at: t(hour),
    };
    assert_eq!(store.dead_letters(9, 0).await.unwrap(), [letter(newer, 2), letter(older, 1)]);
    assert_eq!(store.dead_letters(1, 1).await.unwrap(), [letter(older, 1)]);
    let depth = OutboxDepth { pending: 1, dead: 2, next_due: Some(t(3)) };
    assert_eq!(store.outbox_depth().await.unwrap(), depth);
    assert_eq!(f.tenant().outbox_depth().await.unwrap(), OutboxDepth::default());
}

async fn a_letter_is_delivered_again_or_discarded_once(f: Fixture) {
    let store = f.tenant();
    let (again, gone) = (dead(&f, &store, 1).await, dead(&f, &store, 2).await);
    let pending = put(&f, &store, 50).await;
    assert!(store.retry_dead(again, t(5)).await.unwrap());
    assert!(!store.retry_dead(again, t(5)).await.unwrap());
    assert!(!store.discard_dead(again).await.unwrap());
    assert!(!store.discard_dead(pending).await.unwrap());
    assert!(store.discard_dead(gone).await.unwrap());
    assert!(!store.discard_dead(gone).await.unwrap());
    assert!(!store.retry_dead(gone, t(5)).await.unwrap());
    assert!(store.dead_letters(9, 0).await.unwrap().is_empty());
    assert!(f.database.claim_outbox(t(5).plus_seconds(-1), t(9), 9).await.unwrap().is_empty());
    let claimed = f.database.claim_outbox(t(5), t(9), 9).await.unwrap();
    assert_eq!(claimed.iter().map(|row| (row.id, row.attempts)).collect::<Vec<_>>(), [(again, 1)]);
}

async fn letters_of_other_projects_are_out_of_reach(f: Fixture) {
    let (owner, stranger) = (f.tenant(), f.tenant());
    let id = dead(&f, &owner, 1).await;
    assert!(stranger.dead_letters(9, 0).await.unwrap().is_empty());
    assert!(!stranger.retry_dead(id, t(5)).await.unwrap());
    assert!(!stranger.discard_dead(id).await.unwrap());
    assert_eq!(owner.dead_letters(9, 0).await.unwrap().len(), 1);
}

async fn what_a_dead_worker_held_is_taken_over(f: Fixture) {
    let store = f.tenant();
    let id = put(&f, &store, 1).await;
    let held = f.database.claim_outbox(t(2), t(3), 9).await.unwrap();
    assert_eq!((held[0].id, held[0].attempts), (id, 1));
    // The worker is gone: it neither finishes nor gives back.
    let other = storage::Database::connect(&f.placement).await.unwrap();
    assert!(other.claim_outbox(t(3).plus_seconds(-1), t(9), 9).await.unwrap().is_empty());
    let taken = other.claim_outbox(t(3), t(4), 9).await.unwrap();
    assert_eq!((taken[0].id, taken[0].attempts, taken[0].payload.as_str()), (id, 2, "sealed"));
    assert_eq!(store.outbox_depth().await.unwrap().pending, 1);
}
