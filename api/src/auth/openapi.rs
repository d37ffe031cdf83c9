//! `GET /openapi.json`: the routes of the auth API that the contract does not have.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};

/// OpenAPI 3.1. It is the same for every project.
pub(super) const DOCUMENT: &str = include_str!("../../openapi/auth.json");

/// Gives the document, to whoever asks.
pub(crate) async fn handle() -> Response {
    let mut response = DOCUMENT.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
