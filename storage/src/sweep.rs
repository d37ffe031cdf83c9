//! Removing what is over, a little at a time.

use domain::ids::InstanceId;
use domain::time::Timestamp;
use uuid::Uuid;

use crate::backend::{Inner, Work};
use crate::database::Database;
use crate::error::Result;
use crate::sql::{Sql, each};
use crate::values::At;

/// What is old enough to go (`contract/core.md` §19, cleanup).
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// Flow states, relay states, client states and challenges begun, refresh tokens revoked, signatures of wallets over before this
    /// instant.
    pub before: Timestamp,
    /// Sessions whose fixed end lies before this instant.
    pub sessions_ended_before: Timestamp,
    /// At most so many rows of a project and kind.
    pub limit: u32,
}

/// `$1` the projects, `$2` the instant, `$3` how many; rows are known by their `id` or by the keys that are named for each database.
/// What somebody else is working on is left to the next sweep. The plus sign keeps SQLite from going through all rows of the project.
macro_rules! sweep {
    ($table:literal, $over:literal, $order:literal) => {
        sweep!($table, "id", "id", $over, $order)
    };
    ($table:literal, $postgres_key:literal, $sqlite_key:literal, $over:literal, $order:literal) => {
        each(
            concat!(
                "delete from auth.",
                $table,
                " as gone using (
                     select old.instance_id, old.",
                $postgres_key,
                "
                     from unnest($1::uuid[]) as q(instance_id)
                     cross join lateral (
                         select x.instance_id, x.",
                $postgres_key,
                " from auth.",
                $table,
                " as x
                         where x.instance_id = q.instance_id and ",
                $over,
                "
                         order by ",
                $order,
                " limit $3 for update skip locked
                     ) as old
                 ) as due
                 where gone.instance_id = due.instance_id and gone.",
                $postgres_key,
                " = due.",
                $postgres_key
            ),
            concat!(
                "delete from auth.",
                $table,
                " as gone
                 where +gone.instance_id = $1 and gone.",
                $sqlite_key,
                " in (
                     select x.",
                $sqlite_key,
                " from auth.",
                $table,
                " as x
                     where x.instance_id = $1 and ",
                $over,
                "
                     order by ",
                $order,
                " limit $3
                 )"
            ),
        )
    };
}

statements! {
    crossing SESSIONS = sweep!("sessions", "x.not_after < $2", "x.not_after");
    crossing REFRESH_TOKENS = sweep!("refresh_tokens", "x.revoked and x.updated_at < $2", "x.updated_at");
    crossing FLOW_STATES = sweep!("flow_state", "x.created_at < $2", "x.created_at");
    crossing RELAY_STATES = sweep!("saml_relay_states", "x.created_at < $2", "x.created_at");
    crossing CLIENT_STATES = sweep!("oauth_client_states", "x.created_at < $2", "x.created_at");
    crossing MFA_CHALLENGES = sweep!("mfa_challenges", "x.created_at < $2", "x.created_at");
    crossing PASSKEY_CHALLENGES = sweep!("webauthn_challenges", "x.expires_at < $2", "x.expires_at");
    crossing WEB3_SIGNATURES = sweep!("web3_signatures", "digest", "rowid", "x.expires_at < $2", "x.expires_at");
}

impl Database {
    /// Removes expired rows of these projects and answers how many.
    pub async fn sweep_expired(&self, instances: &[InstanceId], sweep: Sweep) -> Result<u64> {
        let instances: Vec<Uuid> = instances.iter().map(|instance| instance.0).collect();
        let before = [
            REFRESH_TOKENS,
            FLOW_STATES,
            RELAY_STATES,
            CLIENT_STATES,
            MFA_CHALLENGES,
            PASSKEY_CHALLENGES,
            WEB3_SIGNATURES,
        ];
        let mut gone = 0;
        for sql in before {
            gone += self.sweep_one(sql, &instances, sweep.before, sweep.limit).await?;
        }
        Ok(gone + self.sweep_one(SESSIONS, &instances, sweep.sessions_ended_before, sweep.limit).await?)
    }

    /// Each kind in a transaction of its own, so that no request waits for all of them.
    async fn sweep_one(&self, sql: Sql, instances: &[Uuid], before: Timestamp, limit: u32) -> Result<u64> {
        let mut work = self.backend.begin_sweep().await?;
        let gone = delete(&mut work, sql, instances, At(before), i64::from(limit)).await?;
        work.commit().await?;
        Ok(gone)
    }
}

async fn delete(work: &mut Work, sql: Sql, instances: &[Uuid], before: At, limit: i64) -> Result<u64> {
    work.count();
    match &mut work.inner {
        Inner::Postgres(transaction) => {
            let delete = sqlx::query(sql.postgres).bind(instances).bind(before).bind(limit);
            Ok(delete.execute(&mut **transaction).await?.rows_affected())
        }
        Inner::Sqlite(transaction) => {
            let mut gone = 0;
            for instance in instances {
                let delete = sqlx::query(sql.sqlite).bind(*instance).bind(before).bind(limit);
                gone += delete.execute(&mut **transaction).await?.rows_affected();
            }
            Ok(gone)
        }
    }
}
