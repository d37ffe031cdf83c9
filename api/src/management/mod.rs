//! The first part of the Management API (`contract/management.md` §2): projects, their configuration and their keys, for
//! whoever has the operator's token. Errors are `{"message"}`.

mod api_keys;
mod config;
mod dead_letters;
mod operator;
mod projects;
mod providers;
mod redirects;
mod signing_keys;
mod third_party;

use axum::Router;
use axum::response::Response;
use axum::routing::{any, delete, get, post};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::failure::Failure;
use crate::management::operator::Operator;
use crate::output::json;
use crate::state::ApiState;

/// Everything below `/v1`.
pub(crate) fn routes() -> Router<ApiState> {
    let project = Router::new()
        .route("/", get(projects::get).patch(projects::rename).delete(projects::delete))
        .route("/pause", post(projects::pause))
        .route("/restore", post(projects::resume))
        .route("/config/auth", get(config::get).patch(config::patch))
        .route("/config/auth/history", get(config::history))
        .route("/config/auth/providers", get(providers::list))
        .route("/config/auth/providers/{provider}/test", post(providers::test))
        .route("/config/auth/redirects", get(redirects::list))
        .route("/config/auth/third-party-auth", get(third_party::list).post(third_party::create))
        .route("/config/auth/third-party-auth/{id}", get(third_party::get).delete(third_party::delete))
        .route("/config/auth/signing-keys", get(signing_keys::list).post(signing_keys::create))
        .route("/config/auth/signing-keys/legacy", get(signing_keys::legacy).post(signing_keys::import_legacy))
        .route(
            "/config/auth/signing-keys/{id}",
            get(signing_keys::get).patch(signing_keys::set_status).delete(signing_keys::delete),
        )
        .route("/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/api-keys/legacy", get(api_keys::legacy).put(api_keys::set_legacy))
        .route("/api-keys/{id}", get(api_keys::get).delete(api_keys::delete))
        .route("/mail/dead-letters", get(dead_letters::list))
        .route("/mail/dead-letters/{id}", delete(dead_letters::discard))
        .route("/mail/dead-letters/{id}/retry", post(dead_letters::retry));
    Router::new()
        .route("/v1/projects", get(projects::list).post(projects::create))
        .nest("/v1/projects/{ref}", project)
        .route("/v1/{*rest}", any(nothing))
}

async fn nothing(_: Operator) -> Failure {
    message(StatusCode::NOT_FOUND, "Not Found")
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
