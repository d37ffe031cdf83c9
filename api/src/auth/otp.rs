//! `POST /otp` (`contract/core.md` §14.1).

use axum::response::Response;
use domain::first_checks::Endpoint;
use domain::otp::Request;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::wire::sent;

/// Sends a code or a link.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let request = edge
        .decode(Endpoint::Otp, edge.object(), |fields| {
            Ok(Request {
                captcha: edge.captcha(fields),
                email: fields.text("email")?,
                phone: fields.text("phone")?,
                create_user: fields.flag_or("create_user", true)?,
                data: fields.object("data")?.unwrap_or_default(),
                channel: fields.text("channel")?,
                code_challenge: fields.text("code_challenge")?,
                code_challenge_method: fields.text("code_challenge_method")?,
            })
        })
        .await?;
    sent::answer(&edge.ask(request).await?)
}
