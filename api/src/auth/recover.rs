//! `POST /recover` (`contract/core.md` §14.4).

use axum::response::Response;
use domain::first_checks::Endpoint;
use domain::recover::Request;
use http::StatusCode;
use serde_json::json;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;

/// Mails a way back into an account.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let request = edge
        .decode(Endpoint::Recover, edge.object(), |fields| {
            Ok(Request {
                captcha: edge.captcha(fields),
                email: fields.text("email")?,
                code_challenge: fields.text("code_challenge")?,
                code_challenge_method: fields.text("code_challenge_method")?,
            })
        })
        .await?;
    edge.ask(request).await?;
    json::answer(StatusCode::OK, &json!({}))
}
