//! `GET /reauthenticate` (`contract/core.md` §16.3).

use axum::response::Response;
use domain::reauthenticate::Request;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::sent;

/// Sends the bearer a nonce for a sensitive change.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    sent::answer(&edge.ask(Request { bearer: edge.bearer.clone() }).await?)
}
