//! `POST /token?grant_type=password` (`contract/core.md` §13.1).

use axum::response::Response;
use domain::first_checks::{self, Endpoint};
use domain::refusal::Refusal;
use domain::sign_in::Request;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::token;

/// Opens a session for a password.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let request = edge
        .decode(Endpoint::Password, edge.object(), |fields| {
            Ok(Request {
                captcha: edge.captcha(fields),
                email: fields.text("email")?,
                phone: fields.text("phone")?,
                password: fields.secret("password")?,
            })
        })
        .await?;
    token::answer(&edge.ask(request).await?)
}

/// Refuses a grant that does not exist. Where the project has a captcha it stands in front of these too
/// (`contract/platform.md` §7), and has to read the body.
pub(crate) async fn refuse_grant(edge: &Edge) -> Failure {
    let object = edge.object();
    let captcha = object.as_ref().ok().map(|fields| edge.captcha(fields));
    match edge.ask(first_checks::Request { endpoint: Endpoint::UnknownGrant, captcha }).await {
        Err(failure) => failure,
        Ok(()) => object.err().unwrap_or_else(|| Refusal::UnsupportedGrantType.into()),
    }
}
