//! `POST /token?grant_type=id_token` (`contract/mfa-passkeys-oauth.md` §5).

use axum::response::Response;
use domain::id_token::{Body, Request};

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::token;

/// Opens a session for an ID token.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let body = edge.late(|fields| {
        Ok(Body {
            id_token: fields.secret("id_token")?,
            provider: fields.text("provider")?,
            client_id: fields.text("client_id")?,
            issuer: fields.text("issuer")?,
            nonce: fields.text("nonce")?,
            access_token: fields.secret("access_token")?,
            link_identity: fields.flag("link_identity")?,
        })
    })?;
    let (bearer, has_authorization) = (edge.bearer.clone(), edge.has_authorization);
    token::answer(&edge.ask(Request { bearer, has_authorization, body }).await?)
}
