//! `POST /token?grant_type=pkce` (`contract/core.md` §13.3).

use axum::response::Response;
use domain::first_checks::Endpoint;
use domain::pkce::Exchange;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::token;

/// Trades an authorization code and its verifier for a session.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let request = edge
        .decode(Endpoint::Exchange, edge.object(), |fields| {
            Ok(Exchange { auth_code: fields.secret("auth_code")?, code_verifier: fields.secret("code_verifier")? })
        })
        .await?;
    token::answer(&edge.ask(request).await?)
}
