//! The driver's pools: how they are set up, for a database that stays open and for one that is opened on use.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use migrations::{MigrateError, Schema};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool, SqliteConnection, SqlitePool};

use crate::database::Placement;
use crate::error::{Result, StoreError};

/// How long a request waits for a connection of a server, or for another program that writes the file.
pub(crate) const WAIT: Duration = Duration::from_secs(2);
/// How long writes of one file wait for each other: they are one queue, which a slow disk makes long and does not stop.
pub(crate) const SQLITE_QUEUE: Duration = Duration::from_secs(5);
/// How often a file is opened before it counts as away: the disk may stand still for a while under other people's writes.
const OPENINGS: usize = 3;
/// Connections that read a SQLite file at once.
const SQLITE_READERS: u32 = 4;
/// The same where the file has one project's rows alone: each connection is a thread.
const OWN_READERS: u32 = 2;
/// How long a connection to a project's own database stays open while nobody uses it.
const OWN_IDLE: Duration = Duration::from_secs(30);
/// Statements a connection keeps prepared: more than this crate has.
const PREPARED: usize = 256;

/// Connections to one database.
#[derive(Clone)]
pub(crate) enum Pools {
    Postgres(PgPool),
    /// One writer, because SQLite has one; readers see the last commit.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
    },
}

impl Pools {
    /// Pools whose connections stay. One is made now, so that a server which does not answer is noticed.
    pub(crate) async fn connect(placement: &Placement, schema: Schema) -> Result<Self> {
        match placement {
            Placement::Postgres { url, max_connections } => {
                let pool = postgres_pool(*max_connections).connect_with(postgres(url.expose())?).await?;
                Ok(Self::Postgres(pool))
            }
            Placement::Sqlite { file } => {
                let file = file_name(file)?;
                let write = opened(sqlite_pool(file.clone(), schema, 1, false)).await?;
                Ok(Self::Sqlite { read: opened(sqlite_pool(file, schema, SQLITE_READERS, true)).await?, write })
            }
        }
    }

    /// Pools that connect when they are used and let go of connections that are not.
    pub(crate) fn on_use(placement: &Placement, schema: Schema) -> Result<Self> {
        match placement {
            Placement::Postgres { url, max_connections } => {
                let pool = postgres_pool(*max_connections).idle_timeout(OWN_IDLE);
                Ok(Self::Postgres(pool.connect_lazy_with(postgres(url.expose())?)))
            }
            Placement::Sqlite { file } => {
                let (file, options) = (existing_file(file)?, sqlite());
                let pool = |connections, read_only| {
                    let pool = sqlite_pool(file.clone(), schema, connections, read_only).idle_timeout(OWN_IDLE);
                    pool.connect_lazy_with(options.clone())
                };
                Ok(Self::Sqlite { read: pool(OWN_READERS, true), write: pool(1, false) })
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }

    /// How many connections may turn out to be cut before a fresh one is had.
    pub(crate) fn spare_attempts(&self) -> u32 {
        match self {
            Self::Postgres(pool) => pool.options().get_max_connections(),
            Self::Sqlite { .. } => 0,
        }
    }

    /// How many connections may be at work.
    pub(crate) fn size(&self) -> u32 {
        match self {
            Self::Postgres(pool) => pool.options().get_max_connections(),
            Self::Sqlite { read, write } => {
                read.options().get_max_connections() + write.options().get_max_connections()
            }
        }
    }

    /// Brings the schema to what this program needs.
    pub(crate) async fn migrate(&self, schema: Schema) -> Result<(), MigrateError> {
        match self {
            // A connection of its own, without time limits; closing it gives up the lock whatever happened.
            Self::Postgres(pool) => {
                let options = unlimited(pool.connect_options().as_ref().clone());
                migrate_postgres(PgConnection::connect_with(&options).await?, schema).await
            }
            Self::Sqlite { write, .. } => {
                let mut connection = write.acquire().await?;
                migrations::run_sqlite(&mut connection, schema).await
            }
        }
    }
}

/// Which database it is, without what opens it.
pub(crate) fn name(placement: &Placement) -> String {
    match placement {
        Placement::Postgres { url, .. } => PgConnectOptions::from_str(url.expose()).map_or_else(
            |_| "unknown".to_owned(),
            |options| {
                format!("{} at {}:{}", options.get_database().unwrap_or(""), options.get_host(), options.get_port())
            },
        ),
        Placement::Sqlite { file } => file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

/// Brings the schema of a database that is opened on use to what this program needs, over a connection of its own.
pub(crate) async fn migrate(placement: &Placement, schema: Schema) -> Result<(), MigrateError> {
    let late = || sqlx::Error::PoolTimedOut;
    match placement {
        Placement::Postgres { url, .. } => {
            let options = unlimited(postgres(url.expose())?);
            let connection = tokio::time::timeout(WAIT, PgConnection::connect_with(&options)).await;
            let mut connection = connection.map_err(|_| late())??;
            // A server that goes silent is not waited for as one that is at work.
            let current = migrations::is_current(&mut connection, schema);
            if tokio::time::timeout(WAIT, current).await.map_err(|_| late())?? {
                return Ok(tokio::time::timeout(WAIT, connection.close()).await.map_err(|_| late())??);
            }
            migrate_postgres(connection, schema).await
        }
        Placement::Sqlite { file } => {
            let file = existing_file(file).map_err(|error| sqlx::Error::Configuration(error.into()))?;
            let mut connection = sqlite().connect().await?;
            prepare(&mut connection, file, schema, false).await?;
            let outcome = migrations::run_sqlite(&mut connection, schema).await;
            let closed = connection.close().await;
            outcome?;
            Ok(closed?)
        }
    }
}

async fn migrate_postgres(mut connection: PgConnection, schema: Schema) -> Result<(), MigrateError> {
    let outcome = migrations::run_postgres(&mut connection, schema).await;
    let closed = connection.close().await;
    outcome?;
    Ok(closed?)
}

fn unlimited(options: PgConnectOptions) -> PgConnectOptions {
    options.options([("lock_timeout", "0"), ("statement_timeout", "0")])
}

fn postgres(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?;
    Ok(options.application_name("tenantry").statement_cache_capacity(PREPARED).options([
        // Every statement finds its rows by key. A plan made while a table was new and empty would read all of it, and
        // is kept for as long as nobody analyses the table.
        ("enable_seqscan", "off"),
        // One plan serves every caller; to plan the hot statements anew would cost more than to run them.
        ("plan_cache_mode", "force_generic_plan"),
        ("jit", "off"),
        ("lock_timeout", "5s"),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "20s"),
    ]))
}

/// Whether `url` is the address of a database of a PostgreSQL server.
pub fn is_postgres_url(url: &str) -> bool {
    (url.starts_with("postgres://") || url.starts_with("postgresql://")) && PgConnectOptions::from_str(url).is_ok()
}

fn postgres_pool(max_connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max_connections.max(1))
        .acquire_timeout(WAIT)
        // A ping costs a round trip for every request; a cut connection is noticed when it is used.
        .test_before_acquire(false)
}

/// The main database is an empty private one in memory; all tables lie in the attached file.
fn sqlite() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(":memory:")
        .create_if_missing(true)
        .foreign_keys(true)
        .statement_cache_capacity(PREPARED)
        .busy_timeout(WAIT)
}

fn sqlite_pool(file: String, schema: Schema, connections: u32, read_only: bool) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(SQLITE_QUEUE)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| Box::pin(prepare(connection, file.clone(), schema, read_only)))
}

