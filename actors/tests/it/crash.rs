//! Crashes cost as little as can be: one caller, one session, one supervisor, one tenant.

use std::time::Duration;

use actors::{AskError, Lane, Limits};
use futures::FutureExt;

use crate::support::{Gateway, Latch, Poison, on, panicking, ready, session, settle};

/// Kills the session supervisor of `name`: it has to turn away an operation that panics when it is dropped.
async fn kill_session_supervisor(gateway: &Gateway, name: &str, number: u128) {
    let latch = Latch::new();
    let held = gateway.spawn(name, latch.hold(session(number)));
    latch.entered().await;
    let outcome = gateway.ask(name, Poison::new(session(number))).await;
    assert!(matches!(outcome, Err(AskError::Overloaded { .. })), "{outcome:?}");
    let outcome = held.await.unwrap();
    assert!(matches!(outcome, Err(AskError::Crashed)), "the leaves die with their supervisor: {outcome:?}");
}

/// Kills the tenant actor of `name`, which is in memory: the caller leaves right after asking, so that the tenant has to
/// turn away an operation that panics when it is dropped.
async fn kill_tenant(gateway: &Gateway, name: &str) {
    let crashes = gateway.handle.stats().actor_crashes;
    let outcome = gateway.ask(name, Poison::new(session(u128::MAX))).now_or_never();
    assert!(outcome.is_none(), "the tenant cannot have run yet: {outcome:?}");
    settle().await;
    assert_eq!(gateway.handle.stats().actor_crashes, crashes + 1, "the tenant did not crash");
}

#[tokio::test]
async fn a_panic_in_a_task_or_snapshot_costs_its_caller_only() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    for lane in [Lane::Task, Lane::Snapshot] {
        let outcome = gateway.ask("one", panicking(lane)).await;
        assert!(matches!(outcome, Err(AskError::Crashed)), "{outcome:?}");
    }
    gateway.settings("one").await.unwrap();
    let stats = gateway.handle.stats();
    assert_eq!((stats.crashed, stats.actor_crashes, stats.activations, stats.in_flight), (2, 0, 1, 0));
}

#[tokio::test]
async fn a_panic_in_a_session_costs_that_session_and_the_next_request_starts_it_anew() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let neighbour = gateway.spawn("one", latch.hold(session(2)));
    latch.entered().await;
    let outcome = gateway.ask("one", panicking(session(1))).await;
    assert!(matches!(outcome, Err(AskError::Crashed)), "{outcome:?}");
    assert_eq!(gateway.ask("one", ready(session(1), 7)).await.unwrap(), 7);
    latch.open();
    neighbour.await.unwrap().unwrap();
    assert_eq!(gateway.handle.stats().activations, 1);
}

#[tokio::test]
async fn a_session_that_keeps_crashing_is_refused_for_a_while() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    for _ in 0..3 {
        assert!(matches!(gateway.ask("one", panicking(session(1))).await, Err(AskError::Crashed)));
    }
    let Err(AskError::Unavailable { retry_after, .. }) = gateway.ask("one", ready(session(1), ())).await else {
        panic!("three crashes are enough");
    };
    gateway.ask("one", ready(session(2), ())).await.unwrap();
    tokio::time::advance(retry_after + Duration::from_secs(1)).await;
    gateway.ask("one", ready(session(1), ())).await.unwrap();
}

#[tokio::test]
async fn a_crash_of_the_session_supervisor_costs_its_sessions_and_nothing_else() {
    let gateway = Gateway::paused(Limits { entity_in_flight: 1, ..Limits::default() }).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let task = gateway.spawn("one", latch.hold(Lane::Task));
    let challenge = gateway.spawn("one", latch.hold(Lane::Challenge("otp".to_owned())));
    latch.entered().await;
    latch.entered().await;
    kill_session_supervisor(&gateway, "one", 1).await;
    assert_eq!(gateway.ask("one", ready(session(1), 7)).await.unwrap(), 7, "the tenant starts another one");
    latch.open();
    task.await.unwrap().unwrap();
    challenge.await.unwrap().unwrap();
    let stats = gateway.handle.stats();
    assert_eq!((stats.activations, stats.in_flight, stats.sessions), (1, 0, 1));
}

#[tokio::test]
async fn a_session_supervisor_that_keeps_crashing_takes_its_tenant_with_it_which_starts_anew() {
    let gateway = Gateway::paused(Limits { entity_in_flight: 1, ..Limits::default() }).await;
    gateway.source.create("one");
    for number in 0..5 {
        kill_session_supervisor(&gateway, "one", number).await;
    }
    assert_eq!(gateway.ask("one", ready(session(1), 7)).await.unwrap(), 7);
    assert_eq!(gateway.handle.stats().activations, 2);
}

#[tokio::test]
async fn a_crash_of_a_tenant_leaves_its_neighbours_alone_and_its_snapshot_goes_on_answering() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.source.create("two");
    let latch = Latch::new();
    let neighbour = gateway.spawn("two", latch.hold(session(1)));
    let own_task = gateway.spawn("one", latch.hold(Lane::Task));
    latch.entered().await;
    latch.entered().await;
    kill_tenant(&gateway, "one").await;
    // Time stands still: the pause before the restart is not over.
    assert_eq!(gateway.handle.stats().activations, 2);
    gateway.settings("one").await.unwrap();
    assert_eq!(gateway.handle.stats().activations, 2, "answered from the last snapshot, without a tenant");
    // What needs the tenant waits for it.
    assert_eq!(gateway.ask("one", ready(session(1), 7)).await.unwrap(), 7);
    assert_eq!(gateway.handle.stats().activations, 3);
    latch.open();
    neighbour.await.unwrap().unwrap();
    own_task.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_meets_a_tenant_that_has_just_died_gets_its_answer_from_the_next_one() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    assert!(gateway.ask("one", Poison::new(session(u128::MAX))).now_or_never().is_none());
    // On one thread: the tenant dies first, then these ask, then the registry hears of it.
    let asked: Vec<_> = (0..10).map(|number| gateway.spawn("one", ready(session(1), number))).collect();
    for (number, answer) in asked.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().unwrap(), number);
    }
    assert_eq!(gateway.handle.stats().activations, 2);
}

