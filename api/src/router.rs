//! What each listener serves, and the layers around it.

use std::convert::Infallible;
use std::sync::Arc;
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

use crate::auth::routes::{no_route, project};
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
    Router::new().fallback_service(Front::new(finish(others, state.clone()), state))
}

/// Sends what is a project's through the layers of the projects, once for all their routes: on each route they would be copied for
/// each request. The layers know the route before it is taken.
#[derive(Clone)]
struct Front {
    templates: Arc<matchit::Router<Arc<str>>>,
    projects: Router,
    others: Router,
    state: ApiState,
}

impl Front {
    fn new(others: Router, state: ApiState) -> Self {
        let (mut templates, mut projects) = (matchit::Router::new(), Router::new());
        for (path, methods) in project("").into_iter().chain(project("/p/{ref}")) {
            // What conflicts does not get into the router below either, which says so.
            let _known = templates.insert(path.as_str(), Arc::from(path.as_str()));
            projects = projects.route(&path, methods);
        }
        let projects = projects.fallback(no_route).with_state(state.clone());
        Self { templates: Arc::new(templates), projects, others, state }
    }

    /// The template of a project's path, served or not.
    fn template(&self, path: &str) -> Option<Arc<str>> {
        self.templates.at(path).ok().map(|found| Arc::clone(found.value))
    }
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Some(route) = self.template(request.uri().path()) else {
            return self.others.clone().oneshot(request).boxed();
        };
        let (projects, state) = (self.projects.clone(), self.state.clone());
        let routed = |request| projects.oneshot(request).map(|answer| answer.unwrap_or_else(|never| match never {}));
        async move { Ok(observed(&state, request, &route, |request| enter(&state, request, routed)).await) }.boxed()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_projects_is_told_from_what_is_the_gateways() {
        let mut templates = matchit::Router::new();
        for (path, _) in project("").into_iter().chain(project("/p/{ref}")) {
            templates.insert(path.as_str(), path.clone()).unwrap();
        }
        for (path, template) in [
            ("/auth/v1", "/auth/v1"),
            ("/auth/v1/", "/auth/v1/"),
            ("/auth/v1/user", "/auth/v1/user"),
            ("/auth/v1/x/y", "/auth/v1/{*rest}"),
            ("/.well-known/jwks.json", "/.well-known/jwks.json"),
            ("/.well-known/x", "/.well-known/{*rest}"),
        ] {
            assert_eq!(templates.at(path).unwrap().value, template);
            assert_eq!(*templates.at(&format!("/p/acme{path}")).unwrap().value, format!("/p/{{ref}}{template}"));
        }
        let others =
            ["/", "/v1/projects", "/auth/v10", "/auth", "/.well-known", "/.well-known/", "/p/auth/v1", "/p/acme"];
        for path in others {
            assert!(templates.at(path).is_err(), "{path}");
        }
    }
}
