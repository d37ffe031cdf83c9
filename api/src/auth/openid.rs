//! `GET /.well-known/openid-configuration` and `GET /.well-known/oauth-authorization-server` (`contract/core.md` §11.4).

use actors::Document;
use axum::response::Response;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// What OpenID clients look up.
pub(crate) async fn configuration(edge: Edge) -> Result<Response, Failure> {
    cacheable(&edge, Document::OpenidConfiguration).await
}

/// What OAuth clients look up; refused while the project is no OAuth server.
pub(crate) async fn oauth_metadata(edge: Edge) -> Result<Response, Failure> {
    cacheable(&edge, Document::OauthMetadata).await
}

/// A document that clients may keep for ten minutes.
pub(crate) async fn cacheable(edge: &Edge, document: Document) -> Result<Response, Failure> {
    let mut response = json::answer(StatusCode::OK, &edge.ask(document).await?)?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=600"));
    Ok(response)
}
