//! The end: what was accepted is finished, what comes later is refused.

use std::time::Duration;

use actors::{AskError, Health, Lane, Limits};
use tokio::time::Instant;

use crate::support::{Gateway, Latch, ready, session, settle};

#[tokio::test]
async fn a_shutdown_finishes_what_was_accepted_and_refuses_what_comes_later() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let lanes = [session(1), session(1), session(2), Lane::Task, Lane::Challenge("a".to_owned())];
    let accepted: Vec<_> = lanes.into_iter().map(|lane| gateway.spawn("one", latch.hold(lane))).collect();
    for _ in 0..4 {
        latch.entered().await;
    }
    let handle = gateway.handle.clone();
    assert!(handle.is_accepting());
    let shutdown = tokio::spawn(async move { handle.shutdown(Instant::now() + Duration::from_secs(20)).await });
    settle().await;
    tokio::time::advance(Duration::from_secs(10)).await;
    settle().await;
    assert!(!gateway.handle.is_accepting());
    let outcome = gateway.ask("one", ready(Lane::Snapshot, ())).await;
    assert!(matches!(outcome, Err(AskError::Overloaded { .. })), "{outcome:?}");
    assert_eq!(gateway.handle.health(), Health::Running, "it waits for the accepted ones");
    latch.open();
    for answer in accepted {
        answer.await.unwrap().unwrap();
    }
    assert!(shutdown.await.unwrap(), "everything was finished");
    assert_eq!(gateway.handle.ended().await, Health::Stopped);
    assert_eq!(gateway.handle.stats().sessions, 0);
}

#[tokio::test]
async fn a_shutdown_ends_at_its_deadline_and_tells_those_it_cut_off() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let latch = Latch::new();
    let stuck = gateway.spawn("one", latch.hold(session(1)));
    latch.entered().await;
    let begun = Instant::now();
    assert!(!gateway.handle.shutdown(begun + Duration::from_secs(5)).await);
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    let outcome = stuck.await.unwrap();
    assert!(matches!(outcome, Err(AskError::Crashed)), "{outcome:?}");
    assert_eq!(gateway.handle.ended().await, Health::Stopped);
}

#[tokio::test]
async fn an_idle_gateway_stops_at_once() {
    let gateway = Gateway::paused(Limits::default()).await;
    for number in 0..50 {
        let name = format!("p{number:03}");
        gateway.source.create(&name);
        gateway.ask(&name, ready(session(1), ())).await.unwrap();
    }
    let begun = Instant::now();
    assert!(gateway.handle.shutdown(begun + Duration::from_secs(20)).await);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let outcome = gateway.ask("p001", ready(Lane::Task, ())).await;
    assert!(matches!(outcome, Err(AskError::Overloaded { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_second_shutdown_ends_as_well() {
    let gateway = Gateway::paused(Limits::default()).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let (first, second) = tokio::join!(gateway.handle.shutdown(deadline), gateway.handle.shutdown(deadline));
    assert!(first || second);
    assert_eq!(gateway.handle.ended().await, Health::Stopped);
}
