//! `GET /authorize`: a browser leaves for a provider (`contract/mfa-passkeys-oauth.md` §3.2).

use axum::response::{IntoResponse, Response};
use domain::authorize::{Redirect, Request};
use domain::refusal::Refusal;
use domain::secret::Secret;
use http::{HeaderMap, StatusCode};

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::prefetch::is_prefetch;
use crate::output::redirect;
use crate::state_cookie;

/// What is for us alone. Everything else goes on to the provider.
const OURS: [&str; 8] = [
    "provider",
    "scopes",
    "code_challenge",
    "code_challenge_method",
    "invite_token",
    "redirect_to",
    "skip_http_redirect",
    "apikey",
];

/// Sends the browser to the provider's page. One that only looks ahead begins nothing.
pub(crate) async fn handle(edge: Edge, headers: HeaderMap) -> Result<Response, Failure> {
    if is_prefetch(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let redirect = edge.ask(departure(&edge, &headers)?).await?;
    leave(&edge, &redirect)
}

/// What the query asks for.
pub(super) fn departure(edge: &Edge, headers: &HeaderMap) -> Result<Request, Refusal> {
    let query = &edge.query;
    Ok(Request {
        provider: query.text("provider")?,
        scopes: query.text("scopes")?,
        code_challenge: query.text("code_challenge")?,
        code_challenge_method: query.text("code_challenge_method")?,
        invite_token: Secret::new(query.text("invite_token")?),
        parameters: query.without(&OURS)?,
        cookie: state_cookie::read(headers, edge.project()),
    })
}

/// 302 to the provider's page, with the cookie that the callback asks for.
pub(super) fn leave(edge: &Edge, redirect: &Redirect) -> Result<Response, Failure> {
    let mut response = redirect::found(&redirect.url)?;
    if let Some(cookie) = &redirect.cookie {
        state_cookie::set(response.headers_mut(), edge.project(), cookie).map_err(Failure::fault)?;
    }
    Ok(response)
}
