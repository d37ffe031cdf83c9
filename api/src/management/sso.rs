//! `/v1/projects/{ref}/config/auth/sso/providers` (`contract/management.md` §2.6). SAML is not served, so every project
//! answers as one of Supabase's whose SAML is switched off.

use axum::response::Response;
use http::StatusCode;

use crate::failure::Failure;
use crate::management::message;
use crate::management::operator::{Operator, refused};

/// All methods of both paths.
pub(super) async fn off(operator: Operator) -> Result<Response, Failure> {
    operator.management().project(&operator.project()?).await.map_err(refused)?;
    Err(message(StatusCode::NOT_FOUND, "SAML 2.0 is not enabled for this project"))
}
