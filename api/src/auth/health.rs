//! `GET /health` (`contract/core.md` §11.1).

use actors::Document;
use axum::response::Response;
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// Tells that the project is served, and by which version.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    json::answer(StatusCode::OK, &edge.ask(Document::Health).await?)
}
