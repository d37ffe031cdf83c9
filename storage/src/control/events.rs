//! What changed, in commit order, for gateways that missed an invalidation.

use domain::ids::ProjectId;
use domain::time::Timestamp;

use sqlx::FromRow;
use uuid::Uuid;

use super::ControlStore;
use crate::backend::Work;
use crate::error::{Result, StoreError};
use crate::sql::{each, same};
use crate::values::At;

statements! {
    control RECORD = same("insert into control.events (project_id, kind, created_at) values ($1, $2, $3)");
    control LATEST = same("select coalesce(max(e.seq), 0) from control.events as e");
    control AFTER = same(
        "select e.seq, e.project_id, e.kind, e.created_at from control.events as e where e.seq > $1 order by e.seq limit $2"
    );
    // The newest one stays: its number is where the next gateway begins.
    control TRIM = each(
        "delete from control.events as e where e.seq = any(array(
             select o.seq from control.events as o
             where o.created_at < $1 and o.seq < (select max(m.seq) from control.events as m)
             order by o.created_at limit 10000
         ))",
        "delete from control.events as e where e.seq in (
             select o.seq from control.events as o
             where o.created_at < $1 and o.seq < (select max(m.seq) from control.events as m)
             order by o.created_at limit 10000
         )",
    );
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    project_id: Uuid,
    kind: String,
    created_at: At,
}

impl TryFrom<Row> for Event {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let change = match row.kind.as_str() {
            "config" => Change::Config,
            "project" => Change::Project,
            _ => return Err(StoreError::fault("an event is of an unknown kind")),
        };
        Ok(Self { seq: row.seq, project: ProjectId(row.project_id), change, created_at: row.created_at.0 })
    }
}

pub(super) async fn record(work: &mut Work, project: ProjectId, change: Change, now: Timestamp) -> Result<()> {
    let kind = match change {
        Change::Config => "config",
        Change::Project => "project",
    };
    execute!(work, RECORD, project.0, kind, At(now))?;
    Ok(())
}

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Configuration, keys or secrets.
    Config,
    /// The project was made, paused, resumed, renamed, held, placed, deleted, restored or removed.
    Project,
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Grows with every change.
    pub seq: i64,
    /// Which project.
    pub project: ProjectId,
    /// What kind.
    pub change: Change,
    /// When.
    pub created_at: Timestamp,
}

/// Reads changes; the other parts of the store write them.
pub struct Events<'s> {
    pub(super) store: &'s ControlStore,
}

impl Events<'_> {
    /// The number of the newest change, 0 when there is none.
    pub async fn latest(&self) -> Result<i64> {
        Ok(fetch_now!(&self.store.backend, fetch_one, (i64,), LATEST)?.0)
    }

    /// Up to `limit` changes after `seq`, oldest first.
    pub async fn after(&self, seq: i64, limit: u32) -> Result<Vec<Event>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, AFTER, seq, i64::from(limit))?;
        rows.into_iter().map(Event::try_from).collect()
    }

    /// Forgets changes before an instant, some thousands at a time. Gives how many.
    pub async fn trim(&self, before: Timestamp) -> Result<u64> {
        execute_now!(&self.store.backend, TRIM, At(before))
    }
}
