//! `POST /factors` (`contract/mfa-passkeys-oauth.md` §1.4).

use axum::response::Response;
use domain::enroll_factor::{Body, Request};
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;
use crate::wire::factor::Enrolled;

/// Makes a factor that waits for its first proof.
pub(crate) async fn handle(edge: Edge) -> Result<Response, Failure> {
    let body = edge.late(|fields| {
        Ok(Body {
            factor_type: fields.text("factor_type")?,
            friendly_name: fields.text("friendly_name")?,
            issuer: fields.text("issuer")?,
            phone: fields.text("phone")?,
        })
    })?;
    let enrolled = edge.ask(Request { bearer: edge.bearer.clone(), body }).await?;
    json::answer(StatusCode::OK, &Enrolled::of(&enrolled))
}
