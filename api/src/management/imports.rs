//! `/v1/imports`, Tenantry's own: a project brought in from an archive, as many lines at a time as the caller likes. Whoever was
//! interrupted asks where he stopped and goes on.

use std::collections::BTreeMap;

use actors::management::{ImportView, StartImport};
use axum::response::Response;
use domain::ids::ProjectRef;
use domain::project::Placement;
use domain::secret::Secret;
use domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::operator::{Operator, hidden, refused};
use crate::management::projects::Shown;
use crate::management::{answer, archive, empty, message};

/// What an import begins with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewImport {
    /// The archive's first line.
    #[schema(value_type = Object)]
    header: Value,
    /// Another ref than the project had.
    r#ref: Option<String>,
    /// `gateway`, `postgres` or `sqlite`.
    #[schema(value_type = Option<String>)]
    placement: Option<Placement>,
    /// Of the PostgreSQL database, where `placement` is that.
    #[serde(default, deserialize_with = "hidden")]
    #[schema(value_type = Option<String>)]
    database_url: Option<Secret<String>>,
}

/// How far an import has come.
#[derive(Serialize, ToSchema)]
pub(super) struct Import {
    id: Uuid,
    #[schema(value_type = String)]
    r#ref: ProjectRef,
    /// The number of the line that is wanted next; the header is line 1.
    next_line: i64,
    /// Rows that were taken, by table.
    rows: BTreeMap<String, i64>,
    /// Rows that were passed over, by table.
    skipped: BTreeMap<String, i64>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl Import {
    fn of(view: ImportView) -> Self {
        let ImportView { id, project_ref, next_line, rows, skipped, created_at, updated_at, .. } = view;
        Self { id, r#ref: project_ref, next_line, rows, skipped, created_at, updated_at }
    }
}

/// `POST /v1/imports`.
pub(super) async fn start(operator: Operator) -> Result<Response, Failure> {
    let archive_key = archive::key(&operator)?;
    let NewImport { header, r#ref: project_ref, placement, database_url } = operator.body()?;
    let request = StartImport { header, archive_key, project_ref, placement, database_url };
    let import = operator.management().start_import(request).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Import::of(import))
}

/// `GET .../{id}`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let import = operator.management().import(operator.id()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Import::of(import))
}

/// `POST .../{id}/rows?from=`.
pub(super) async fn rows(operator: Operator) -> Result<Response, Failure> {
    let from = operator.number("from")?;
    let from = from.ok_or_else(|| message(StatusCode::BAD_REQUEST, "from must be the number of the first line"))?;
    let import = operator.management().import_rows(operator.id()?, from, operator.lines()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Import::of(import))
}

/// `POST .../{id}/finish`: the project serves.
pub(super) async fn finish(operator: Operator) -> Result<Response, Failure> {
    let view = operator.management().finish_import(operator.id()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Shown::of(&view.project, &view.url))
}

/// `DELETE .../{id}`.
pub(super) async fn cancel(operator: Operator) -> Result<Response, Failure> {
    operator.management().cancel_import(operator.id()?).await.map_err(refused)?;
    Ok(empty(StatusCode::NO_CONTENT))
}
