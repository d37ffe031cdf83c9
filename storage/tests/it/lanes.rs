//! Statements that requests share: nobody pays for whom he travels with.

use std::future::poll_fn;
use std::task::Poll;

use domain::ids::{SessionId, UserId};
use storage::{Database, ReadUser, RotateSession, StoreError, TenantStore};
use tokio::task::{JoinHandle, JoinSet};

use crate::fixture::{Fixture, on_sqlite, t};

on_both! {
    a_rotation_that_fails_costs_its_neighbours_nothing
    rotations_of_callers_who_left_cost_the_others_nothing
    who_give_the_newest_token_again_share_a_write
    what_the_newest_token_is_moves_on_beside_those_who_give_it_again
    two_gateways_rotate_the_same_sessions_in_any_order
    reads_of_strangers_and_of_nobody_travel_together
    reads_of_callers_who_left_cost_the_others_nothing
}

/// A store of its own for the same rows, as another gateway has it.
async fn elsewhere(f: &Fixture, store: &TenantStore) -> TenantStore {
    TenantStore::new(Database::connect(&f.placement).await.unwrap(), store.instance())
}

async fn signed_in(f: &Fixture, store: &TenantStore, count: usize) -> Vec<(UserId, SessionId)> {
    let mut made = Vec::new();
    for n in 0..count {
        made.push(f.signed_in(store, &format!("user-{n}@example.com")).await);
    }
    made
}

fn rotate(f: &Fixture, session: SessionId, expected: i64, next: i64) -> RotateSession {
    RotateSession {
        session,
        expected_counter: expected,
        next_counter: next,
        user_agent: None,
        ip: None,
        audit: vec![f.audit("token_refreshed")],
        now: t(10),
    }
}

fn spawn(store: &TenantStore, rotate: RotateSession) -> JoinHandle<Result<Option<ReadUser>, StoreError>> {
    let store = store.clone();
    tokio::spawn(async move { store.rotate_session(rotate).await })
}

async fn counters(f: &Fixture) -> i64 {
    f.number("select cast(sum(refresh_token_counter) as bigint) from auth.sessions").await
}

async fn a_rotation_that_fails_costs_its_neighbours_nothing(f: Fixture) {
    let store = f.tenant();
    let sessions = signed_in(&f, &store, 24).await;
    let taken = f.audit("first");
    let mut tx = store.begin().await.unwrap();
    tx.audit().insert(taken.clone()).await.unwrap();
    tx.commit().await.unwrap();
    // Every sixth brings an audit row whose id there is already.
    let turns = (0..).zip(&sessions).map(|(n, (_, session))| {
        let mut rotate = rotate(&f, *session, 0, 1);
        if n % 6 == 0 {
            rotate.audit.push(taken.clone());
        }
        (n, spawn(&store, rotate))
    });
    for (n, turn) in turns.collect::<Vec<_>>() {
        match turn.await.unwrap() {
            Ok(rotated) => assert!(rotated.is_some() && n % 6 != 0, "{n}"),
            Err(error) => assert!(n % 6 == 0 && matches!(error, StoreError::Conflict), "{n}: {error}"),
        }
    }
    assert_eq!(counters(&f).await, 20);
    assert_eq!(f.count("auth.audit_log_entries").await, 21);
}

/// Who comes while the file is being written waits, and is written with all others who do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_on_sqlite_take_as_many_statements_as_one() {
    on_sqlite(|f| async move {
        let store = f.tenant();
        let sessions = signed_in(&f, &store, 64).await;
        let writing = store.begin().await.unwrap();
        let before = f.database.statements();
        let mut turns: Vec<_> =
            sessions.iter().map(|(_, session)| Box::pin(store.rotate_session(rotate(&f, *session, 0, 1)))).collect();
        poll_fn(|context| {
            assert!(turns.iter_mut().all(|turn| turn.as_mut().poll(context).is_pending()));
            Poll::Ready(())
        })
        .await;
        writing.commit().await.unwrap();
        for turn in turns {
            assert!(turn.await.unwrap().is_some());
        }
        // BEGIN, the update, the audit, the read and COMMIT: for those who were on their way already, and for the rest.
        let statements = f.database.statements() - before - 1;
        assert!(statements <= 10, "{statements}");
        assert_eq!((counters(&f).await, f.count("auth.audit_log_entries").await), (64, 64));
    })
    .await;
}

