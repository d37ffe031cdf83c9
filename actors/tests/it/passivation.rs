//! What nobody asks for leaves memory, and no request is lost or done twice over it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::{AskError, Lane, Limits};

use crate::support::{Gateway, Latch, on, ready, session, settle};

#[tokio::test]
async fn an_idle_session_leaves_and_a_used_one_stays() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.ask("one", ready(session(1), ())).await.unwrap();
    gateway.ask("one", ready(Lane::Challenge("a".to_owned()), ())).await.unwrap();
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        gateway.ask("one", ready(session(2), ())).await.unwrap();
    }
    assert_eq!(gateway.handle.stats().sessions, 1);
    tokio::time::sleep(Duration::from_secs(90)).await;
    let stats = gateway.handle.stats();
    assert_eq!((stats.sessions, stats.challenges, stats.resident_tenants), (0, 0, 1));
    gateway.ask("one", ready(session(1), ())).await.unwrap();
}

#[tokio::test]
async fn an_idle_tenant_leaves_and_comes_back() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.ask("one", ready(session(1), ())).await.unwrap();
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    let stats = gateway.handle.stats();
    assert_eq!((stats.resident_tenants, stats.passivations), (0, 1));
    gateway.ask("one", ready(session(1), ())).await.unwrap();
    assert_eq!(gateway.handle.stats().activations, 2);
}

#[tokio::test]
async fn a_tenant_with_work_in_hand_stays_however_long_that_takes() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(7200);
    let held = tokio::spawn({
        let (handle, operation) = (gateway.handle.clone(), latch.hold(session(1)));
        async move { handle.ask(&"one".parse().unwrap(), Default::default(), deadline, operation).await }
    });
    latch.entered().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let stats = gateway.handle.stats();
    assert_eq!((stats.resident_tenants, stats.sessions), (1, 1));
    latch.open();
    held.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_least_recently_used_tenants_make_room() {
    let gateway = Gateway::paused(Limits { resident_tenants: 32, ..Limits::default() }).await;
    for number in 0..200 {
        let name = format!("p{number:03}");
        gateway.source.create(&name);
        gateway.settings(&name).await.unwrap();
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    settle().await;
    let stats = gateway.handle.stats();
    assert!(stats.resident_tenants <= 32, "{stats:?}");
    let before = gateway.source.loads();
    gateway.settings("p199").await.unwrap();
    assert_eq!(gateway.source.loads(), before, "the last one is still there");
    gateway.settings("p000").await.unwrap();
    assert_eq!(gateway.source.loads(), before + 1, "the first one is not");
}

#[tokio::test]
async fn a_project_has_at_most_so_many_sessions_in_memory() {
    let gateway = Gateway::paused(Limits { leaves_per_tenant: 10, ..Limits::default() }).await;
    gateway.source.create("one");
    for number in 0..100 {
        gateway.ask("one", ready(session(number), ())).await.unwrap();
        settle().await;
        assert!(gateway.handle.stats().sessions <= 11);
    }
}

/// What the requests of a storm did, as the "database" sees it, and what their callers were told.
#[derive(Default)]
struct Tally {
    effects: AtomicU64,
    done: AtomicU64,
    crashed: AtomicU64,
    overlaps: AtomicU64,
    turned_away: AtomicU64,
}

/// How many are at work in each session or challenge right now.
type Places = Mutex<HashMap<(String, Lane), Arc<AtomicU64>>>;

/// The count for `lane`; tasks have one each.
fn occupied_by(places: &Places, tenant: &str, lane: &Lane) -> Arc<AtomicU64> {
    if *lane == Lane::Task {
        return Arc::default();
    }
    Arc::clone(places.lock().unwrap().entry((tenant.to_owned(), lane.clone())).or_default())
}

/// Thousands of requests while everything leaves memory all the time and some requests are poison: every one gets exactly
/// one answer, and what was answered as done was done once.
async fn storm(limits: Limits, tenants: u64, sessions: u64, callers: u64, each: u64, poison_every: u64) -> Gateway {
    let gateway = Arc::new(Gateway::start(limits).await);
    for tenant in 0..tenants {
        gateway.source.create(&format!("t{tenant:03}"));
    }
    let (tally, places) = (Arc::new(Tally::default()), Arc::new(Places::default()));
    let callers = (0..callers).map(|caller| {
        let (gateway, tally, places) = (Arc::clone(&gateway), Arc::clone(&tally), Arc::clone(&places));
        tokio::spawn(async move {
            let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ (caller + 1);
            for _ in 0..each {
                let tenant = format!("t{:03}", next(&mut random) % tenants);
                let key = next(&mut random) % sessions;
                let lane = match next(&mut random) % 4 {
                    0 => Lane::Task,
                    1 => Lane::Challenge(key.to_string()),
                    _ => session(u128::from(key)),
                };
                let poisoned = poison_every > 0 && next(&mut random).is_multiple_of(poison_every);
                let (effects, occupied) = (Arc::clone(&tally), occupied_by(&places, &tenant, &lane));
                let operation = on(lane, move |_| async move {
                    assert!(!poisoned, "injected");
                    let alone = occupied.fetch_add(1, Ordering::SeqCst) == 0;
                    tokio::task::yield_now().await;
                    occupied.fetch_sub(1, Ordering::SeqCst);
                    effects.overlaps.fetch_add(u64::from(!alone), Ordering::Relaxed);
                    effects.effects.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                });
                match gateway.ask(&tenant, operation).await {
                    Ok(()) => tally.done.fetch_add(1, Ordering::Relaxed),
                    Err(AskError::Crashed) => tally.crashed.fetch_add(1, Ordering::Relaxed),
                    Err(AskError::Unavailable { .. }) => tally.turned_away.fetch_add(1, Ordering::Relaxed),
                    Err(error) => panic!("{error:?}"),
                };
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let expected = callers.len() as u64 * each;
    for caller in callers {
        caller.await.unwrap();
    }
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let answered = read(&tally.done) + read(&tally.crashed) + read(&tally.turned_away);
    assert_eq!(answered, expected, "every request has exactly one answer");
    assert_eq!(read(&tally.effects), read(&tally.done), "nothing is lost and nothing done twice");
    assert_eq!(read(&tally.overlaps), 0, "one key never has two actors");
    if poison_every == 0 {
        assert_eq!(read(&tally.done), expected, "without poison nobody is turned away");
    }
    assert_eq!(gateway.handle.stats().in_flight, 0, "every permit is home");
    Arc::into_inner(gateway).unwrap()
}

fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random
}

fn restless() -> Limits {
    Limits {
        tenant_idle: Duration::from_millis(2),
        session_idle: Duration::from_millis(2),
        challenge_idle: Duration::from_millis(2),
        ..Limits::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_tenants_and_sessions_come_and_go() {
    let gateway = storm(restless(), 200, 4, 16, 500, 0).await;
    let stats = gateway.handle.stats();
    assert!(stats.passivations > 100, "the storm was too calm: {stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_the_least_used_tenants_make_room() {
    let limits = Limits { resident_tenants: 32, ..Limits::default() };
    let gateway = storm(limits, 200, 4, 16, 500, 0).await;
    let stats = gateway.handle.stats();
    assert!(stats.passivations > 100, "the storm was too calm: {stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_sessions_crash_and_leave() {
    let gateway = storm(restless(), 50, 50, 16, 400, 50).await;
    let stats = gateway.handle.stats();
    assert!(stats.actor_crashes > 20, "the storm was too calm: {stats:?}");
}
