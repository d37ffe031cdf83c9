//! Messages of a project that were given up: what its operator sees of them, and what he may do.

use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use crate::database::TenantStore;
use crate::error::Result;
use crate::outbox::{DepthRow, OutboxDepth};
use crate::sql::same;
use crate::values::At;

statements! {
    project LIST = same(
        "select o.id, o.kind, o.attempts, o.last_error, o.created_at from auth.outbox as o
         where o.instance_id = $1 and o.state = 'dead'
         order by o.created_at desc, o.id desc limit $2 offset $3"
    );
    project RETRY = same(
        "update auth.outbox as o set state = 'pending', attempts = 0, leased_until = null, next_attempt_at = $3
         where o.instance_id = $1 and o.id = $2 and o.state = 'dead'"
    );
    project DISCARD = same("delete from auth.outbox as o where o.instance_id = $1 and o.id = $2 and o.state = 'dead'");
    project DEPTH = same(
        "select coalesce(sum(case when o.state = 'pending' then 1 else 0 end), 0) as pending,
             coalesce(sum(case when o.state = 'dead' then 1 else 0 end), 0) as dead,
             min(case when o.state = 'pending' then coalesce(o.leased_until, o.next_attempt_at) end) as next_due
         from auth.outbox as o where o.instance_id = $1"
    );
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    attempts: i32,
    last_error: Option<String>,
    created_at: At,
}

/// A message that was given up, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The row.
    pub id: Uuid,
    /// Who was to deliver it.
    pub kind: String,
    /// How often that was tried.
    pub attempts: i32,
    /// Why the last try failed.
    pub last_error: String,
    /// When it was promised.
    pub created_at: Timestamp,
}

impl From<Row> for DeadLetter {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            attempts: row.attempts,
            last_error: row.last_error.unwrap_or_default(),
            created_at: row.created_at.0,
        }
    }
}

impl TenantStore {
    /// The project's messages that were given up, newest first.
    pub async fn dead_letters(&self, limit: u32, offset: u32) -> Result<Vec<DeadLetter>> {
        let (limit, offset) = (i64::from(limit), i64::from(offset));
        let rows = fetch_now!(self.backend(), fetch_all, Row, LIST, self.instance.0, limit, offset)?;
        Ok(rows.into_iter().map(DeadLetter::from).collect())
    }

    /// Lets a message that was given up be delivered again from `now` on, with as many attempts as a new one. False when there is none.
    pub async fn retry_dead(&self, id: Uuid, now: Timestamp) -> Result<bool> {
        Ok(execute_now!(self.backend(), RETRY, self.instance.0, id, At(now))? == 1)
    }

    /// Removes a message that was given up. False when there is none.
    pub async fn discard_dead(&self, id: Uuid) -> Result<bool> {
        Ok(execute_now!(self.backend(), DISCARD, self.instance.0, id)? == 1)
    }

    /// How much of the project's waits.
    pub async fn outbox_depth(&self) -> Result<OutboxDepth> {
        Ok(fetch_now!(self.backend(), fetch_one, DepthRow, DEPTH, self.instance.0)?.into())
    }
}
