//! All rows of a database by project and table, to see that nothing was changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use storage::Placement;
use uuid::Uuid;

/// Rows as text, by table, of one project.
pub type Rows = BTreeMap<String, BTreeSet<String>>;

/// Looks at a database from outside.
pub struct RowWatch(Link);

enum Link {
    Postgres(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
}

impl RowWatch {
    /// Opens a connection of its own to the auth rows at `placement`.
    pub async fn open(placement: &Placement) -> Self {
        Self(match placement {
            Placement::Postgres { url, .. } => {
                Link::Postgres(Box::new(PgConnection::connect(url.expose()).await.unwrap()))
            }
            Placement::Sqlite { file } => {
                let options =
                    SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(Duration::from_secs(10));
                Link::Sqlite(Box::new(SqliteConnection::connect_with(&options).await.unwrap()))
            }
        })
    }

    /// Something that is another whenever somebody else has written, and sometimes when nobody has.
    pub async fn version(&mut self) -> String {
        match &mut self.0 {
            Link::Postgres(connection) => {
                let newest = "select pg_snapshot_xmax(pg_current_snapshot())::text";
                sqlx::query_scalar(newest).fetch_one(&mut **connection).await.unwrap()
            }
            Link::Sqlite(connection) => {
                let version: i64 =
                    sqlx::query_scalar("pragma data_version").fetch_one(&mut **connection).await.unwrap();
                version.to_string()
            }
        }
    }

    /// The rows of each project, by its `instance_id`, of all tables that have one.
    pub async fn rows(&mut self) -> BTreeMap<Uuid, Rows> {
        let mut all: BTreeMap<Uuid, Rows> = BTreeMap::new();
        for (table, select) in self.selects().await {
            let select = AssertSqlSafe(select);
            let rows: Vec<(String, String)> = match &mut self.0 {
                Link::Postgres(connection) => sqlx::query_as(select).fetch_all(&mut **connection).await.unwrap(),
                Link::Sqlite(connection) => sqlx::query_as(select).fetch_all(&mut **connection).await.unwrap(),
            };
            for (instance, row) in rows {
                let instance: Uuid = instance.parse().unwrap();
                all.entry(instance).or_default().entry(table.clone()).or_default().insert(row);
            }
        }
        all
    }

    /// A query of owner and text of each row, for each table that says whose its rows are.
    async fn selects(&mut self) -> Vec<(String, String)> {
        match &mut self.0 {
            Link::Postgres(connection) => {
                let tables = "select table_name::text from information_schema.columns
                     where table_schema = 'auth' and column_name = 'instance_id' order by 1";
                let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut **connection).await.unwrap();
                let select = |table: &str| format!("select t.instance_id::text, t::text from auth.{table} t");
                tables.into_iter().map(|table| (table.clone(), select(&table))).collect()
            }
            Link::Sqlite(connection) => {
                let columns = "select m.name, group_concat('quote(\"' || c.name || '\")', '||'' ''||')
                     from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table' group by m.name
                     having sum(c.name = 'instance_id') > 0";
                let tables: Vec<(String, String)> = sqlx::query_as(columns).fetch_all(&mut **connection).await.unwrap();
                let select =
                    |table: &str, columns: &str| format!("select hex(instance_id), {columns} from \"{table}\"");
                tables.into_iter().map(|(table, columns)| (table.clone(), select(&table, &columns))).collect()
            }
        }
    }
}
