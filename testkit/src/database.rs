//! A database of a test's own.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use domain::secret::Secret;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use storage::Placement;
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

/// Where a test's rows live; gone with this value as far as files are concerned.
pub struct TestDatabase {
    /// The auth rows.
    pub auth: Placement,
    /// The control store.
    pub control: Placement,
    files: Option<TempDir>,
}

/// Locks that a test holds. Gone with this value.
pub struct Hold {
    connection: PgConnection,
}

impl Hold {
    /// How many wait for a lock.
    pub async fn waiting(&mut self) -> i64 {
        // Within a transaction the first look is shown again and again.
        sqlx::query("select pg_stat_clear_snapshot()").execute(&mut self.connection).await.unwrap();
        let count = "select count(*) from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar(count).fetch_one(&mut self.connection).await.unwrap()
    }

    /// Gives them up.
    pub async fn release(self) {
        self.connection.close().await.unwrap();
    }
}

impl TestDatabase {
    /// SQLite files in a temporary folder.
    pub fn sqlite() -> Self {
        let files = tempfile::tempdir().unwrap();
        let file = |name: &str| Placement::Sqlite { file: files.path().join(name) };
        Self { auth: file("auth.db"), control: file("control.db"), files: Some(files) }
    }

    /// A new database on the server of `TENANTRY_TEST_POSTGRES_URL`.
    #[expect(clippy::disallowed_methods, reason = "the name must be unique among all test processes")]
    pub async fn postgres() -> Self {
        let server = env::var("TENANTRY_TEST_POSTGRES_URL").expect("TENANTRY_TEST_POSTGRES_URL is not set");
        let name = format!("tenantry_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
        let mut url = Url::parse(&server).unwrap();
        url.set_path(&name);
        let placement = || Placement::Postgres { url: Secret::new(url.to_string()), max_connections: 4 };
        Self { auth: placement(), control: placement(), files: None }
    }

    /// The folder of projects' own files, on SQLite.
    pub fn files(&self) -> Option<PathBuf> {
        self.files.as_ref().map(|files| files.path().join("projects"))
    }

    /// Where it is, for PostgreSQL.
    pub fn url(&self) -> &Secret<String> {
        let Placement::Postgres { url, .. } = &self.auth else { panic!("not on PostgreSQL") };
        url
    }

    /// Runs statements of the test's own on PostgreSQL.
    pub async fn execute(&self, sql: &str) {
        let mut connection = PgConnection::connect(self.url().expose()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// Runs statements of the test's own, of which each database has its form. The auth rows of SQLite have no schema's name.
    pub async fn execute_each(&self, postgres: &str, sqlite: &str) {
        let Placement::Sqlite { file } = &self.auth else { return self.execute(postgres).await };
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(10));
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sqlite.to_owned())).execute(&mut connection).await.unwrap();
    }

    /// How many connections gateways have to it, on PostgreSQL.
    pub async fn connections(&self) -> i64 {
        let mut connection = PgConnection::connect(self.url().expose()).await.unwrap();
        let count = "select count(*) from pg_stat_activity
                     where datname = current_database() and application_name = 'tenantry'";
        sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap()
    }

    /// Runs statements of the test's own on PostgreSQL in a transaction that stays open, so that others wait for its locks.
    pub async fn hold(&self, sql: &str) -> Hold {
        let mut connection = PgConnection::connect(self.url().expose()).await.unwrap();
        sqlx::raw_sql("begin").execute(&mut connection).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        Hold { connection }
    }

    /// Ends a PostgreSQL database under whoever uses it.
    pub async fn destroy(&self) {
        let Placement::Postgres { url, .. } = &self.auth else { panic!("only a server's database can be destroyed") };
        let name = Url::parse(url.expose()).unwrap().path().trim_start_matches('/').to_owned();
        let server = env::var("TENANTRY_TEST_POSTGRES_URL").expect("TENANTRY_TEST_POSTGRES_URL is not set");
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let destroy = AssertSqlSafe(format!("drop database {name} with (force)"));
        sqlx::query(destroy).execute(&mut connection).await.unwrap();
    }

    /// All auth rows as text, for a search of what must not be there.
    pub async fn stored_text(&self) -> String {
        match &self.auth {
            Placement::Sqlite { file } => {
                let options = SqliteConnectOptions::new().filename(file).read_only(true);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                let columns = "select m.name, group_concat('quote(\"' || c.name || '\")', '||'' ''||')
                    from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table' group by m.name";
                let tables: Vec<(String, String)> = sqlx::query_as(columns).fetch_all(&mut connection).await.unwrap();
                let mut text = String::new();
                for (table, columns) in tables {
                    let rows = AssertSqlSafe(format!("select {columns} from \"{table}\""));
                    let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut connection).await.unwrap();
                    text.extend(rows);
                }
                text
            }
            Placement::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url.expose()).await.unwrap();
                let tables = "select table_name::text from information_schema.tables where table_schema = 'auth'";
                let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.unwrap();
                let mut text = String::new();
                for table in tables {
                    let rows =
                        AssertSqlSafe(format!("select coalesce(string_agg(t::text, ' '), '') from auth.{table} t"));
                    let rows: String = sqlx::query_scalar(rows).fetch_one(&mut connection).await.unwrap();
                    text.push_str(&rows);
                }
                text
            }
        }
    }
}
