//! What changes is read again, on this gateway before the change is answered and on others soon after.

use std::sync::Arc;
use std::time::Duration;

use actors::{AskError, Lane, Limits, Operation};
use cluster::Invalidation;
use domain::ids::{ProjectId, UserId};
use domain::project::Status;
use domain::refusal::Refusal;
use uuid::Uuid;

use crate::support::{Gateway, Latch, facts, on, project, ready, session, settle};

fn version() -> impl Operation<Answer = i64> {
    on(Lane::Snapshot, |ctx| async move { Ok(ctx.tenant.config_version) })
}

/// What another gateway, or this one's listener, hears.
async fn publish(gateway: &Gateway, invalidation: Invalidation) {
    gateway.services.cluster.bus.publish(&invalidation).await.unwrap();
    settle().await;
}

#[tokio::test]
async fn a_change_elsewhere_swaps_the_snapshot_without_a_restart() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 1);
    gateway.source.set_version(2);
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 1, "nobody has said so yet");
    publish(&gateway, Invalidation::Config(id)).await;
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 2);
    let stats = gateway.handle.stats();
    assert_eq!((stats.activations, stats.reloads), (1, 1));
}

#[tokio::test]
async fn a_request_keeps_the_snapshot_it_began_with() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    let latch = Latch::new();
    let begun = gateway.spawn("one", {
        let latch = latch.clone();
        on(Lane::Task, move |ctx| async move {
            actors::Operation::run(latch.hold(Lane::Task), ctx.clone()).await?;
            Ok(ctx.tenant.config_version)
        })
    });
    latch.entered().await;
    gateway.source.set_version(2);
    publish(&gateway, Invalidation::Config(id)).await;
    latch.open();
    assert_eq!(begun.await.unwrap().unwrap(), 1);
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 2);
}

#[tokio::test]
async fn who_changes_a_project_here_meets_the_change_with_the_next_ask() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 1);
    gateway.source.set_version(2);
    gateway.handle.manage().cluster.bus.publish(&Invalidation::Config(id)).await.unwrap();
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 2);
    gateway.source.set_status("one", Status::Paused);
    gateway.handle.manage().cluster.bus.publish(&Invalidation::Project(id)).await.unwrap();
    let outcome = gateway.ask("one", version()).await;
    assert!(matches!(outcome, Err(AskError::Refused(Refusal::ProjectPaused))), "{outcome:?}");
}

#[tokio::test]
async fn a_project_made_here_is_known_at_once_though_it_was_unknown_before() {
    let gateway = Gateway::paused(Limits::default()).await;
    assert!(gateway.settings("one").await.is_err());
    let id = gateway.source.create("one");
    assert!(gateway.handle.refresh(id).await);
    gateway.settings("one").await.unwrap();
}

#[tokio::test]
async fn a_project_made_while_it_is_being_looked_for_is_found() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.shut();
    let early = gateway.spawn("one", ready(Lane::Task, 7));
    settle().await;
    let id = gateway.source.create("one");
    assert!(gateway.handle.refresh(id).await);
    gateway.source.open();
    assert_eq!(early.await.unwrap().unwrap(), 7, "what was read before the change does not count");
}

#[tokio::test]
async fn a_change_while_the_project_is_being_loaded_is_not_missed() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    gateway.source.shut();
    let early = gateway.spawn("one", version());
    settle().await;
    gateway.source.set_version(2);
    publish(&gateway, Invalidation::Config(id)).await;
    gateway.source.open();
    assert_eq!(early.await.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn a_project_that_changes_during_every_load_is_served_and_read_again() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    gateway.source.shut();
    let early = gateway.spawn("one", version());
    for number in 2..=4 {
        settle().await;
        gateway.source.set_version(number);
        publish(&gateway, Invalidation::Config(id)).await;
        gateway.source.let_one_through();
    }
    assert_eq!(early.await.unwrap().unwrap(), 3, "it does not wait for ever");
    gateway.source.open();
    settle().await;
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 4);
}