async fn opened(pool: SqlitePoolOptions) -> Result<SqlitePool> {
    let mut left = OPENINGS;
    loop {
        left -= 1;
        match pool.clone().connect_with(sqlite()).await {
            Err(sqlx::Error::PoolTimedOut) if left > 0 => {}
            opened => return Ok(opened?),
        }
    }
}

async fn prepare(
    connection: &mut SqliteConnection,
    file: String,
    schema: Schema,
    read_only: bool,
) -> Result<(), sqlx::Error> {
    let (attach, settings) = match schema {
        Schema::Auth => (
            "attach database $1 as auth",
            "pragma auth.journal_mode = wal; pragma auth.synchronous = full; pragma temp_store = memory",
        ),
        Schema::Control => (
            "attach database $1 as control",
            "pragma control.journal_mode = wal; pragma control.synchronous = full; pragma temp_store = memory",
        ),
    };
    sqlx::query(attach).bind(file).execute(&mut *connection).await?;
    sqlx::raw_sql(settings).execute(&mut *connection).await?;
    if read_only {
        sqlx::raw_sql("pragma query_only = on").execute(&mut *connection).await?;
    }
    Ok(())
}

fn file_name(file: &Path) -> Result<String> {
    Ok(file.to_str().ok_or_else(|| StoreError::fault("database file name is not UTF-8"))?.to_owned())
}

/// The name of a file that is never made anew: an empty one in its place would be a project without accounts.
fn existing_file(file: &Path) -> Result<String> {
    let name = file_name(file)?;
    if !file.is_file() {
        return Err(StoreError::busy("database file is not there"));
    }
    let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(format!("file:{name}?mode=rw"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_so_that_nothing_in_its_name_is_taken_for_a_parameter() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a?mode=rwc#b%20.db");
        assert!(matches!(existing_file(&file), Err(StoreError::Busy(_))));
        std::fs::write(&file, "").unwrap();
        let name = existing_file(&file).unwrap();
        assert!(name.ends_with("/a%3fmode=rwc%23b%2520.db?mode=rw"), "{name}");
    }
}
