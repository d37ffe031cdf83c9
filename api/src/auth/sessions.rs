//! A user's own sessions, and an admin's view of them: routes beside the contract.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use domain::pagination::Page;
use domain::refusal::Refusal;
use domain::sessions::{AdminEnd, AdminList, End, List, Listing};
use http::StatusCode;
use serde::Deserialize;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::{json, pages};
use crate::wire::session::Sessions;

/// The ids of a path. One that cannot be read is empty, and refused as any malformed id is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ids {
    id: String,
    session: String,
}

type Path1 = Result<Path<Ids>, PathRejection>;

fn ids(path: Path1) -> Ids {
    path.map(|Path(ids)| ids).unwrap_or_default()
}

/// `GET /sessions`: the bearer's live sessions.
pub(crate) async fn list(edge: Edge) -> Result<Response, Failure> {
    let page = edge.behind(Gate::User, page(&edge)).await?;
    let listing = edge.ask(List { bearer: edge.bearer.clone(), page }).await?;
    answer(&edge, &listing)
}

/// `DELETE /sessions/{id}`: ends one of them, also the one that asks.
pub(crate) async fn end(edge: Edge, path: Path1) -> Result<Response, Failure> {
    edge.ask(End { bearer: edge.bearer.clone(), session: ids(path).id }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /admin/users/{id}/sessions`.
pub(crate) async fn admin_list(edge: Edge, path: Path1) -> Result<Response, Failure> {
    let page = edge.behind(Gate::Admin, page(&edge)).await?;
    let listing = edge.ask(AdminList { bearer: edge.bearer.clone(), user: ids(path).id, page }).await?;
    answer(&edge, &listing)
}

/// `DELETE /admin/users/{id}/sessions`: ends all of a user's sessions.
pub(crate) async fn admin_end_all(edge: Edge, path: Path1) -> Result<Response, Failure> {
    admin_end(edge, ids(path).id, None).await
}

/// `DELETE /admin/users/{id}/sessions/{session}`: ends one of a user's sessions.
pub(crate) async fn admin_end_one(edge: Edge, path: Path1) -> Result<Response, Failure> {
    let Ids { id, session } = ids(path);
    admin_end(edge, id, Some(session)).await
}

async fn admin_end(edge: Edge, user: String, session: Option<String>) -> Result<Response, Failure> {
    edge.ask(AdminEnd { bearer: edge.bearer.clone(), user, session }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn page(edge: &Edge) -> Result<Page, Refusal> {
    Page::parse(edge.query.get("page")?, edge.query.get("per_page")?)
}

fn answer(edge: &Edge, listing: &Listing) -> Result<Response, Failure> {
    let mut response = json::answer(StatusCode::OK, &Sessions::of(listing))?;
    pages::add_headers(&mut response, &edge.path, &edge.query, &listing.sessions)?;
    Ok(response)
}
