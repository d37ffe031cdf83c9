//! `/v1/profile` and `/v1/organizations` (`contract/management.md` §2.2). A gateway is one organization, and who asks is a
//! token, not a person.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::operator::Operator;
use crate::management::{answer, message};

/// The one organization.
pub(super) const ORGANIZATION: &str = "tenantry";

/// Whose token it is.
#[derive(Serialize, ToSchema)]
pub(super) struct Profile {
    /// The token's id.
    gotrue_id: Uuid,
    primary_email: &'static str,
    /// The token's name.
    username: String,
}

/// The organization of every project.
#[derive(Serialize, ToSchema)]
pub(super) struct Organization {
    id: &'static str,
    slug: &'static str,
    name: &'static str,
}

/// The organization with what a plan allows: everything.
#[derive(Serialize, ToSchema)]
pub(super) struct OrganizationDetail {
    #[serde(flatten)]
    organization: Organization,
    plan: &'static str,
    opt_in_tags: [&'static str; 0],
    allowed_release_channels: [&'static str; 1],
}

/// What a plan limits: nothing.
#[derive(Serialize, ToSchema)]
pub(super) struct Entitlements {
    #[schema(value_type = Vec<Object>)]
    entitlements: [(); 0],
}

const WHOLE: Organization = Organization { id: ORGANIZATION, slug: ORGANIZATION, name: "Tenantry" };

/// `GET /v1/profile`.
pub(super) async fn get(operator: Operator) -> Result<Response, Failure> {
    let identity = operator.identity();
    let gotrue_id = identity.token.unwrap_or_default();
    answer(StatusCode::OK, &Profile { gotrue_id, primary_email: "", username: identity.name.clone() })
}

/// `GET /v1/organizations`.
pub(super) async fn organizations(_: Operator) -> Result<Response, Failure> {
    answer(StatusCode::OK, &[WHOLE])
}

/// `GET /v1/organizations/{slug}`.
pub(super) async fn organization(operator: Operator) -> Result<Response, Failure> {
    known(&operator)?;
    let (opt_in_tags, allowed_release_channels) = ([], ["ga"]);
    let detail = OrganizationDetail { organization: WHOLE, plan: "enterprise", opt_in_tags, allowed_release_channels };
    answer(StatusCode::OK, &detail)
}

/// `GET /v1/organizations/{slug}/entitlements`.
pub(super) async fn entitlements(operator: Operator) -> Result<Response, Failure> {
    known(&operator)?;
    answer(StatusCode::OK, &Entitlements { entitlements: [] })
}

/// `POST /v1/organizations`: there is one.
pub(super) async fn create_organization(_: Operator) -> Result<Response, Failure> {
    Err(message(StatusCode::BAD_REQUEST, format!("a gateway is one organization: {ORGANIZATION}")))
}

/// Refuses any other organization.
pub(super) fn known(operator: &Operator) -> Result<(), Failure> {
    if operator.text("slug") == ORGANIZATION {
        Ok(())
    } else {
        Err(message(StatusCode::NOT_FOUND, "Organization not found"))
    }
}
