//! The operator's changes, over real databases: met by the next request here, and soon by other gateways.

use std::time::Duration;

use actors::management::CreateProject;
use actors::{AskError, Document, Lane};
use domain::refusal::Refusal;
use serde_json::{Value, json};
use storage::NewOutbox;
use uuid::Uuid;

use crate::support::{Whole, on, project};

fn named(name: &str) -> CreateProject {
    CreateProject { project_ref: Some(name.to_owned()), ..CreateProject::default() }
}

async fn disables_signup(gateway: &Whole, name: &str) -> bool {
    let settings = gateway.ask(name, Document::Settings).await.unwrap();
    serde_json::to_value(settings).unwrap()["disable_signup"] == json!(true)
}

fn patch(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn what_an_operator_changes_is_what_the_next_request_meets() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Whole::start(folder.path(), 1).await;
    let (manage, one) = (gateway.handle.manage(), project("one"));
    assert!(matches!(gateway.ask("one", Document::Settings).await, Err(AskError::UnknownProject)));

    manage.create_project(named("one")).await.unwrap();
    assert!(!disables_signup(&gateway, "one").await);

    for disabled in [true, false, true] {
        manage.patch_config(&one, &patch(json!({ "disable_signup": disabled }))).await.unwrap();
        assert_eq!(disables_signup(&gateway, "one").await, disabled);
    }

    manage.set_paused(&one, true).await.unwrap();
    let outcome = gateway.ask("one", Document::Settings).await;
    assert!(matches!(outcome, Err(AskError::Refused(Refusal::ProjectPaused))), "{outcome:?}");
    manage.set_paused(&one, false).await.unwrap();
    assert!(disables_signup(&gateway, "one").await);

    manage.delete_project(&one, None).await.unwrap();
    let outcome = gateway.ask("one", Document::Settings).await;
    assert!(matches!(outcome, Err(AskError::UnknownProject)), "{outcome:?}");
}

#[tokio::test]
async fn a_gateway_that_hears_nothing_follows_the_control_store() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (Whole::start(folder.path(), 1).await, Whole::start(folder.path(), 2).await);
    assert!(matches!(there.ask("one", Document::Settings).await, Err(AskError::UnknownProject)));
    here.handle.manage().create_project(named("one")).await.unwrap();
    let created = async {
        while there.ask("one", Document::Settings).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), created).await.expect("the project is known there");

    let change = patch(json!({ "disable_signup": true }));
    here.handle.manage().patch_config(&project("one"), &change).await.unwrap();
    let changed = async {
        while !disables_signup(&there, "one").await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), changed).await.expect("the change is served there");
}

#[tokio::test]
async fn what_a_transaction_promised_is_delivered_after_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = Whole::start(folder.path(), 1).await;
    gateway.handle.manage().create_project(named("one")).await.unwrap();
    let put = |id, commit: bool| {
        on(Lane::Task, move |ctx| async move {
            let mut tx = ctx.store().begin().await?;
            let row = NewOutbox { id, kind: "mail", payload: "sealed".to_owned(), now: ctx.now };
            tx.outbox().put(row).await?;
            if commit {
                tx.commit().await?;
            }
            ctx.services.outbox.wake(&ctx.tenant);
            Ok(())
        })
    };
    let (dropped, kept) = (Uuid::from_u128(1), Uuid::from_u128(2));
    gateway.ask("one", put(dropped, false)).await.unwrap();
    gateway.ask("one", put(kept, true)).await.unwrap();
    let delivered = tokio::time::timeout(Duration::from_secs(10), gateway.delivered.recv()).await.unwrap().unwrap();
    assert_eq!((delivered.id, delivered.attempts), (kept, 1));
}
