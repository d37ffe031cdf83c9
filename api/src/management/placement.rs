//! `/v1/projects/{ref}/placement` and `/move`, Tenantry's own: where a project's rows are, and how they get elsewhere while it
//! serves.

use actors::management::{MoveProject, MoveView, PlacementView};
use axum::response::Response;
use domain::project::Placement;
use domain::secret::Secret;
use domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, hidden, refused};

/// Where a project's rows are, and whether they are on their way.
#[derive(Serialize, ToSchema)]
#[schema(as = Placement)]
pub(super) struct Placed {
    /// `gateway`, `postgres` or `sqlite`.
    #[schema(value_type = String)]
    placement: Placement,
    r#move: Option<Movement>,
}

/// A move, under way or the last one.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectMove)]
struct Movement {
    id: Uuid,
    /// Where to.
    #[schema(value_type = String)]
    placement: Placement,
    /// `copying`, `holding`, `cleaning`, `done` or `failed`.
    phase: &'static str,
    /// How many rows have been copied.
    rows: i64,
    error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Where to move a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProjectMove)]
pub(super) struct Move {
    /// `gateway`, `postgres` or `sqlite`.
    #[schema(value_type = String)]
    placement: Placement,
    /// Of the PostgreSQL database, where `placement` is that.
    #[serde(default, deserialize_with = "hidden")]
    #[schema(value_type = Option<String>)]
    database_url: Option<Secret<String>>,
    /// How long its clients may be held off at the end; where that does not suffice, nothing has changed.
    max_pause_seconds: Option<u32>,
}

impl Placed {
    fn of(view: PlacementView) -> Self {
        Self { placement: view.placement, r#move: view.movement.map(Movement::of) }
    }
}

impl Movement {
    fn of(view: MoveView) -> Self {
        let MoveView { id, placement, phase, rows, error, started_at, updated_at } = view;
        Self { id, placement, phase: phase.as_str(), rows, error, started_at, updated_at }
    }
}

/// `GET .../placement`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let placed = operator.management().placement(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Placed::of(placed))
}

/// `POST .../move`: it has begun when it is answered.
pub(super) async fn start(operator: Operator) -> Result<Response, Failure> {
    let Move { placement, database_url, max_pause_seconds } = operator.body()?;
    let request = MoveProject { placement, database_url, max_pause_seconds };
    let placed = operator.management().start_move(&operator.project()?, request).await.map_err(refused)?;
    answer(StatusCode::ACCEPTED, &Placed::of(placed))
}

/// `DELETE .../move`.
pub(super) async fn cancel(operator: Operator) -> Result<Response, Failure> {
    let placed = operator.management().cancel_move(&operator.project()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Placed::of(placed))
}
