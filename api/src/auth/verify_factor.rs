//! `POST /factors/{id}/verify` (`contract/mfa-passkeys-oauth.md` §1.6).

use axum::response::Response;
use domain::refusal::Refusal;
use domain::verify_factor::{Body, Request, WebAuthn};

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::ids::Ids;
use crate::input::object::Object;
use crate::wire::token;

/// Takes the answer to a challenge and raises the session.
pub(crate) async fn handle(edge: Edge, ids: Ids) -> Result<Response, Failure> {
    let body = edge.late(|fields| {
        Ok(Body {
            challenge: fields.uuid("challenge_id")?,
            code: fields.secret("code")?,
            webauthn: fields.fields("webauthn")?.map(webauthn).transpose()?,
        })
    })?;
    token::answer_raised(&edge.ask(Request { bearer: edge.bearer.clone(), factor: ids.id, body }).await?)
}

fn webauthn(mut fields: Object) -> Result<WebAuthn, Refusal> {
    Ok(WebAuthn { ceremony: fields.text("type")?, credential_response: fields.any("credential_response") })
}
