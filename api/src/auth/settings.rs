//! `GET /settings` (`contract/core.md` §11.2).

use actors::Document;
use axum::response::Response;
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// Tells which ways of signing in the project offers.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    json::answer(StatusCode::OK, &edge.ask(Document::Settings).await?)
}
