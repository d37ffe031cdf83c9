//! A user's own sessions, and an admin's view of them: routes beside the contract.

use axum::response::{IntoResponse, Response};
use domain::pagination::Page;
use domain::refusal::Refusal;
use domain::sessions::{AdminEnd, AdminList, End, List, Listing};
use http::StatusCode;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::ids::Ids;
use crate::output::{json, pages};
use crate::wire::session::Sessions;

/// `GET /sessions`: the bearer's live sessions.
pub(crate) async fn list(edge: Edge) -> Result<Response, Failure> {
    let page = edge.behind(Gate::User, page(&edge)).await?;
    let listing = edge.ask(List { bearer: edge.bearer.clone(), page }).await?;
    answer(&edge, &listing)
}

/// `DELETE /sessions/{id}`: ends one of them, also the one that asks.
pub(crate) async fn end(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    edge.ask(End { bearer: edge.bearer.clone(), session: ids.id }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /admin/users/{id}/sessions`.
pub(crate) async fn admin_list(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let page = edge.behind(Gate::Admin, page(&edge)).await?;
    let listing = edge.ask(AdminList { bearer: edge.bearer.clone(), user: ids.id, page }).await?;
    answer(&edge, &listing)
}

/// `DELETE /admin/users/{id}/sessions`: ends all of a user's sessions.
pub(crate) async fn admin_end_all(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    admin_end(edge, ids.id, None).await
}

/// `DELETE /admin/users/{id}/sessions/{session}`: ends one of a user's sessions.
pub(crate) async fn admin_end_one(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    admin_end(edge, ids.id, Some(ids.session)).await
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
