//! `GET /.well-known/jwks.json` (`contract/core.md` §11.3).

use actors::Document;
use axum::response::Response;

use crate::auth::openid;
use crate::edge::Edge;
use crate::failure::Failure;

/// The public keys that verify the project's tokens.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    openid::cacheable(&edge, Document::Jwks).await
}
