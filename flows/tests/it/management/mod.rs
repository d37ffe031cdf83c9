//! What operators do with projects.

mod api_keys;
mod config;
mod domains;
mod lifecycle;
mod listing;
mod operators;
mod quotas;
mod sessions;
mod signing_keys;
mod uniqueness;

use std::sync::Arc;

use domain::ids::ProjectRef;
use domain::operator::{Operator, Reach, Role};
use flows::management::{LogView, Management, ReadLog};
use serde_json::{Map, Value};
use testkit::TestApp;
use uuid::Uuid;

/// The members of an object.
fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

/// The gateway's projects in the hand of somebody called `name`, who may do everything with what he reaches.
fn acting(app: &TestApp, name: &str, reach: Reach) -> Management {
    let token = Some(Uuid::from_u128(7));
    let operator = Operator { token, name: name.to_owned(), role: Role::Operator, reach };
    app.management.acting(Arc::new(operator), Some("192.0.2.7".parse().unwrap()))
}

/// What was noted of a project, newest first.
async fn log_of(management: &Management, project: &ProjectRef) -> Vec<LogView> {
    let read = ReadLog { project: Some(project.clone()), ..ReadLog::default() };
    management.operator_log(read).await.unwrap().entries
}
