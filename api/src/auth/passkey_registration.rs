//! `/passkeys/registration` (`contract/mfa-passkeys-oauth.md` §2.2, §2.3).

use axum::response::Response;
use domain::passkey_registration::{Options, Verify};
use domain::passkeys::Ceremony;
use domain::refusal::Refusal;
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::input::object::Object;
use crate::output::json;
use crate::wire::passkey::{Challenge, Passkey};

/// `POST /passkeys/registration/options`. A body is not read.
pub(crate) async fn options(edge: Edge) -> Result<Response, Failure> {
    let challenge = edge.ask(Options { bearer: edge.bearer.clone() }).await?;
    json::answer(StatusCode::OK, &Challenge::of(&challenge))
}

/// `POST /passkeys/registration/verify`: keeps a passkey.
pub(crate) async fn verify(edge: Edge) -> Result<Response, Failure> {
    let body = edge.late(ceremony)?;
    let passkey = edge.ask(Verify { bearer: edge.bearer.clone(), body }).await?;
    json::answer(StatusCode::OK, &Passkey::of(&passkey))
}

/// What an authenticator answered to either ceremony.
pub(super) fn ceremony(fields: &mut Object) -> Result<Ceremony, Refusal> {
    Ok(Ceremony { challenge: fields.text("challenge_id")?, credential: fields.any("credential") })
}