#[tokio::test]
async fn sessions_die_with_their_tenant_and_their_callers_hear_of_it() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let held = gateway.spawn("one", latch.hold(session(1)));
    latch.entered().await;
    kill_tenant(&gateway, "one").await;
    let outcome = held.await.unwrap();
    assert!(matches!(outcome, Err(AskError::Crashed)), "{outcome:?}");
    gateway.ask("one", ready(session(1), ())).await.unwrap();
    assert_eq!(gateway.handle.stats().in_flight, 0);
}

#[tokio::test]
async fn a_restarted_tenant_reads_its_configuration_again() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    gateway.source.set_version(2);
    kill_tenant(&gateway, "one").await;
    gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
    settle().await;
    let version = on(Lane::Snapshot, |ctx| async move { Ok(ctx.tenant.config_version) });
    assert_eq!(gateway.ask("one", version).await.unwrap(), 2);
}

#[tokio::test]
async fn a_tenant_that_keeps_crashing_is_quarantined_but_its_snapshot_answers() {
    let limits = Limits { quarantine: Duration::from_secs(30), ..Limits::default() };
    let gateway = Gateway::paused(limits).await;
    gateway.source.create("one");
    gateway.source.create("two");
    gateway.settings("one").await.unwrap();
    for _ in 0..4 {
        kill_tenant(&gateway, "one").await;
        tokio::time::advance(Duration::from_millis(500)).await;
        settle().await;
    }
    assert_eq!(gateway.handle.stats().quarantines, 1);
    let Err(AskError::Unavailable { retry_after, .. }) = gateway.ask("one", ready(Lane::Task, ())).await else {
        panic!("a quarantined tenant does nothing");
    };
    gateway.settings("one").await.unwrap();
    gateway.ask("two", ready(Lane::Task, ())).await.unwrap();
    tokio::time::advance(retry_after + Duration::from_secs(1)).await;
    settle().await;
    gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
}

#[tokio::test]
async fn a_session_forgets_what_it_remembers_when_an_outcome_is_unknown_and_loses_no_request() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let unknown = gateway.spawn("one", {
        let latch = latch.clone();
        on(session(1), move |ctx| async move {
            let memory = ctx.warm.clone().unwrap();
            actors::Operation::run(latch.hold(session(1)), ctx).await?;
            memory.put(crate::support::facts::session(), crate::support::facts::user());
            Err::<(), _>(flows::Error::Unknown("the connection was cut".into()))
        })
    });
    latch.entered().await;
    let remembers = || on(session(1), |ctx| async move { Ok(ctx.warm.unwrap().take().is_some()) });
    let mut queued: Vec<_> = (0..10).map(|_| gateway.spawn("one", remembers())).collect();
    let last = Latch::new();
    let still_busy = gateway.spawn("one", last.hold(session(1)));
    settle().await;
    latch.open();
    let outcome = unknown.await.unwrap();
    assert!(matches!(outcome, Err(AskError::Unavailable { .. })), "{outcome:?}");
    last.entered().await;
    // The actor takes no more, and is not gone yet: these wait for the next one.
    queued.extend((0..10).map(|_| gateway.spawn("one", remembers())));
    settle().await;
    last.open();
    still_busy.await.unwrap().unwrap();
    for answer in queued {
        assert!(!answer.await.unwrap().unwrap(), "the memory is gone");
    }
    assert!(!gateway.ask("one", remembers()).await.unwrap());
    assert_eq!(gateway.handle.stats().actor_crashes, 0);
}

#[tokio::test]
async fn a_session_remembers_between_two_requests() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let put = on(session(1), |ctx| async move {
        ctx.warm.unwrap().put(crate::support::facts::session(), crate::support::facts::user());
        Ok(())
    });
    gateway.ask("one", put).await.unwrap();
    let remembers = on(session(1), |ctx| async move { Ok(ctx.warm.unwrap().take().is_some()) });
    assert!(gateway.ask("one", remembers).await.unwrap());
    let elsewhere = on(Lane::Challenge("a".to_owned()), |ctx| async move { Ok(ctx.warm.is_some()) });
    assert!(!gateway.ask("one", elsewhere).await.unwrap(), "challenges remember nothing");
}

#[tokio::test]
async fn errors_of_a_flow_keep_their_meaning() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let failing = |error: fn() -> flows::Error| on(Lane::Task, move |_| async move { Err::<(), _>(error()) });
    let outcome = gateway.ask("one", failing(|| domain::refusal::Refusal::UserBanned.into())).await;
    assert!(matches!(outcome, Err(AskError::Refused(domain::refusal::Refusal::UserBanned))), "{outcome:?}");
    let outcome = gateway.ask("one", failing(|| flows::Error::Busy("away".into()))).await;
    assert!(matches!(outcome, Err(AskError::Unavailable { .. })), "{outcome:?}");
    let outcome = gateway.ask("one", failing(|| flows::Error::fault("defect"))).await;
    assert!(matches!(outcome, Err(AskError::Fault(_))), "{outcome:?}");
}
