//! `DELETE /factors/{id}` (`contract/mfa-passkeys-oauth.md` §1.7).

use axum::response::Response;
use domain::unenroll_factor::Request;
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::ids::Ids;
use crate::output::json;
use crate::wire::factor::Gone;

/// Removes a factor of the bearer.
pub(crate) async fn handle(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let id = edge.ask(Request { bearer: edge.bearer.clone(), factor: ids.id }).await?;
    json::answer(StatusCode::OK, &Gone { id: id.0 })
}
