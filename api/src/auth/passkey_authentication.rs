//! `/passkeys/authentication` (`contract/mfa-passkeys-oauth.md` §2.4, §2.5).

use axum::response::Response;
use domain::captcha::Proof;
use domain::passkey_authentication::{Options, Verify};
use http::StatusCode;

use crate::auth::passkey_registration::ceremony;
use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;
use crate::wire::passkey::Challenge;
use crate::wire::token;

/// `POST /passkeys/authentication/options`. Only a captcha makes the body count.
pub(crate) async fn options(edge: Edge) -> Result<Response, Failure> {
    let captcha = edge.late(|fields| Ok(edge.captcha(fields)))?;
    let unread = |_| Proof { malformed: true, bearer: edge.bearer.clone(), ..Proof::default() };
    let challenge = edge.ask(Options { captcha: captcha.unwrap_or_else(unread) }).await?;
    json::answer(StatusCode::OK, &Challenge::of(&challenge))
}

/// `POST /passkeys/authentication/verify`: opens a session.
pub(crate) async fn verify(edge: Edge) -> Result<Response, Failure> {
    let body = edge.late(ceremony)?;
    token::answer(&edge.ask(Verify { body }).await?)
}
