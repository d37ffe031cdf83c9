//! Projects that are held for a moment, paused or deleted: what they answer, and what is left of them in memory.

use std::time::Duration;

use actors::{AskError, Lane, Limits};
use domain::ids::ProjectId;
use domain::project::{Hold, HoldReason, Status};
use domain::refusal::Refusal;
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::{Gateway, Latch, project, ready, settle};

async fn hold(gateway: &Gateway, id: ProjectId, seconds: i64) {
    let until = gateway.services.clock.now().plus_seconds(seconds);
    let hold = Hold { reason: HoldReason::Moving, id: Uuid::nil(), until };
    gateway.source.change("one", |project| project.hold = Some(hold));
    assert!(gateway.handle.refresh(id).await);
}

#[tokio::test]
async fn a_held_project_refuses_what_could_write_and_shows_what_it_is() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    gateway.source.create("two");
    gateway.settings("one").await.unwrap();
    hold(&gateway, id, 30).await;
    let outcome = gateway.ask("one", ready(Lane::Task, ())).await;
    assert!(matches!(outcome, Err(AskError::Refused(Refusal::ProjectHeld))), "{outcome:?}");
    gateway.settings("one").await.unwrap();
    gateway.ask("two", ready(Lane::Task, ())).await.unwrap();
    gateway.source.change("one", |project| project.hold = None);
    assert!(gateway.handle.refresh(id).await);
    gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
}

#[tokio::test]
async fn a_hold_ends_by_itself_and_the_project_is_read_again_before_it_serves() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    hold(&gateway, id, 30).await;
    assert!(gateway.ask("one", ready(Lane::Task, ())).await.is_err());
    tokio::time::advance(Duration::from_secs(31)).await;
    let loads = gateway.source.loads();
    for _ in 0..3 {
        gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
    }
    assert_eq!(gateway.source.loads(), loads + 1, "once, though the old hold still stands in the store");
}

#[tokio::test]
async fn a_project_whose_hold_ended_is_not_served_while_it_cannot_be_read() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    hold(&gateway, id, 30).await;
    tokio::time::advance(Duration::from_secs(31)).await;
    gateway.source.fail(true);
    let outcome = gateway.ask_within(Duration::from_secs(3), "one", ready(Lane::Task, ())).await;
    assert!(matches!(outcome, Err(AskError::Unavailable { .. } | AskError::Timeout)), "{outcome:?}");
    gateway.source.fail(false);
    tokio::time::sleep(Duration::from_secs(5)).await;
    gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
}

#[tokio::test]
async fn a_paused_project_leaves_memory_and_those_inside_are_served_to_the_end() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    let latch = Latch::new();
    let held = gateway.spawn("one", latch.hold(Lane::Task));
    latch.entered().await;
    gateway.source.set_status("one", Status::Paused);
    assert!(gateway.handle.refresh(id).await);
    let loads = gateway.source.loads();
    for _ in 0..10 {
        let outcome = gateway.ask("one", ready(Lane::Task, ())).await;
        assert!(matches!(outcome, Err(AskError::Refused(Refusal::ProjectPaused))), "{outcome:?}");
    }
    let policy = gateway.handle.policy(&project("one"), Instant::now() + Duration::from_secs(1)).await.unwrap();
    assert_eq!(policy.site_url, "http://localhost:3000", "who asks learns why, on any page");
    assert!(gateway.source.loads() <= loads + 1, "it is known without being in memory");
    assert_eq!(gateway.handle.stats().resident_tenants, 0);
    latch.open();
    held.await.unwrap().unwrap();
    settle().await;
    assert_eq!(gateway.handle.stats().in_flight, 0);
    gateway.source.set_status("one", Status::Active);
    assert!(gateway.handle.refresh(id).await);
    gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
}
