//! Removing what is over by a project's own settings, a little at a time.

use domain::time::Timestamp;
use uuid::Uuid;

use crate::database::TenantStore;
use crate::error::Result;
use crate::sql::{Sql, each};
use crate::values::At;

/// What of one project is old enough to go (`contract/platform.md` §10); `None` = that kind stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProjectSweep {
    /// One-time tokens sent before this instant.
    pub one_time_tokens: Option<Timestamp>,
    /// Factors enrolled and never verified before this instant.
    pub unverified_factors: Option<Timestamp>,
    /// Anonymous accounts made before this instant, with all that is theirs.
    pub anonymous_users: Option<Timestamp>,
    /// Sessions begun before this instant: the time box is over.
    pub sessions_begun: Option<Timestamp>,
    /// Sessions last used before this instant: idle for too long.
    pub sessions_idle: Option<Timestamp>,
    /// Entries of the audit log written before this instant.
    pub audit: Option<Timestamp>,
    /// Messages that were given up, promised before this instant.
    pub dead_letters: Option<Timestamp>,
    /// Ends of sessions that came before this instant.
    pub revocations: Option<Timestamp>,
    /// Devices last seen before this instant.
    pub known_devices: Option<Timestamp>,
    /// At most so many rows of a kind.
    pub limit: u32,
}

/// How many rows of a kind went. Where it is the limit, there may be more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// One-time tokens.
    pub one_time_tokens: u64,
    /// Factors.
    pub unverified_factors: u64,
    /// Accounts.
    pub anonymous_users: u64,
    /// Sessions, for whichever reason.
    pub sessions: u64,
    /// Entries of the audit log.
    pub audit: u64,
    /// Messages.
    pub dead_letters: u64,
    /// Ends of sessions.
    pub revocations: u64,
    /// Devices.
    pub known_devices: u64,
}

/// `$2` the instant, `$3` how many. What somebody else is working on is left to the next sweep. The plus sign keeps SQLite from going
/// through all rows of the project, the array PostgreSQL.
macro_rules! sweep {
    ($table:literal, $over:literal) => {
        sweep!($table, $over, $over)
    };
    ($table:literal, $postgres:literal, $sqlite:literal) => {
        each(
            concat!(
                "delete from auth.",
                $table,
                " as gone
                 where gone.instance_id = $1 and gone.id = any(array(
                     select x.id from auth.",
                $table,
                " as x where x.instance_id = $1 and ",
                $postgres,
                "
                     order by x.created_at limit $3 for update of x skip locked
                 ))"
            ),
            concat!(
                "delete from auth.",
                $table,
                " as gone
                 where +gone.instance_id = $1 and gone.id in (
                     select x.id from auth.",
                $table,
                " as x where x.instance_id = $1 and ",
                $sqlite,
                "
                     order by x.created_at limit $3
                 )"
            ),
        )
    };
}

/// Nobody used the session since: neither it nor, in rows of other servers, its live token. A bare `max(t.updated_at)` would be looked
/// for among the tokens of the whole project.
macro_rules! idle {
    ($refreshed_at:literal) => {
        concat!(
            "x.created_at < $2 and coalesce(",
            $refreshed_at,
            ", (
                 select max(coalesce(t.updated_at, t.created_at)) from auth.refresh_tokens as t
                 where t.instance_id = $1 and t.session_id = x.id and t.revoked = false
             ), x.created_at) < $2"
        )
    };
}

