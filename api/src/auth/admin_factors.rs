//! `/admin/users/{id}/factors` (`contract/mfa-passkeys-oauth.md` §1.9).

use axum::response::Response;
use domain::admin_factors::{Body, Delete, List, Update};
use domain::user_json::Factor;
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::ids::Ids;
use crate::output::json;

/// `GET /admin/users/{id}/factors`.
pub(crate) async fn list(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let factors = edge.ask(List { bearer: edge.bearer.clone(), user: ids.id }).await?;
    let factors: Vec<Factor<'_>> = factors.iter().map(Factor::of).collect();
    json::answer(StatusCode::OK, &factors)
}

/// `PUT /admin/users/{id}/factors/{factor}`.
pub(crate) async fn update(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let body =
        edge.late(|fields| Ok(Body { friendly_name: fields.text("friendly_name")?, phone: fields.text("phone")? }))?;
    let update = Update { bearer: edge.bearer.clone(), user: ids.id, factor: ids.factor, body };
    json::answer(StatusCode::OK, &Factor::of(&edge.ask(update).await?))
}

/// `DELETE /admin/users/{id}/factors/{factor}`: answers what is gone.
pub(crate) async fn delete(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let delete = Delete { bearer: edge.bearer.clone(), user: ids.id, factor: ids.factor };
    json::answer(StatusCode::OK, &Factor::of(&edge.ask(delete).await?))
}
