//! The outermost layer: it names the request, opens its span, reads its body, keeps its deadline, catches its panic, writes
//! its failure, and counts it. Nothing that a client sent but method and route goes to the log.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::ids::ProjectRef;
use domain::project::Profile;
use futures::FutureExt;
use http::header::{CONNECTION, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tokio::time::Instant;
use tracing::{Instrument, Span, field};

use crate::failure::{self, ApiVersion, Failure};
use crate::input::body;
use crate::metrics::Sample;
use crate::state::ApiState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known about a request from its first moment on, and its project as soon as that is found.
#[derive(Clone)]
pub(crate) struct Observed(Arc<Facts>);

struct Facts {
    request_id: String,
    deadline: Instant,
    span: Span,
    profile: OnceLock<Profile>,
}

impl Observed {
    /// Shown in logs, in `error_id` and in the `x-request-id` header.
    pub(crate) fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// When nobody waits any more.
    pub(crate) fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// Notes the project once it is found.
    pub(crate) fn found(&self, project: &ProjectRef, profile: Profile) {
        self.0.span.record("project", field::display(project));
        // A request has one project: a second one would be a defect that is not worth a panic.
        let _first = self.0.profile.set(profile);
    }
}

/// See the module: as a layer of routes.
pub(crate) async fn observe(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    observed(&state, request, route, |request| next.run(request)).await
}

/// See the module: around `answer`, at the template `route`.
pub(crate) async fn observed<A: Future<Output = Response>>(
    state: &ApiState,
    request: Request,
    route: &str,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let version = ApiVersion::of(request.headers());
    let request_id = state.entropy().uuid().to_string();
    let span = tracing::info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        %method,
        route,
        request_id,
        project = field::Empty,
        status = field::Empty,
    );
    let deadline = started + state.deadline();
    let observed = Observed(Arc::new(Facts { request_id, deadline, span: span.clone(), profile: OnceLock::new() }));
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(observed.clone());

    let in_flight = state.metrics().start();
    let answer = async {
        let received = body::receive(body).await;
        let unfinished = received.is_unfinished();
        parts.extensions.insert(received);
        let response = answer(Request::from_parts(parts, Body::empty())).await;
        if unfinished { closing(response) } else { response }
    };
    let answer = AssertUnwindSafe(tokio::time::timeout_at(deadline, answer)).catch_unwind();
    let mut response = match answer.instrument(span.clone()).await {
        Ok(Ok(response)) => response,
        // Its body may still be on its way.
        Ok(Err(_)) => closing(Failure::Timeout.into_response()),
        Err(_) => Failure::Crashed.into_response(),
    };
    let _inside = span.enter();
    response = failure::render(response, version, observed.request_id(), &method);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(observed.request_id()) {
        headers.insert(REQUEST_ID, id);
    }

    let elapsed = started.elapsed();
    let status = response.status();
    span.record("status", status.as_u16());
    drop(in_flight);
    let profile = observed.0.profile.get().copied();
    state.metrics().count(&Sample { route, method: &method, status, profile, elapsed });
    if is_polled(route) {
        tracing::debug!(status = status.as_u16(), elapsed_ms = elapsed.as_millis(), "answered");
    } else {
        tracing::info!(status = status.as_u16(), elapsed_ms = elapsed.as_millis(), "answered");
    }
    response
}

/// Whether machines ask for `route` every few seconds: nobody wants to read of each time.
fn is_polled(route: &str) -> bool {
    let route = route.strip_prefix("/p/{ref}").unwrap_or(route);
    matches!(route, "/livez" | "/readyz" | "/metrics" | "/mail/list" | "/auth/v1/admin/revocations")
}

/// Ends the connection after this answer.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::is_polled;

    #[test]
    fn what_machines_poll_is_told_from_what_people_ask() {
        for route in ["/livez", "/metrics", "/p/{ref}/mail/list", "/p/{ref}/auth/v1/admin/revocations"] {
            assert!(is_polled(route), "{route}");
        }
        for route in ["/auth/v1/health", "/p/{ref}/auth/v1/token", "/mail/", "unmatched"] {
            assert!(!is_polled(route), "{route}");
        }
    }
}
