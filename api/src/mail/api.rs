//! The part of Mailpit's API v1 that tests use: list, search, read, mark and delete.

use axum::Extension;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::failure::Failure;
use crate::input::body::Received;
use crate::input::object::Object;
use crate::input::query::Query;
use crate::mail::guard::Mails;
use crate::output::json;

/// How many mails a page of the list has where nothing else is asked for.
const PAGE: usize = 50;

/// How many mails a page may have.
const LARGEST_PAGE: usize = 1000;

fn query(RawQuery(raw): RawQuery) -> Query {
    Query::parse(&raw.unwrap_or_default())
}

fn number(query: &Query, name: &str, default: usize) -> Result<usize, Failure> {
    Ok(query.get(name)?.and_then(|text| text.parse().ok()).unwrap_or(default))
}

fn page(mails: &Mails, query: &Query, words: &str) -> Result<Response, Failure> {
    let start = number(query, "start", 0)?;
    let limit = number(query, "limit", PAGE)?.min(LARGEST_PAGE);
    json::answer(StatusCode::OK, &mails.store.search(mails.scope, words, start, limit))
}

/// `GET /api/v1/messages`.
pub(super) async fn list(Extension(mails): Extension<Mails>, raw: RawQuery) -> Result<Response, Failure> {
    page(&mails, &query(raw), "")
}

/// `GET /api/v1/search`.
pub(super) async fn search(Extension(mails): Extension<Mails>, raw: RawQuery) -> Result<Response, Failure> {
    let query = query(raw);
    page(&mails, &query, &query.text("query")?)
}

/// `GET /api/v1/message/{id}`.
pub(super) async fn message(
    Extension(mails): Extension<Mails>,
    Path(path): Path<MailPath>,
) -> Result<Response, Failure> {
    match mails.store.message(mails.scope, &path.id) {
        Some(mail) => json::answer(StatusCode::OK, &mail),
        None => Err(Failure::NoRoute),
    }
}

/// The id of a path.
#[derive(serde::Deserialize)]
pub(super) struct MailPath {
    pub(super) id: String,
}

/// `PUT /api/v1/messages`: marks mails as read or unread.
pub(super) async fn set_read(Extension(mails): Extension<Mails>, body: Received) -> Result<Response, Failure> {
    let mut fields = fields(&body)?;
    let read = fields.flag("Read")?;
    mails.store.set_read(mails.scope, &ids(&mut fields)?, read);
    Ok(done())
}

/// `DELETE /api/v1/messages`: the named mails, or all.
pub(super) async fn delete(Extension(mails): Extension<Mails>, body: Received) -> Result<Response, Failure> {
    let ids = ids(&mut fields(&body)?)?;
    mails.store.delete(mails.scope, &ids);
    Ok(done())
}

/// `DELETE /api/v1/search`: the mails that match.
pub(super) async fn delete_matching(Extension(mails): Extension<Mails>, raw: RawQuery) -> Result<Response, Failure> {
    mails.store.delete_matching(mails.scope, &query(raw).text("query")?);
    Ok(done())
}

fn fields(body: &Received) -> Result<Object, Failure> {
    let bytes = body.bytes()?;
    Ok(if bytes.is_empty() { Object::default() } else { Object::parse(bytes)? })
}

fn ids(fields: &mut Object) -> Result<Vec<String>, Failure> {
    let ids = fields.list("IDs")?.unwrap_or_default();
    Ok(ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn done() -> Response {
    let mut response = "ok".into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
