//! `POST /token`: which grant is asked for (`contract/core.md` §13).

use axum::response::Response;
use domain::refusal::Refusal;

use crate::auth::{pkce, refresh, sign_in};
use crate::edge::Edge;
use crate::failure::Failure;

/// Hands the request to the grant that the query names.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let grant = edge.query.text("grant_type")?;
    match grant.as_str() {
        "password" => sign_in::handle(edge).await,
        "refresh_token" => refresh::handle(edge).await,
        "pkce" => pkce::handle(edge).await,
        // Not served yet, and no captcha stands in front of it.
        "id_token" => Err(Refusal::UnsupportedGrantType.into()),
        _ => Err(sign_in::refuse_grant(&edge).await),
    }
}
