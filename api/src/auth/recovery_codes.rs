//! `/factors/recovery-codes`: routes beside the contract (`security/advisor.md` §1.9).

use axum::response::Response;
use domain::recovery_codes::{Delete, Generate, Generated, Get, Regenerate, Verify};
use http::StatusCode;

use crate::edge::Edge;
use crate::failure::Failure;
use crate::output::json;
use crate::wire::factor::Gone;
use crate::wire::recovery_codes::RecoveryCodes;
use crate::wire::token;

/// `GET /factors/recovery-codes`: how many there are.
pub(crate) async fn get(edge: Edge) -> Result<Response, Failure> {
    let summary = edge.ask(Get { bearer: edge.bearer.clone() }).await?;
    json::answer(StatusCode::OK, &RecoveryCodes::counted(&summary))
}

/// `POST /factors/recovery-codes`. A body is not read.
pub(crate) async fn generate(edge: Edge) -> Result<Response, Failure> {
    shown(&edge.ask(Generate { bearer: edge.bearer.clone() }).await?)
}

/// `POST /factors/recovery-codes/regenerate`. A body is not read.
pub(crate) async fn regenerate(edge: Edge) -> Result<Response, Failure> {
    shown(&edge.ask(Regenerate { bearer: edge.bearer.clone() }).await?)
}

/// `DELETE /factors/recovery-codes`.
pub(crate) async fn delete(edge: Edge) -> Result<Response, Failure> {
    let id = edge.ask(Delete { bearer: edge.bearer.clone() }).await?;
    json::answer(StatusCode::OK, &Gone { id })
}

/// `POST /factors/recovery-codes/verify`: uses a code up and raises the session.
pub(crate) async fn verify(edge: Edge) -> Result<Response, Failure> {
    let code = edge.late(|fields| fields.secret("code"))?;
    token::answer_raised(&edge.ask(Verify { bearer: edge.bearer.clone(), code }).await?)
}

fn shown(generated: &Generated) -> Result<Response, Failure> {
    json::answer(StatusCode::OK, &RecoveryCodes::shown(generated))
}
