//! `GET` and `POST /callback`: a browser comes back from a provider (`contract/mfa-passkeys-oauth.md` §3.3, §3.4).

use axum::response::{IntoResponse, Response};
use domain::callback::{Outcome, Request};
use domain::secret::Secret;
use http::{HeaderMap, StatusCode};

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::prefetch::is_prefetch;
use crate::input::query::Query;
use crate::output::landing;
use crate::state_cookie;

/// `GET`: all is in the query. A browser that only looks ahead uses nothing up.
pub(crate) async fn handle(edge: Edge, headers: HeaderMap) -> Result<Response, Failure> {
    if is_prefetch(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    land(&edge, &headers, &Query::default()).await
}

/// `POST`: a page of the provider has sent a form (`response_mode=form_post`). What is not in it may be in the query.
pub(crate) async fn handle_form(edge: Edge, headers: HeaderMap) -> Result<Response, Failure> {
    let form = edge.form_if_any()?;
    land(&edge, &headers, &form).await
}

/// Any other method: who comes with a state that leads nowhere is told so, and everybody else that it is not served.
pub(crate) async fn refuse_method(edge: Edge, headers: HeaderMap) -> Result<Response, Failure> {
    // Neither a code nor an error: nothing is used up.
    let question = Request {
        state: edge.query.text("state")?,
        cookie: state_cookie::read(&headers, edge.project()),
        code: Secret::default(),
        error: String::new(),
        error_description: String::new(),
        iss: String::new(),
        user: String::new(),
        oauth_token: String::new(),
        oauth_verifier: Secret::default(),
    };
    let landing = edge.ask(question).await?;
    if matches!(landing.outcome, Outcome::NoFlow(_)) {
        return landing::answer(&landing);
    }
    Err(Failure::MethodNotAllowed("GET, POST".into()))
}

async fn land(edge: &Edge, headers: &HeaderMap, form: &Query) -> Result<Response, Failure> {
    let text = |name: &str| match form.get(name)? {
        Some(text) => Ok(text.to_owned()),
        None => edge.query.text(name),
    };
    let request = Request {
        state: text("state")?,
        code: Secret::new(text("code")?),
        error: text("error")?,
        // Words for people, which some providers do not write in UTF-8.
        error_description: text("error_description").unwrap_or_default(),
        iss: text("iss")?,
        user: text("user")?,
        oauth_token: text("oauth_token")?,
        oauth_verifier: Secret::new(text("oauth_verifier")?),
        cookie: state_cookie::read(headers, edge.project()),
    };
    landing::answer(&edge.ask(request).await?)
}
