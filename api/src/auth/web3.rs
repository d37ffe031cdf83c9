//! `POST /token?grant_type=web3` (`contract/mfa-passkeys-oauth.md` §7).

use axum::response::Response;
use domain::captcha::Proof;
use domain::web3::{Body, Request};

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::token;

/// Opens a session for a message that a wallet has signed.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    // A body that nobody can read has no captcha token.
    let mut captcha = Proof { malformed: true, bearer: edge.bearer.clone(), ..Proof::default() };
    let body = edge.late(|fields| {
        captcha = edge.captcha(fields);
        Ok(Body {
            message: fields.text("message")?,
            signature: fields.secret("signature")?,
            chain: fields.text("chain")?,
        })
    })?;
    token::answer(&edge.ask(Request { captcha, body }).await?)
}
