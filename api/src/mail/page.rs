//! The mailbox for people. It is readable without any script; the script makes it live. What a mail contains is shown in a
//! frame that has neither scripts nor this site's origin.

use axum::Extension;
use axum::extract::{OriginalUri, Path, RawQuery};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::input::query::Query;
use crate::mail::api::MailPath;
use crate::mail::guard::Mails;
use crate::mail::view::View;

/// How many mails the list shows.
const SHOWN: usize = 200;

/// Everything comes from here, and nothing else from this page.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Links open outside the frame; pictures may load, nothing else may.
const MAIL_POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; \
     img-src data: http: https:; base-uri 'none'; frame-ancestors 'self'",
);

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// `GET /mail`: the page's address ends with a slash, so that its links are relative to it.
pub(super) async fn to_list(OriginalUri(uri): OriginalUri) -> Result<Response, Failure> {
    let location = HeaderValue::try_from(format!("{}/", uri.path())).map_err(Failure::fault)?;
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// `GET /mail/style.css`.
pub(super) async fn style() -> Response {
    file(include_str!("assets/mail.css"), "text/css; charset=utf-8")
}

/// `GET /mail/mail.js`.
pub(super) async fn script() -> Response {
    file(include_str!("assets/mail.js"), "text/javascript; charset=utf-8")
}

/// `GET /mail/icon.svg`.
pub(super) async fn icon() -> Response {
    file(include_str!("assets/icon.svg"), "image/svg+xml")
}

fn file(content: &'static str, content_type: &'static str) -> Response {
    let mut response = content.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn words(raw: Option<&str>) -> Result<(Query, String), Failure> {
    let query = Query::parse(raw.unwrap_or_default());
    let words = query.text("query")?;
    Ok((query, words))
}

/// `GET /mail/`: the newest mails, or those that match `query`.
pub(super) async fn list(Extension(mails): Extension<Mails>, RawQuery(raw): RawQuery) -> Result<Response, Failure> {
    let (_, query) = words(raw.as_deref())?;
    let listing = mails.store.search(mails.scope, &query, 0, SHOWN);
    Ok(document(View { listing: &listing, query: &query, mail: None }.page(), PAGE_POLICY))
}

/// `GET /mail/list`: the list alone, as it stands beside the mail `open`.
pub(super) async fn entries(Extension(mails): Extension<Mails>, RawQuery(raw): RawQuery) -> Result<Response, Failure> {
    let (parameters, query) = words(raw.as_deref())?;
    let listing = mails.store.search(mails.scope, &query, 0, SHOWN);
    let open = parameters.text("open")?;
    let open = (!open.is_empty()).then(|| json!({ "ID": open }));
    Ok(document(View { listing: &listing, query: &query, mail: open.as_ref() }.list(), PAGE_POLICY))
}

/// `GET /mail/message/{id}`.
pub(super) async fn message(
    Extension(mails): Extension<Mails>,
    Path(path): Path<MailPath>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Failure> {
    let (_, query) = words(raw.as_deref())?;
    let mail = mails.store.message(mails.scope, &path.id).ok_or(Failure::NoRoute)?;
    let listing = mails.store.search(mails.scope, &query, 0, SHOWN);
    Ok(document(View { listing: &listing, query: &query, mail: Some(&mail) }.page(), PAGE_POLICY))
}

/// `GET /mail/message/{id}/html`: the mail's own page, for the frame.
pub(super) async fn html(Extension(mails): Extension<Mails>, Path(path): Path<MailPath>) -> Result<Response, Failure> {
    let mail = mails.store.message(mails.scope, &path.id).ok_or(Failure::NoRoute)?;
    // A link must not use itself up inside the frame.
    let html = mail.get("HTML").and_then(Value::as_str).unwrap_or_default();
    Ok(document(format!("<base target=\"_blank\">{html}"), MAIL_POLICY))
}

fn document(html: String, policy: HeaderValue) -> Response {
    let mut response = html.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}
