//! `/v1/projects/{ref}/mail/dead-letters`, Tenantry's own: mail that was given up, and what becomes of it.

use actors::management::{DeadLetterView, OutboxView};
use axum::response::Response;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::failure::Failure;
use crate::management::answer;
use crate::management::operator::{Operator, refused};

/// Dead letters of one answer where the request names no number.
const LIMIT: u32 = 100;

/// Mail that waits, and the newest of what was given up.
#[derive(Serialize, ToSchema)]
#[schema(as = MailOutbox)]
pub(super) struct Outbox<'a> {
    pending: u64,
    dead: u64,
    dead_letters: Vec<Letter<'a>>,
}

/// A mail that was given up.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(super) struct Letter<'a> {
    id: Uuid,
    kind: &'a str,
    attempts: i32,
    last_error: &'a str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What became of a mail.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedDeadLetter)]
pub(super) struct Changed {
    id: Uuid,
    status: &'static str,
}

impl<'a> Outbox<'a> {
    fn of(view: &'a OutboxView) -> Self {
        Self {
            pending: view.pending,
            dead: view.dead,
            dead_letters: view.dead_letters.iter().map(Letter::of).collect(),
        }
    }
}

impl<'a> Letter<'a> {
    fn of(view: &'a DeadLetterView) -> Self {
        let DeadLetterView { id, kind, attempts, last_error, created_at } = view;
        Self { id: *id, kind, attempts: *attempts, last_error, created_at: *created_at }
    }
}

/// `GET`: how much waits, and the newest of what was given up; `limit` and `offset` page through it.
pub(super) async fn list(operator: Operator) -> Result<Response, Failure> {
    let (limit, offset) = (operator.number("limit")?.unwrap_or(LIMIT), operator.number("offset")?.unwrap_or(0));
    let view = operator.management().outbox(&operator.project()?, limit, offset).await.map_err(refused)?;
    answer(StatusCode::OK, &Outbox::of(&view))
}

/// `POST .../{id}/retry`: it is delivered as if it were new.
pub(super) async fn retry(operator: Operator) -> Result<Response, Failure> {
    let id = operator.id()?;
    operator.management().retry_dead_letter(&operator.project()?, id).await.map_err(refused)?;
    answer(StatusCode::OK, &Changed { id, status: "pending" })
}

/// `DELETE .../{id}`: it is gone for good.
pub(super) async fn discard(operator: Operator) -> Result<Response, Failure> {
    let id = operator.id()?;
    operator.management().discard_dead_letter(&operator.project()?, id).await.map_err(refused)?;
    answer(StatusCode::OK, &Changed { id, status: "discarded" })
}
