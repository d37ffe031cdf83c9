//! A gateway that has not reached the control store for long: nobody waits for it any more, so it writes nothing.

use std::time::Duration;

use actors::management::CreateProject;
use actors::{AskError, Document, Lane, Limits};

use crate::support::{Whole, ready};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_cut_off_refuses_what_could_write_and_shows_what_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { contact: Duration::from_secs(2), ..Limits::default() };
    let gateway = Whole::within(folder.path(), 1, limits).await;
    let named = CreateProject { project_ref: Some("one".to_owned()), ..CreateProject::default() };
    gateway.handle.manage().create_project(named).await.unwrap();
    let control = &gateway.handle.manage().control;
    while control.gateways().list().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
    control.close().await;
    let refused = async {
        loop {
            match gateway.ask("one", ready(Lane::Task, ())).await {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => return error,
            }
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(20), refused).await.expect("it stops in time");
    assert!(matches!(refused, AskError::Unavailable { .. }), "{refused:?}");
    gateway.ask("one", Document::Settings).await.unwrap();
}