statements! {
    project ONE_TIME_TOKENS = sweep!("one_time_tokens", "x.created_at < ($2 at time zone 'UTC')", "x.created_at < $2");
    project FACTORS = sweep!("mfa_factors", "x.status = 'unverified' and x.created_at < $2");
    project ANONYMOUS_USERS = sweep!("users", "x.is_anonymous = true and x.created_at < $2");
    project SESSIONS_BEGUN = sweep!("sessions", "x.created_at < $2");
    project AUDIT = sweep!("audit_log_entries", "x.created_at < $2");
    project DEAD_LETTERS = sweep!("outbox", "x.state = 'dead' and x.created_at < $2");
    project KNOWN_DEVICES = each(
        "delete from auth.known_devices as gone
         where gone.instance_id = $1 and gone.ctid = any(array(
             select x.ctid from auth.known_devices as x where x.instance_id = $1 and x.last_seen_at < $2
             order by x.last_seen_at limit $3 for update of x skip locked
         ))",
        "delete from auth.known_devices as gone
         where +gone.instance_id = $1 and gone.rowid in (
             select x.rowid from auth.known_devices as x where x.instance_id = $1 and x.last_seen_at < $2
             order by x.last_seen_at limit $3
         )",
    );
    // An index on the last use would make every refresh write to it: the oldest sessions are looked through instead.
    project SESSIONS_IDLE = each(
        concat!(
            "delete from auth.sessions as gone
             where gone.instance_id = $1 and gone.id = any(array(
                 select x.id from auth.sessions as x where x.instance_id = $1 and ", idle!("x.refreshed_at at time zone 'UTC'"), "
                 order by x.created_at limit $3 for update of x skip locked
             ))"
        ),
        concat!(
            "select x.id from auth.sessions as x where x.instance_id = $1 and ", idle!("x.refreshed_at"), "
             order by x.created_at limit $3"
        ),
    );
    project SESSION_IDLE = each(
        "",
        concat!("delete from auth.sessions as x where x.instance_id = $1 and ", idle!("x.refreshed_at"), " and x.id = $3"),
    );
}

impl TenantStore {
    /// Removes rows of the project that are over. Each kind by itself, so that no request waits for all of them.
    pub async fn sweep(&self, sweep: ProjectSweep) -> Result<Swept> {
        let limit = sweep.limit;
        Ok(Swept {
            one_time_tokens: self.sweep_kind(ONE_TIME_TOKENS, sweep.one_time_tokens, limit).await?,
            unverified_factors: self.sweep_kind(FACTORS, sweep.unverified_factors, limit).await?,
            anonymous_users: self.sweep_kind(ANONYMOUS_USERS, sweep.anonymous_users, limit).await?,
            sessions: self.sweep_kind(SESSIONS_BEGUN, sweep.sessions_begun, limit).await?
                + self.sweep_idle(sweep.sessions_idle, limit).await?,
            audit: self.sweep_kind(AUDIT, sweep.audit, limit).await?,
            dead_letters: self.sweep_kind(DEAD_LETTERS, sweep.dead_letters, limit).await?,
            revocations: match sweep.revocations {
                Some(before) => self.sweep_revocations(before, limit).await?,
                None => 0,
            },
            known_devices: self.sweep_kind(KNOWN_DEVICES, sweep.known_devices, limit).await?,
        })
    }

    async fn sweep_kind(&self, sql: Sql, before: Option<Timestamp>, limit: u32) -> Result<u64> {
        let Some(before) = before else { return Ok(0) };
        execute_now!(self.backend(), sql, self.instance.0, At(before), i64::from(limit))
    }

    /// On SQLite a reader looks for them, so that the one writer is not kept waiting.
    async fn sweep_idle(&self, before: Option<Timestamp>, limit: u32) -> Result<u64> {
        let Some(before) = before else { return Ok(0) };
        if self.backend().is_postgres() {
            return self.sweep_kind(SESSIONS_IDLE, Some(before), limit).await;
        }
        let (backend, instance, limit) = (self.backend(), self.instance.0, i64::from(limit));
        let idle = fetch_now!(backend, fetch_all, (Uuid,), SESSIONS_IDLE, instance, At(before), limit)?;
        if idle.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let mut gone = 0;
        for (session,) in idle {
            gone += execute!(&mut tx.work, SESSION_IDLE, instance, At(before), session)?;
        }
        tx.commit().await?;
        Ok(gone)
    }
}

impl Swept {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.one_time_tokens
            + self.unverified_factors
            + self.anonymous_users
            + self.sessions
            + self.audit
            + self.dead_letters
            + self.revocations
            + self.known_devices
    }
}