#[tokio::test]
async fn a_change_of_one_project_lets_no_other_be_read_again() {
    let gateway = Gateway::paused(Limits::default()).await;
    let one = gateway.source.create("one");
    for name in ["two", "three"] {
        gateway.source.create(name);
    }
    gateway.settings("one").await.unwrap();
    gateway.settings("two").await.unwrap();
    gateway.source.shut();
    let third = gateway.spawn("three", version());
    settle().await;
    let loads = gateway.source.loads();
    publish(&gateway, Invalidation::Config(one)).await;
    gateway.source.open();
    assert_eq!(third.await.unwrap().unwrap(), 1);
    gateway.settings("two").await.unwrap();
    assert_eq!(gateway.source.loads(), loads + 1, "only the one that changed");
}

#[tokio::test]
async fn a_change_during_a_reload_is_not_missed() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    gateway.source.shut();
    gateway.source.set_version(2);
    publish(&gateway, Invalidation::Config(id)).await;
    gateway.source.set_version(3);
    publish(&gateway, Invalidation::Config(id)).await;
    gateway.source.open();
    settle().await;
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_deleted_project_leaves_memory_and_one_made_anew_is_another() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    gateway.source.delete("one");
    assert!(gateway.handle.refresh(id).await);
    let outcome = gateway.settings("one").await;
    assert!(matches!(outcome, Err(AskError::UnknownProject)), "{outcome:?}");
    assert_eq!(gateway.handle.stats().resident_tenants, 0);
    let anew = gateway.source.create("one");
    assert!(gateway.handle.refresh(anew).await);
    let found = on(Lane::Snapshot, |ctx| async move { Ok(ctx.tenant.project.id) });
    assert_eq!(gateway.ask("one", found).await.unwrap(), anew);
}

#[tokio::test]
async fn a_project_deleted_and_made_anew_between_two_reads_is_another() {
    let gateway = Gateway::paused(Limits::default()).await;
    let old = gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    gateway.source.delete("one");
    let anew = gateway.source.create("one");
    assert!(gateway.handle.refresh(old).await);
    assert!(gateway.handle.refresh(anew).await);
    let found = on(Lane::Snapshot, |ctx| async move { Ok(ctx.tenant.project.id) });
    assert_eq!(gateway.ask("one", found).await.unwrap(), anew);
    gateway.source.set_version(2);
    publish(&gateway, Invalidation::Config(anew)).await;
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 2, "the new one's changes are heard");
}

#[tokio::test]
async fn while_a_reload_fails_the_last_snapshot_serves_and_the_reload_is_repeated() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    gateway.source.set_version(2);
    gateway.source.fail(true);
    publish(&gateway, Invalidation::Config(id)).await;
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 1);
    gateway.source.fail(false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(gateway.ask("one", version()).await.unwrap(), 2);
}

#[tokio::test]
async fn sessions_that_ended_elsewhere_are_forgotten_here() {
    let gateway = Gateway::paused(Limits::default()).await;
    let project = gateway.source.create("one");
    let put = |number| {
        on(session(number), |ctx| async move {
            ctx.warm.unwrap().put(facts::session(), facts::user());
            Ok(())
        })
    };
    let remembers = |number| on(session(number), |ctx| async move { Ok(ctx.warm.unwrap().take().is_some()) });
    gateway.ask("one", put(1)).await.unwrap();
    gateway.ask("one", put(2)).await.unwrap();
    let sessions = vec![facts::session().id];
    publish(&gateway, Invalidation::Sessions { project, user: UserId(Uuid::nil()), sessions }).await;
    assert!(!gateway.ask("one", remembers(1)).await.unwrap());
    assert!(gateway.ask("one", remembers(2)).await.unwrap());
}

#[tokio::test]
async fn after_missed_invalidations_every_project_is_read_again() {
    let gateway = Gateway::paused(Limits::default()).await;
    for name in ["one", "two"] {
        gateway.source.create(name);
        gateway.settings(name).await.unwrap();
    }
    gateway.source.set_version(2);
    // More than a subscriber may fall behind.
    let bus = Arc::clone(&gateway.services.cluster.bus);
    for number in 0..5000_u128 {
        let user = UserId(Uuid::from_u128(number));
        let project = ProjectId(Uuid::nil());
        bus.publish(&Invalidation::Sessions { project, user, sessions: Vec::new() }).await.unwrap();
    }
    settle().await;
    for name in ["one", "two"] {
        assert_eq!(gateway.ask(name, version()).await.unwrap(), 2);
    }
    assert!(gateway.handle.policy(&project("one"), tokio::time::Instant::now()).await.is_ok());
}
