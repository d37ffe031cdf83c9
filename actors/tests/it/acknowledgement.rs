//! Gateways say how far they have followed the list of changes, and not before that is true.

use std::path::Path;
use std::time::Duration;

use actors::management::CreateProject;
use actors::{AskError, Document, Lane};

use crate::support::{Latch, Whole, project, ready};

async fn with_project(folder: &Path) -> Whole {
    let gateway = Whole::start(folder, 1).await;
    let named = CreateProject { project_ref: Some("one".to_owned()), ..CreateProject::default() };
    gateway.handle.manage().create_project(named).await.unwrap();
    gateway.ask("one", Document::Settings).await.unwrap();
    gateway
}

/// Whether every gateway has acknowledged all changes until now.
async fn acknowledged(gateway: &Whole) -> bool {
    let control = &gateway.handle.manage().control;
    let latest = control.events().latest().await.unwrap();
    let gateways = control.gateways().list().await.unwrap();
    !gateways.is_empty() && gateways.iter().all(|gateway| gateway.seq >= latest)
}

async fn eventually(condition: impl AsyncFn() -> bool) {
    let asking = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    let held = tokio::time::timeout(Duration::from_secs(20), asking).await;
    assert!(held.is_ok(), "the condition holds in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gateway_acknowledges_a_change_and_one_that_leaves_is_waited_for_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let here = with_project(folder.path()).await;
    let there = Whole::start(folder.path(), 2).await;
    there.ask("one", Document::Settings).await.unwrap();
    let patch = serde_json::json!({ "disable_signup": true });
    here.handle.manage().patch_config(&project("one"), patch.as_object().unwrap()).await.unwrap();
    eventually(async || acknowledged(&here).await).await;
    let settings = there.ask("one", Document::Settings).await.unwrap();
    assert_eq!(serde_json::to_value(settings).unwrap()["disable_signup"], true, "who acknowledged it serves it");
    let control = &here.handle.manage().control;
    assert_eq!(control.gateways().list().await.unwrap().len(), 2);
    there.handle.shutdown(tokio::time::Instant::now() + Duration::from_secs(5)).await;
    assert_eq!(control.gateways().list().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_is_acknowledged_when_those_inside_have_left() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = with_project(folder.path()).await;
    let latch = Latch::new();
    let inside = tokio::spawn({
        let (handle, operation) = (gateway.handle.clone(), latch.hold(Lane::Task));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        async move { handle.ask(&project("one"), Default::default(), deadline, operation).await }
    });
    latch.entered().await;
    eventually(async || acknowledged(&gateway).await).await;
    gateway.handle.manage().set_paused(&project("one"), true).await.unwrap();
    assert!(matches!(gateway.ask("one", ready(Lane::Task, ())).await, Err(AskError::Refused(_))));
    // Changes of other projects are followed meanwhile.
    let named = CreateProject { project_ref: Some("two".to_owned()), ..CreateProject::default() };
    gateway.handle.manage().create_project(named).await.unwrap();
    gateway.ask("two", Document::Settings).await.unwrap();
    for _ in 0..200 {
        tokio::task::yield_now().await;
        assert!(!acknowledged(&gateway).await, "somebody is inside");
    }
    latch.open();
    inside.await.unwrap().unwrap();
    eventually(async || acknowledged(&gateway).await).await;
}
