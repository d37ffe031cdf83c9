//! The end of a project: every row it has.

use crate::database::TenantStore;
use crate::error::Result;
use crate::sql::{Sql, each};

/// Rows that go at once: few enough that nobody else's write waits long.
const BITE: i64 = 500;

/// `$2` says how many go; rows are known by their `id` or by the keys that are named for each database. The array keeps PostgreSQL from
/// going through all rows of the project, the plus sign SQLite.
macro_rules! bite {
    ($table:literal) => {
        bite!($table, "id", "id")
    };
    ($table:literal, $postgres_key:literal, $sqlite_key:literal) => {
        each(
            concat!(
                "delete from auth.",
                $table,
                " as gone where gone.instance_id = $1
                     and gone.",
                $postgres_key,
                " = any(array(select x.",
                $postgres_key,
                " from auth.",
                $table,
                " as x where x.instance_id = $1 limit $2))"
            ),
            concat!(
                "delete from auth.",
                $table,
                " as gone where +gone.instance_id = $1
                     and gone.",
                $sqlite_key,
                " in (select x.",
                $sqlite_key,
                " from auth.",
                $table,
                " as x where x.instance_id = $1 limit $2)"
            ),
        )
    };
}

statements! {
    project USERS = bite!("users");
    project FLOW_STATES = bite!("flow_state");
    project CLIENT_STATES = bite!("oauth_client_states");
    project OAUTH_CLIENTS = bite!("oauth_clients");
    project SSO_PROVIDERS = bite!("sso_providers");
    project CUSTOM_PROVIDERS = bite!("custom_oauth_providers");
    project WEB3_SIGNATURES = bite!("web3_signatures", "digest", "rowid");
    project PASSKEY_CHALLENGES = bite!("webauthn_challenges");
    project REFRESH_TOKENS = bite!("refresh_tokens");
    project AUDIT = bite!("audit_log_entries");
    project OUTBOX = bite!("outbox");
    project INSTANCES = bite!("instances");
    project REVOCATIONS = bite!("session_revocations");
}

/// What hangs on users, clients and providers goes with them. The ends of sessions come last: the others add to them.
const ALL: [Sql; 13] = [
    OUTBOX,
    USERS,
    FLOW_STATES,
    CLIENT_STATES,
    OAUTH_CLIENTS,
    SSO_PROVIDERS,
    CUSTOM_PROVIDERS,
    WEB3_SIGNATURES,
    PASSKEY_CHALLENGES,
    REFRESH_TOKENS,
    AUDIT,
    INSTANCES,
    REVOCATIONS,
];

impl TenantStore {
    /// Removes every row of the project and answers how many were removed by themselves (what hangs on them is not counted).
    ///
    /// A little at a time, so that neighbours in the same database go on. Who is interrupted calls it again.
    pub async fn purge(&self) -> Result<u64> {
        let mut gone = 0;
        for sql in ALL {
            loop {
                let mut work = self.backend().begin_sweep().await?;
                let bitten = execute!(&mut work, sql, self.instance.0, BITE)?;
                work.commit().await?;
                gone += bitten;
                if bitten < BITE.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(gone)
    }
}