async fn rotations_of_callers_who_left_cost_the_others_nothing(f: Fixture) {
    let store = f.tenant();
    let sessions = signed_in(&f, &store, 40).await;
    let mut turns: Vec<_> = sessions.iter().map(|(_, session)| spawn(&store, rotate(&f, *session, 0, 1))).collect();
    tokio::task::yield_now().await;
    let staying = turns.split_off(20);
    turns.iter().for_each(JoinHandle::abort);
    for turn in staying {
        assert!(turn.await.unwrap().unwrap().is_some());
    }
    // Who left may have been too late to take his rotation back: it happened whole, or not at all.
    let rotated = counters(&f).await;
    assert!((20..=40).contains(&rotated), "{rotated}");
    assert_eq!(f.count("auth.audit_log_entries").await, rotated);
}

async fn who_give_the_newest_token_again_share_a_write(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    store.rotate_session(rotate(&f, session, 0, 1)).await.unwrap().unwrap();
    let before = f.database.statements();
    let turns: Vec<_> = (0..64).map(|_| spawn(&store, rotate(&f, session, 1, 1))).collect();
    for turn in turns {
        let again = turn.await.unwrap().unwrap().unwrap();
        assert_eq!(again.session.map(|session| session.refresh_token_counter), Some(Some(1)));
    }
    if f.is_postgres() {
        assert!(f.database.statements() - before < 32, "nothing travelled together");
    }
    assert_eq!(f.read(&store, user, session).await.session.unwrap().refresh_token_counter, Some(1));
    assert_eq!(f.count("auth.audit_log_entries").await, 65, "each of them is audited");
}

async fn what_the_newest_token_is_moves_on_beside_those_who_give_it_again(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let mut turns = JoinSet::new();
    for n in 0..40 {
        let (store, rotate) = (store.clone(), rotate(&f, session, 0, i64::from(n == 20)));
        turns.spawn(async move { (n == 20, store.rotate_session(rotate).await.unwrap().is_some()) });
    }
    let ended = turns.join_all().await;
    assert!(ended.contains(&(true, true)), "who moves it on meets nobody else who does");
    let happened = ended.iter().filter(|(_, happened)| *happened).count();
    assert_eq!(f.read(&store, user, session).await.session.unwrap().refresh_token_counter, Some(1));
    assert_eq!(f.count("auth.audit_log_entries").await, i64::try_from(happened).unwrap());
}

async fn two_gateways_rotate_the_same_sessions_in_any_order(f: Fixture) {
    let store = f.tenant();
    let other = elsewhere(&f, &store).await;
    let sessions = signed_in(&f, &store, 24).await;
    let there = sessions.iter().map(|(_, session)| spawn(&store, rotate(&f, *session, 0, 1)));
    let back = sessions.iter().rev().map(|(_, session)| spawn(&other, rotate(&f, *session, 0, 1)));
    let mut winners = 0;
    for turn in there.chain(back).collect::<Vec<_>>() {
        winners += usize::from(turn.await.unwrap().unwrap().is_some());
    }
    assert_eq!(winners, sessions.len());
    assert_eq!(f.count("auth.audit_log_entries").await, 24);
}

async fn reads_of_strangers_and_of_nobody_travel_together(f: Fixture) {
    let (one, other) = (f.tenant(), f.tenant());
    let (ada, session) = f.signed_in(&one, "ada@example.com").await;
    let (bob, _) = f.signed_in(&other, "bob@example.com").await;
    let mut reads = JoinSet::new();
    for n in 0..60 {
        let (one, other) = (one.clone(), other.clone());
        reads.spawn(async move {
            match n % 5 {
                0 => assert_eq!(one.read_user(ada, Some(session)).await.unwrap().unwrap().session.unwrap().id, session),
                1 => assert!(one.read_user(ada, None).await.unwrap().unwrap().session.is_none()),
                2 => assert_eq!(other.read_user(bob, Some(session)).await.unwrap().unwrap().session, None),
                3 => assert!(other.read_user(ada, Some(session)).await.unwrap().is_none(), "of another project"),
                _ => assert!(other.read_session(session).await.unwrap().is_none(), "of another project"),
            }
        });
    }
    reads.join_all().await;
}

async fn reads_of_callers_who_left_cost_the_others_nothing(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let read = |_| {
        let store = store.clone();
        tokio::spawn(async move { store.read_user(user, Some(session)).await.unwrap() })
    };
    let mut reads: Vec<_> = (0..40).map(read).collect();
    tokio::task::yield_now().await;
    let staying = reads.split_off(20);
    reads.iter().for_each(JoinHandle::abort);
    for read in staying {
        assert_eq!(read.await.unwrap().unwrap().user.id, user);
    }
}
