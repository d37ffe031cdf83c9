//! `DELETE /user/identities/{id}` (`contract/mfa-passkeys-oauth.md` §3.10).

use axum::response::Response;
use domain::unlink_identity::Request;
use http::StatusCode;
use serde_json::json;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::ids::Ids;
use crate::output::json;

/// Takes an identity from its user.
pub(crate) async fn handle(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    edge.ask(Request { bearer: edge.bearer.clone(), identity: ids.id }).await?;
    json::answer(StatusCode::OK, &json!({}))
}
