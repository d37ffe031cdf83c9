//! What each listener serves, and the layers around it.

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use http::StatusCode;

use crate::auth::routes::{auth, no_route, well_known};
use crate::layers::{enter, observe};
use crate::mail;
use crate::management;
use crate::metrics;
use crate::state::ApiState;

/// The public listener: the projects' auth APIs, `/livez` and `/readyz`.
pub fn router(state: ApiState) -> Router {
    finish(public(&state), state)
}

/// The operator's listener: the Management API, `/metrics`, the mailbox, `/livez` and `/readyz`.
pub fn admin_router(state: ApiState) -> Router {
    finish(operator(&state).merge(probes()), state)
}

/// Both on one listener.
pub fn combined_router(state: ApiState) -> Router {
    finish(public(&state).merge(operator(&state)), state)
}

fn finish(routes: Router<ApiState>, state: ApiState) -> Router {
    routes.fallback(no_route).layer(from_fn_with_state(state.clone(), observe)).with_state(state)
}

fn public(state: &ApiState) -> Router<ApiState> {
    let project = || {
        let routes =
            Router::new().nest("/auth/v1", auth()).route("/auth/v1/", any(no_route)).nest("/.well-known", well_known());
        routes.layer(from_fn_with_state(state.clone(), enter))
    };
    Router::new().merge(project()).nest("/p/{ref}", project()).merge(probes())
}

/// Of the gateway itself, on every listener.
fn probes() -> Router<ApiState> {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready))
}

fn operator(state: &ApiState) -> Router<ApiState> {
    management::router().merge(mail::routes(state)).route("/metrics", get(metrics::handle))
}

async fn live() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn ready(State(state): State<ApiState>) -> StatusCode {
    if state.runtime().ready().await { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}
