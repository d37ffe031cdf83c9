//! `GET /user/identities/authorize`: a browser leaves for a provider whose identity its user wants to add
//! (`contract/mfa-passkeys-oauth.md` §3.9).

use axum::response::Response;
use domain::link_identity::Request;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::auth::authorize;
use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// Says that the client goes to the provider by itself: it has a token to show here, and a browser that navigates has not.
const SKIP: &str = "skip_http_redirect";

#[derive(Serialize)]
struct Page<'a> {
    url: &'a str,
}

/// Gives the provider's page, or sends the browser there.
pub(crate) async fn handle(edge: Edge, headers: HeaderMap) -> Result<Response, Failure> {
    let read = authorize::departure(&edge, &headers)
        .and_then(|departure| Ok((departure, edge.query.get(SKIP)? == Some("true"))));
    let (departure, skip) = edge.behind(Gate::User, read).await?;
    let redirect = edge.ask(Request { bearer: edge.bearer.clone(), departure }).await?;
    if skip { json::answer(StatusCode::OK, &Page { url: &redirect.url }) } else { authorize::leave(&edge, &redirect) }
}
