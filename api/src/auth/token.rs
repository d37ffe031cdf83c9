//! `POST /token`: which grant is asked for (`contract/core.md` §13).

use axum::response::Response;

use crate::auth::{id_token, pkce, refresh, sign_in, web3};
use crate::edge::Edge;
use crate::failure::Failure;

/// Hands the request to the grant that a form or the query names.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let form = edge.form_if_any()?;
    let grant = match form.get("grant_type")? {
        Some(grant) => grant.to_owned(),
        None => edge.query.text("grant_type")?,
    };
    match grant.as_str() {
        "password" => sign_in::handle(edge).await,
        "refresh_token" => refresh::handle(edge).await,
        "pkce" => pkce::handle(edge).await,
        "id_token" => id_token::handle(edge).await,
        "web3" => web3::handle(edge).await,
        _ => Err(sign_in::refuse_grant(&edge).await),
    }
}
