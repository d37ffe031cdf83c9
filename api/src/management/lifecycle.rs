//! The ends and pauses of a project: `/v1/projects/{ref}/pause` and `/restore`, `DELETE /v1/projects/{ref}`.

use axum::response::Response;
use http::StatusCode;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, refused};
use crate::management::projects::{Short, full};

/// `POST .../pause`: its data stays, nothing is served.
pub(super) async fn pause(operator: Operator) -> Result<Response, Failure> {
    let view = operator.management().set_paused(&operator.project()?, true).await.map_err(refused)?;
    full(&view)
}

/// `POST .../restore`: serves again, after a pause or while it can be restored after its deletion.
pub(super) async fn restore(operator: Operator) -> Result<Response, Failure> {
    let view = operator.management().restore_project(&operator.project()?).await.map_err(refused)?;
    full(&view)
}

/// `DELETE`: it serves nothing from now on; its data goes after the time of grace.
pub(super) async fn delete(operator: Operator) -> Result<Response, Failure> {
    let grace = operator.number("grace")?;
    let view = operator.management().delete_project(&operator.project()?, grace).await.map_err(refused)?;
    answer(StatusCode::OK, &Short::of(&view.project))
}
