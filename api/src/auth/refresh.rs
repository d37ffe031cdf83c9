//! `POST /token?grant_type=refresh_token` (`contract/core.md` §10.3).

use axum::response::Response;
use domain::refresh::Request;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::token;

/// Trades a refresh token for a new pair.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let mut fields = edge.object()?;
    let request = Request { refresh_token: fields.secret("refresh_token")? };
    token::answer(&edge.ask(request).await?)
}
