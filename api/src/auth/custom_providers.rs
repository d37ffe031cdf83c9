//! `/admin/custom-providers` (`contract/mfa-passkeys-oauth.md` §6.1).

use axum::response::{IntoResponse, Response};
use domain::custom_providers::{Create, Delete, Get, List, Update};
use http::StatusCode;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::ids::Ids;
use crate::output::json;
use crate::wire::custom_provider::{Listed, Shown};

/// `GET`: all of them, or those of one protocol.
pub(crate) async fn list(edge: Edge) -> Result<Response, Failure> {
    let provider_type = edge.behind(Gate::Admin, edge.query.text("type")).await?;
    let providers = edge.ask(List { bearer: edge.bearer.clone(), provider_type }).await?;
    json::answer(StatusCode::OK, &Listed::of(&providers))
}

/// `POST`.
pub(crate) async fn create(edge: Edge) -> Result<Response, Failure> {
    let body = edge.late(|fields| Ok(std::mem::take(fields).into_map()))?;
    let provider = edge.ask(Create { bearer: edge.bearer.clone(), body }).await?;
    json::answer(StatusCode::CREATED, &Shown::of(&provider))
}

/// `GET .../{identifier}`.
pub(crate) async fn get(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let provider = edge.ask(Get { bearer: edge.bearer.clone(), identifier: ids.identifier }).await?;
    json::answer(StatusCode::OK, &Shown::of(&provider))
}

/// `PUT .../{identifier}`.
pub(crate) async fn update(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let body = edge.late(|fields| Ok(std::mem::take(fields).into_map()))?;
    let provider = edge.ask(Update { bearer: edge.bearer.clone(), identifier: ids.identifier, body }).await?;
    json::answer(StatusCode::OK, &Shown::of(&provider))
}

/// `DELETE .../{identifier}`.
pub(crate) async fn delete(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    edge.ask(Delete { bearer: edge.bearer.clone(), identifier: ids.identifier }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
