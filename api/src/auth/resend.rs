//! `POST /resend` (`contract/core.md` §14.5).

use axum::response::Response;
use domain::first_checks::Endpoint;
use domain::resend::Request;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::sent;

/// Sends a message once more.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let request = edge
        .decode(Endpoint::Resend, edge.object(), |fields| {
            Ok(Request {
                captcha: edge.captcha(fields),
                kind: fields.text("type")?,
                email: fields.text("email")?,
                phone: fields.text("phone")?,
                code_challenge: fields.text("code_challenge")?,
                code_challenge_method: fields.text("code_challenge_method")?,
            })
        })
        .await?;
    sent::answer(&edge.ask(request).await?)
}
