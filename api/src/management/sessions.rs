//! `/v1/projects/{ref}/sessions`, Tenantry's own: who is signed in, and an end to it.

use actors::management::SessionPage;
use axum::response::Response;
use domain::ids::{SessionId, UserId};
use domain::session;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::operator::{Operator, refused};
use crate::management::{answer, message};

/// A page of sessions.
#[derive(Serialize, ToSchema)]
pub(super) struct Sessions<'a> {
    sessions: Vec<Session<'a>>,
    /// The `after` of the next page.
    next: Option<Uuid>,
}

/// A session.
#[derive(Serialize, ToSchema)]
struct Session<'a> {
    id: Uuid,
    user_id: Uuid,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    refreshed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    not_after: Option<Timestamp>,
    aal: &'static str,
    ip: Option<&'a str>,
    user_agent: Option<&'a str>,
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
#[schema(as = EndedSessions)]
pub(super) struct Ended {
    ended: u64,
}

impl<'a> Sessions<'a> {
    fn of(page: &'a SessionPage) -> Self {
        Self { sessions: page.sessions.iter().map(Session::of).collect(), next: page.next.map(|id| id.0) }
    }
}

impl<'a> Session<'a> {
    fn of(session: &'a session::Session) -> Self {
        Self {
            id: session.id.0,
            user_id: session.user_id.0,
            created_at: session.created_at,
            updated_at: session.updated_at,
            refreshed_at: session.refreshed_at,
            not_after: session.not_after,
            aal: session.aal.as_str(),
            ip: session.ip.as_deref(),
            user_agent: session.user_agent.as_deref(),
        }
    }
}

/// `GET`: page by page, in the order of their ids.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let (after, limit) = (uuid(&operator, "after")?.map(SessionId), operator.number("limit")?);
    let page = operator.management().sessions(&operator.project()?, after, limit).await.map_err(refused)?;
    answer(StatusCode::OK, &Sessions::of(&page))
}

/// `DELETE`: all, or all of one user.
pub(super) async fn end_all(operator: Operator) -> Result<Response, Failure> {
    let user = uuid(&operator, "user_id")?.map(UserId);
    let ended = operator.management().end_sessions(&operator.project()?, user).await.map_err(refused)?;
    answer(StatusCode::OK, &Ended { ended })
}

/// `DELETE .../{id}`.
pub(super) async fn end(operator: Operator) -> Result<Response, Failure> {
    let (project, id) = (operator.project()?, SessionId(operator.id()?));
    operator.management().end_session(&project, id).await.map_err(refused)?;
    answer(StatusCode::OK, &Ended { ended: 1 })
}

/// What the query says must be a UUID or nothing: an empty value would mean everybody.
fn uuid(operator: &Operator, name: &str) -> Result<Option<Uuid>, Failure> {
    let given = operator.given(name)?.map(str::parse).transpose();
    given.map_err(|_| message(StatusCode::BAD_REQUEST, format!("{name} must be a UUID")))
}
