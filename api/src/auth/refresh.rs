//! `POST /token?grant_type=refresh_token` (`contract/core.md` §10.3).

use axum::response::Response;
use domain::first_checks::Endpoint;
use domain::refresh::Request;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::token;

/// Trades a refresh token for a new pair.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let request = edge
        .decode(Endpoint::Exchange, edge.object(), |fields| {
            Ok(Request { refresh_token: fields.secret("refresh_token")? })
        })
        .await?;
    token::answer(&edge.ask(request).await?)
}
