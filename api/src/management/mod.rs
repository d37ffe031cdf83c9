//! The Management API (`contract/management.md` §2): projects, their configuration, keys, place and life, for whoever has an
//! operator token, in the shapes that Supabase's tools know, and what Tenantry has beside them. Errors are `{"message"}`.

mod api_keys;
mod archive;
mod audit;
mod body;
mod config;
mod dead_letters;
mod document;
mod elsewhere;
mod gateways;
mod health;
mod hostname;
mod imports;
mod lifecycle;
mod operator;
mod placement;
mod profile;
mod projects;
mod providers;
mod quotas;
mod redirects;
mod routes;
mod sessions;
mod signing_keys;
mod sso;
mod table;
mod third_party;
mod tokens;
mod v2;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::json;
use crate::state::ApiState;

pub(crate) use operator::sees_every_project;
pub use table::ManagementRoute;

/// Everything below `/v1` and `/v2`, and the document of it.
pub(crate) fn router() -> Router<ApiState> {
    routes::all().into_router()
}

/// Every route with what its caller must be allowed: for tests that must forget none.
pub fn management_routes() -> Vec<ManagementRoute> {
    routes::all().rows.into_iter().map(|row| row.route).collect()
}

fn message(status: StatusCode, text: impl Into<String>) -> Failure {
    Failure::Management(status, text.into())
}

/// An answer of the Management API. It may hold keys in clear.
fn answer(status: StatusCode, value: &impl Serialize) -> Result<Response, Failure> {
    let mut response = json::answer(status, value)?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Lines of JSON.
fn lines(lines: String) -> Response {
    let mut response = Response::new(Body::from(lines));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
