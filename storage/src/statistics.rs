//! What PostgreSQL's planner knows of tables that have just begun to grow.
//!
//! A statement's plan is made once ([`pools`](crate::pools)), and so are those of foreign keys. One that was made while a table was
//! empty takes any index that begins with `instance_id` for as good as the one that finds the row, and reads all of a project's rows
//! once there are some. Autovacuum looks once a minute; new databases fill faster. So whoever asks much looks for himself.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use migrations::Schema;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::{MissedTickBehavior, interval};

use crate::backend::{Access, Core};
use crate::error::Result;
use crate::pools::Pools;

/// How often it is looked whether there is anything to do.
const PERIOD: Duration = Duration::from_secs(1);
/// Round trips after which tables may have grown.
const BUSY: u64 = 200;
/// Tables with more pages are left to autovacuum: they no longer double within a minute, and looking at them takes longer.
const MOST_PAGES: i64 = 4_096;

/// Tables that have at least twice the pages they had when they were looked at last.
const GROWN: &str = "select format('analyze (skip_locked) %I.%I', n.nspname, c.relname)
     from pg_catalog.pg_class as c
     join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relkind = 'r' and pg_catalog.pg_relation_size(c.oid) / 8192 between 2 * greatest(c.relpages, 1) and $2";

/// Looks at tables anew while they grow, for as long as the database is open.
pub(crate) async fn follow(core: Weak<Core>, schema: Schema) {
    let mut period = interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = 0;
    loop {
        period.tick().await;
        let Some(core) = core.upgrade() else { return };
        let Access::Always(Pools::Postgres(pool)) = &core.access else { return };
        let asked = core.statements.load(Ordering::Relaxed);
        if asked < seen + BUSY {
            continue;
        }
        seen = asked;
        if let Err(error) = look(pool, schema).await {
            tracing::debug!(%error, "the planner's statistics stay as they are");
        }
    }
}

/// Has the tables that have grown looked at; how many these were.
async fn look(pool: &PgPool, schema: Schema) -> Result<usize> {
    let grown: Vec<String> = sqlx::query_scalar(GROWN).bind(schema.name()).bind(MOST_PAGES).fetch_all(pool).await?;
    for analyze in &grown {
        sqlx::raw_sql(AssertSqlSafe(analyze.as_str())).execute(pool).await?;
    }
    Ok(grown.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Database;
    use crate::server_database::{ServerDatabase, pool};

    #[tokio::test]
    #[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
    async fn tables_are_looked_at_as_often_as_they_double() {
        let server = ServerDatabase::create("storage_statistics").await;
        let database = Database::connect(&server.placement).await.unwrap();
        database.migrate().await.unwrap();
        let pool = pool(&database.backend);
        let outcome = tokio::spawn(async move {
            let add = "insert into auth.audit_log_entries (instance_id, id, payload, ip_address)
                select '11111111-1111-1111-1111-111111111111', gen_random_uuid(), '{}', '' from generate_series(1, $1)";
            sqlx::raw_sql("alter table auth.audit_log_entries set (autovacuum_enabled = false)")
                .execute(&pool)
                .await
                .unwrap();
            let mut looked = Vec::new();
            for rows in [1_000, 2_000, 1_000, 4_000] {
                sqlx::query(add).bind(rows).execute(&pool).await.unwrap();
                looked.push(look(&pool, Schema::Auth).await.unwrap());
            }
            assert_eq!(looked, [1, 1, 0, 1], "at 1,000, 3,000 and 8,000 rows");
            assert_eq!(look(&pool, Schema::Auth).await.unwrap(), 0);
            let rows: f32 =
                sqlx::query_scalar("select reltuples from pg_class where oid = 'auth.audit_log_entries'::regclass")
                    .fetch_one(&pool)
                    .await
                    .unwrap();
            assert!((rows - 8_000.0).abs() < 1.0, "{rows}");
        })
        .await;
        database.close().await;
        server.remove().await;
        outcome.unwrap();
    }
}
