//! `GET /user` (`contract/core.md` §16.1).

use axum::response::Response;
use domain::user_json::User;
use domain::user_read::Request;
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// Tells the bearer who he is.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let user = edge.ask(Request { bearer: edge.bearer.clone() }).await?;
    json::answer(StatusCode::OK, &User::of(&user))
}
