//! `POST /factors/{id}/challenge` (`contract/mfa-passkeys-oauth.md` §1.5).

use axum::response::Response;
use domain::challenge_factor::Request;
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::ids::Ids;
use crate::output::json;
use crate::wire::factor::Challenge;

/// Challenges a factor. Some kinds need no body, so that one is complained of only where it counts.
pub(crate) async fn handle(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let channel = edge.late(|fields| fields.text("channel"))?;
    let challenge = edge.ask(Request { bearer: edge.bearer.clone(), factor: ids.id, channel }).await?;
    json::answer(StatusCode::OK, &Challenge::of(&challenge))
}
