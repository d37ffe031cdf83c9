//! `POST /logout` (`contract/core.md` §16.4).

use axum::response::{IntoResponse, Response};
use domain::logout::Request;
use http::StatusCode;

use crate::auth::gate::Gate;
use crate::edge::Edge;
use crate::failure::Failure;

/// Ends sessions of the bearer. A body is not read.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let scope = edge.behind(Gate::User, edge.query.text("scope")).await?;
    edge.ask(Request { bearer: edge.bearer.clone(), scope }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
