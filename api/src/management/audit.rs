//! `/v1/audit` and `/v1/projects/{ref}/audit`, Tenantry's own: what operators changed, with what it was before; secrets masked.

use actors::management::{LogPage, LogView, ReadLog};
use axum::response::Response;
use domain::ids::ProjectRef;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::operator::{Operator, refused};
use crate::management::{answer, message};

/// A page of what operators changed.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorLog)]
pub(super) struct Log<'a> {
    entries: Vec<Entry<'a>>,
    /// The `before` of the next page.
    next: Option<i64>,
}

/// One change.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorLogEntry)]
struct Entry<'a> {
    seq: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    token: By<'a>,
    /// Where the request came from.
    address: Option<&'a str>,
    action: &'a str,
    /// The project's ref.
    project: Option<&'a str>,
    /// The members that changed, as they were.
    #[schema(value_type = Option<Object>)]
    before: Option<&'a Value>,
    /// The members that changed, as they are.
    #[schema(value_type = Option<Object>)]
    after: Option<&'a Value>,
}

/// Whose token it was.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorLogToken)]
struct By<'a> {
    /// `null` = the gateway itself.
    id: Option<Uuid>,
    name: &'a str,
}

impl<'a> Log<'a> {
    fn of(page: &'a LogPage) -> Self {
        Self { entries: page.entries.iter().map(Entry::of).collect(), next: page.next }
    }
}

impl<'a> Entry<'a> {
    fn of(view: &'a LogView) -> Self {
        Self {
            seq: view.seq,
            at: view.at,
            token: By { id: view.token, name: &view.token_name },
            address: view.address.as_deref(),
            action: &view.action,
            project: view.project.as_deref(),
            before: view.before.as_ref(),
            after: view.after.as_ref(),
        }
    }
}

/// `GET /v1/audit`: what concerns the projects that the token is for, and everything else where it is for all.
pub(super) async fn gateway(operator: Operator) -> Result<Response, Failure> {
    let project = operator.parameter("project")?.map(str::parse).transpose();
    let project = project.map_err(|_| message(StatusCode::BAD_REQUEST, "project must be a ref"))?;
    page(&operator, project).await
}

/// `GET /v1/projects/{ref}/audit`.
pub(super) async fn project(operator: Operator) -> Result<Response, Failure> {
    let project = operator.project()?;
    page(&operator, Some(project)).await
}

async fn page(operator: &Operator, project: Option<ProjectRef>) -> Result<Response, Failure> {
    let read = ReadLog { project, before: operator.number("before")?, limit: operator.number("limit")? };
    let page = operator.management().operator_log(read).await.map_err(refused)?;
    answer(StatusCode::OK, &Log::of(&page))
}
