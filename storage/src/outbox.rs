//! Rows of `auth.outbox`: messages that a transaction promised and a deliverer sends, at least once.

use domain::ids::InstanceId;
use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use crate::database::{Database, Tx};
use crate::error::Result;
use crate::sql::{each, same};
use crate::values::At;

statements! {
    project PUT = same(
        "insert into auth.outbox (instance_id, id, kind, payload, attempts, state, next_attempt_at, created_at)
         values ($1, $2, $3, $4, 0, 'pending', $5, $5)"
    );
    crossing CLAIM = each(
        "update auth.outbox as o set leased_until = $2, attempts = o.attempts + 1
         from (
             select d.instance_id, d.id from auth.outbox as d
             where d.state = 'pending' and d.next_attempt_at <= $1 and (d.leased_until is null or d.leased_until <= $1)
                 and d.instance_id <> all($4::uuid[])
             order by d.next_attempt_at, d.id
             limit $3
             for update skip locked
         ) as due
         where o.instance_id = due.instance_id and o.id = due.id
         returning o.id, o.instance_id, o.kind, o.payload, o.attempts, o.next_attempt_at",
        "update auth.outbox as o set leased_until = $2, attempts = o.attempts + 1
         where (o.instance_id, o.id) in (
             select d.instance_id, d.id from auth.outbox as d
             where d.state = 'pending' and d.next_attempt_at <= $1 and (d.leased_until is null or d.leased_until <= $1)
                 and hex(d.instance_id) not in (select value from json_each($4))
             order by d.next_attempt_at, d.id
             limit $3
         )
         returning id, instance_id, kind, payload, attempts, next_attempt_at",
    );
    crossing FINISH = same("delete from auth.outbox as o where o.id = $1");
    crossing RETRY = same(
        "update auth.outbox as o set next_attempt_at = $2, leased_until = null, last_error = $3 where o.id = $1"
    );
    crossing BURY = same("update auth.outbox as o set state = 'dead', leased_until = null, last_error = $2 where o.id = $1");
    crossing DEPTH = same(
        "select coalesce(sum(case when o.state = 'pending' then 1 else 0 end), 0) as pending,
             coalesce(sum(case when o.state = 'dead' then 1 else 0 end), 0) as dead,
             min(case when o.state = 'pending' then coalesce(o.leased_until, o.next_attempt_at) end) as next_due
         from auth.outbox as o"
    );
}

#[derive(FromRow)]
struct ClaimedRow {
    id: Uuid,
    instance_id: Uuid,
    kind: String,
    payload: String,
    attempts: i32,
    next_attempt_at: At,
}

#[derive(FromRow)]
pub(crate) struct DepthRow {
    pending: i64,
    dead: i64,
    next_due: Option<At>,
}

impl From<DepthRow> for OutboxDepth {
    fn from(row: DepthRow) -> Self {
        Self {
            pending: row.pending.unsigned_abs(),
            dead: row.dead.unsigned_abs(),
            next_due: row.next_due.map(|at| at.0),
        }
    }
}

/// A message to be sent after the commit.
#[derive(Clone, Debug)]
pub struct NewOutbox {
    /// The row.
    pub id: Uuid,
    /// Who delivers it.
    pub kind: &'static str,
    /// Sealed content.
    pub payload: String,
    /// The current instant.
    pub now: Timestamp,
}

/// A message that was claimed for delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The row.
    pub id: Uuid,
    /// Whose it is.
    pub instance: InstanceId,
    /// Who delivers it.
    pub kind: String,
    /// Sealed content.
    pub payload: String,
    /// How often it has been claimed, this time included.
    pub attempts: i32,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxDepth {
    /// Messages still to be sent.
    pub pending: u64,
    /// Messages given up.
    pub dead: u64,
    /// When the next one is due, or the lease on one that was claimed ends.
    pub next_due: Option<Timestamp>,
}

/// Writes the outbox of a project.
pub struct Outbox<'t> {
    pub(crate) tx: &'t mut Tx,
}

impl Outbox<'_> {
    /// Adds a message that is due at once.
    pub async fn put(&mut self, message: NewOutbox) -> Result<()> {
        let (work, instance) = (&mut self.tx.work, self.tx.instance.0);
        execute!(work, PUT, instance, message.id, message.kind, &message.payload, At(message.now))?;
        Ok(())
    }
}

impl Database {
    /// Takes up to `limit` due messages of any project, oldest first, and keeps them from other workers until `lease_until`.
    ///
    /// A worker that dies with them in its hands leaves them to whoever asks after that instant, with one more attempt counted. A
    /// delivery must end before its lease does, or another worker delivers the message a second time.
    pub async fn claim_outbox(&self, now: Timestamp, lease_until: Timestamp, limit: u32) -> Result<Vec<OutboxRow>> {
        self.claim_outbox_except(now, lease_until, limit, &[]).await
    }

    /// [`Self::claim_outbox`] that passes over the messages of the projects `except`.
    pub async fn claim_outbox_except(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
        except: &[InstanceId],
    ) -> Result<Vec<OutboxRow>> {
        let (now, lease_until, limit) = (At(now), At(lease_until), i64::from(limit));
        let backend = &self.backend;
        let rows = if backend.is_postgres() {
            let except: Vec<Uuid> = except.iter().map(|instance| instance.0).collect();
            let claim = || sqlx::query_as(CLAIM.postgres).bind(now).bind(lease_until).bind(limit).bind(&except);
            // A claim whose answer was lost only waits for its lease to end.
            retried!(backend, postgres(pool) => claim().fetch_all(pool))
        } else {
            let except: Vec<String> = except.iter().map(|instance| format!("\"{:X}\"", instance.0.simple())).collect();
            let except = format!("[{}]", except.join(","));
            let claim = || sqlx::query_as(CLAIM.sqlite).bind(now).bind(lease_until).bind(limit).bind(&except);
            retried!(backend, writer(pool) => claim().fetch_all(pool))
        };
        let mut rows: Vec<ClaimedRow> = rows?;
        rows.sort_by_key(|row| (row.next_attempt_at.0, row.id));
        let row = |row: ClaimedRow| OutboxRow {
            id: row.id,
            instance: InstanceId(row.instance_id),
            kind: row.kind,
            payload: row.payload,
            attempts: row.attempts,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Removes a message that was delivered.
    pub async fn finish_outbox(&self, id: Uuid) -> Result<()> {
        execute_now!(&self.backend, FINISH, id)?;
        Ok(())
    }

    /// Puts a message back until `next_attempt_at`.
    pub async fn retry_outbox(&self, id: Uuid, next_attempt_at: Timestamp, error: &str) -> Result<()> {
        execute_now!(&self.backend, RETRY, id, At(next_attempt_at), error)?;
        Ok(())
    }

    /// Gives a message up; the row stays for the operator.
    pub async fn bury_outbox(&self, id: Uuid, error: &str) -> Result<()> {
        execute_now!(&self.backend, BURY, id, error)?;
        Ok(())
    }

    /// How much waits.
    pub async fn outbox_depth(&self) -> Result<OutboxDepth> {
        Ok(fetch_now!(&self.backend, fetch_one, DepthRow, DEPTH)?.into())
    }
}
