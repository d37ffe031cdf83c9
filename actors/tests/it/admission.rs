//! Bounds: who finds no room is told at once.

use std::time::Duration;

use actors::{AskError, Lane, Limits, Rate};
use domain::project::Status;
use domain::quota::Quota;
use domain::refusal::Refusal;
use tokio::time::Instant;

use crate::support::{Gateway, Latch, ready, session};

/// Asserts that an ask is refused as overloaded without any time passing.
async fn refused_at_once(gateway: &Gateway, name: &str, lane: Lane) {
    let outcome = answered_at_once(gateway, name, lane).await;
    assert!(
        matches!(outcome, Err(AskError::Overloaded { retry_after }) if retry_after > Duration::ZERO),
        "{outcome:?}"
    );
}

/// Asserts that an ask is refused because the project has its hands full, without any time passing.
async fn busy_at_once(gateway: &Gateway, name: &str, lane: Lane) {
    let outcome = answered_at_once(gateway, name, lane).await;
    assert!(matches!(outcome, Err(AskError::Refused(Refusal::QuotaBusy(Quota::InFlight)))), "{outcome:?}");
}

async fn answered_at_once(gateway: &Gateway, name: &str, lane: Lane) -> Result<(), AskError> {
    let before = Instant::now();
    let outcome = gateway.ask(name, ready(lane, ())).await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    outcome
}

#[tokio::test]
async fn a_full_tenant_refuses_at_once_and_its_neighbour_does_not() {
    let gateway = Gateway::paused(Limits { tenant_in_flight: 2, ..Limits::default() }).await;
    gateway.source.create("one");
    gateway.source.create("two");
    let latch = Latch::new();
    let held = [gateway.spawn("one", latch.hold(Lane::Task)), gateway.spawn("one", latch.hold(session(1)))];
    latch.entered().await;
    latch.entered().await;
    busy_at_once(&gateway, "one", Lane::Task).await;
    busy_at_once(&gateway, "one", Lane::Snapshot).await;
    gateway.ask("two", ready(Lane::Task, ())).await.unwrap();
    latch.open();
    for answer in held {
        answer.await.unwrap().unwrap();
    }
    gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
    assert_eq!(gateway.handle.stats().refused, 2);
}

#[tokio::test]
async fn a_full_gateway_refuses_at_once() {
    let gateway = Gateway::paused(Limits { in_flight: 1, ..Limits::default() }).await;
    gateway.source.create("one");
    gateway.source.create("two");
    let latch = Latch::new();
    let held = gateway.spawn("one", latch.hold(Lane::Task));
    latch.entered().await;
    assert_eq!(gateway.handle.stats().in_flight, 1);
    refused_at_once(&gateway, "two", Lane::Task).await;
    latch.open();
    held.await.unwrap().unwrap();
    gateway.ask("two", ready(Lane::Task, ())).await.unwrap();
    assert_eq!(gateway.handle.stats().in_flight, 0);
}

#[tokio::test]
async fn a_full_session_refuses_at_once_and_its_neighbour_does_not() {
    let gateway = Gateway::paused(Limits { entity_in_flight: 2, ..Limits::default() }).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let held = [gateway.spawn("one", latch.hold(session(1))), gateway.spawn("one", latch.hold(session(1)))];
    latch.entered().await;
    refused_at_once(&gateway, "one", session(1)).await;
    gateway.ask("one", ready(session(2), ())).await.unwrap();
    latch.open();
    for answer in held {
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_an_answer_has_room_for_the_next_question() {
    let limits = Limits { in_flight: 1, tenant_in_flight: 1, entity_in_flight: 1, ..Limits::default() };
    let gateway = Gateway::start(limits).await;
    gateway.source.create("one");
    for number in 0..2000 {
        let lane = if number % 2 == 0 { Lane::Task } else { session(1) };
        assert_eq!(gateway.ask("one", ready(lane, number)).await.unwrap(), number);
    }
}

#[tokio::test]
async fn a_project_over_its_rate_is_told_when_to_come_back() {
    let rate = Rate { per_second: 10, burst: 2 };
    let gateway = Gateway::paused(Limits { tenant_rate: Some(rate), ..Limits::default() }).await;
    gateway.source.create("one");
    for _ in 0..2 {
        gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
    }
    let Err(AskError::Limited { retry_after }) = gateway.ask("one", ready(Lane::Task, ())).await else {
        panic!("the third request is over the rate");
    };
    tokio::time::advance(retry_after).await;
    gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
}

#[tokio::test]
async fn a_paused_project_refuses_everything_and_a_deleted_one_is_unknown() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.source.set_status("one", Status::Paused);
    let outcome = gateway.settings("one").await;
    assert!(matches!(outcome, Err(AskError::Refused(Refusal::ProjectPaused))), "{outcome:?}");
    gateway.source.create("two");
    gateway.source.set_status("two", Status::Deleting);
    let outcome = gateway.settings("two").await;
    assert!(matches!(outcome, Err(AskError::UnknownProject)), "{outcome:?}");
}

#[tokio::test]
async fn settings_needed_before_an_ask_take_no_room() {
    let gateway = Gateway::paused(Limits { in_flight: 1, tenant_in_flight: 1, ..Limits::default() }).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let held = gateway.spawn("one", latch.hold(Lane::Task));
    latch.entered().await;
    let deadline = Instant::now() + Duration::from_secs(1);
    let policy = gateway.handle.policy(&crate::support::project("one"), deadline).await.unwrap();
    assert_eq!(policy.site_url, "http://localhost:3000");
    latch.open();
    held.await.unwrap().unwrap();
}

#[tokio::test]
async fn projects_that_wait_for_slow_hooks_leave_room_for_the_others() {
    let gateway = Gateway::paused(Limits { in_flight: 120, tenant_in_flight: 60, ..Limits::default() }).await;
    let latch = Latch::new();
    let mut held = Vec::new();
    for number in 0..10 {
        let name = format!("slow{number}");
        gateway.source.create(&name);
        held.extend((0..60).map(|_| gateway.spawn(&name, latch.hold(Lane::Task))));
    }
    // Every ask is either held by the latch or refused by now.
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let in_flight = gateway.handle.stats().in_flight;
    assert!((60..120).contains(&in_flight), "{in_flight}");
    gateway.source.create("quick");
    for _ in 0..100 {
        gateway.ask("quick", ready(Lane::Task, ())).await.unwrap();
    }
    latch.open();
    let mut answered = 0;
    for answer in held {
        answered += usize::from(answer.await.unwrap().is_ok());
    }
    assert!(answered >= 60, "what was taken on is answered: {answered}");
    assert_eq!(gateway.handle.stats().in_flight, 0);
}
