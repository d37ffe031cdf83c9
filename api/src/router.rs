//! What each listener serves, and the layers around it.

use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::StatusCode;
use tower::{Service, ServiceExt};

use crate::auth::routes::{is_of_project, no_route, project};
use crate::layers::{enter, observe, observed};
use crate::mail;
use crate::management;
use crate::metrics;
use crate::state::ApiState;

/// The public listener: the projects' auth APIs, `/livez` and `/readyz`.
pub fn router(state: ApiState) -> Router {
    with_projects(probes(), state)
}

/// The operator's listener: the Management API, `/metrics`, the mailbox, `/livez` and `/readyz`.
pub fn admin_router(state: ApiState) -> Router {
    finish(operator(&state).merge(probes()), state)
}

/// Both on one listener.
pub fn combined_router(state: ApiState) -> Router {
    with_projects(probes().merge(operator(&state)), state)
}

fn finish(routes: Router<ApiState>, state: ApiState) -> Router {
    routes.fallback(no_route).layer(from_fn_with_state(state.clone(), observe)).with_state(state)
}

fn with_projects(others: Router<ApiState>, state: ApiState) -> Router {
    let projects = project("").merge(project("/p/{ref}")).fallback(no_route).with_state(state.clone());
    Router::new().fallback_service(Front { projects, others: finish(others, state.clone()), state })
}

/// Sends what is a project's through the layers of the projects, once for all their routes: on each route they would be copied for
/// each request.
#[derive(Clone)]
struct Front {
    projects: Router,
    others: Router,
    state: ApiState,
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if !is_of_project(request.uri().path()) {
            return self.others.clone().oneshot(request).boxed();
        }
        let (projects, state) = (self.projects.clone(), self.state.clone());
        let routed = |request| projects.oneshot(request).map(|answer| answer.unwrap_or_else(|never| match never {}));
        async move { Ok(observed(&state, request, |request, _| enter(&state, request, routed)).await) }.boxed()
    }
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
