//! `GET /verify`, `POST /verify` and the page a project may show in between (`contract/core.md` §15).

use axum::response::{IntoResponse, Response};
use domain::first_checks::Endpoint;
use domain::secret::Secret;
use domain::verify::{Answer, Link, Outcome, Request};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::prefetch::is_prefetch;
use crate::output::confirm_page::ConfirmPage;
use crate::output::{json, redirect};
use crate::wire::token;

/// `GET /verify`: follows a mailed link. A browser that only looks ahead gets nothing and uses nothing up.
pub(crate) async fn link(edge: Edge, headers: HeaderMap) -> Result<Response, Failure> {
    if is_prefetch(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let (token, kind) = (Secret::new(edge.query.text("token")?), edge.query.text("type")?);
    follow(&edge, Link { token, kind, confirmed: false, password: None }).await
}

/// `POST /verify/confirm`: the page's form was sent.
pub(crate) async fn confirm(mut edge: Edge, headers: HeaderMap) -> Result<Response, Failure> {
    let mut form = edge.form()?.into_object()?;
    edge.return_to(&form.text("redirect_to")?);
    let confirmed = !is_from_elsewhere(&headers);
    let password = form.optional_secret("password")?;
    let link = Link { token: form.secret("token")?, kind: form.text("type")?, confirmed, password };
    follow(&edge, link).await
}

async fn follow(edge: &Edge, link: Link) -> Result<Response, Failure> {
    let landing = edge.ask(link.clone()).await?;
    let Outcome::Ask(ask) = &landing.outcome else { return redirect::see_other(&redirect::location(&landing)) };
    let page = ConfirmPage {
        project: edge.project_name().await,
        site: &edge.facts().site_host,
        path: &edge.path,
        link: &link,
        ask,
        target: &landing.target,
    };
    page.answer()
}

/// `POST /verify`: takes a typed code or the hash of a link.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let request = edge
        .decode(Endpoint::Verify, edge.object(), |fields| {
            Ok(Request {
                kind: fields.text("type")?,
                token: fields.secret("token")?,
                token_hash: fields.secret("token_hash")?,
                email: fields.text("email")?,
                phone: fields.text("phone")?,
                redirect_to: fields.text("redirect_to")?,
                password: fields.optional_secret("password")?,
            })
        })
        .await?;
    match edge.ask(request).await? {
        Answer::Session(issued) => token::answer(&issued),
        Answer::Message(msg) => json::answer(StatusCode::OK, &HalfDone { code: "200", msg }),
    }
}

/// One of two confirmations. The code is a text here.
#[derive(Serialize)]
struct HalfDone {
    code: &'static str,
    msg: &'static str,
}

/// Whether a browser says that a page of another site sent the form: what is pressed there confirms nothing here.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}
