//! `/v1/tokens`, Tenantry's own: who may use the Management API, and for what.

use actors::management::{NewToken as Request, OperatorToken};
use axum::response::Response;
use domain::ids::ProjectRef;
use domain::operator::{Role, TokenView};
use domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, refused};

/// An operator token; in clear only in the answer to its creation.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorToken)]
pub(super) struct Token<'a> {
    id: Uuid,
    name: &'a str,
    /// `owner`, `operator` or `read_only`.
    #[schema(value_type = String)]
    role: Role,
    /// The refs of the projects it is for; `null` = all there are and will be.
    #[schema(value_type = Option<Vec<String>>)]
    projects: Option<&'a [ProjectRef]>,
    /// How it begins.
    prefix: &'a str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> Token<'a> {
    fn of(token: &'a OperatorToken) -> Self {
        let TokenView { id, name, prefix, role, created_at, expires_at, last_used_at, revoked_at, .. } = &token.token;
        Self {
            id: *id,
            name,
            role: *role,
            projects: token.projects.as_deref(),
            prefix,
            created_at: *created_at,
            expires_at: *expires_at,
            last_used_at: *last_used_at,
            revoked_at: *revoked_at,
            token: token.secret.as_ref().map(|secret| secret.expose().as_str()),
        }
    }
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOperatorToken)]
pub(super) struct NewToken {
    /// For people.
    name: String,
    /// `owner`, `operator` or `read_only`.
    #[schema(value_type = String)]
    role: Role,
    /// The refs of the projects it is for; all where none are given.
    #[schema(value_type = Option<Vec<String>>)]
    projects: Option<Vec<ProjectRef>>,
    /// Seconds until it ends by itself; never where none are given.
    expires_in: Option<u32>,
}

/// `GET`: all of them, the newest first; revoked ones as well.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let tokens = operator.management().tokens().await.map_err(refused)?;
    answer(StatusCode::OK, &tokens.iter().map(Token::of).collect::<Vec<_>>())
}

/// `POST`: its answer shows it once.
pub(super) async fn create(operator: Operator) -> Result<Response, Failure> {
    let NewToken { name, role, projects, expires_in } = operator.body()?;
    let request = Request { name, role, projects, expires_in };
    let token = operator.management().create_token(request).await.map_err(refused)?;
    answer(StatusCode::CREATED, &Token::of(&token))
}

/// `DELETE .../{id}`: it opens nothing from now on.
pub(super) async fn revoke(operator: Operator) -> Result<Response, Failure> {
    let token = operator.management().revoke_token(operator.id()?).await.map_err(refused)?;
    answer(StatusCode::OK, &Token::of(&token))
}
