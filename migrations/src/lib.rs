//! The schema of both databases, embedded in the binary, and the one way to bring a database up to it.
//!
//! `postgres/` and `sqlite/` hold a folder for each schema: `auth` (the rows of projects) and `control` (the gateway's own). Files are named
//! `<version>_<description>.sql`, run in order of their version, each in a transaction, and are never changed once released. A step has
//! the same version for both databases; one that a database does not need is absent there.
//!
//! Several gateways may start at once: the run holds a lock, and who comes second finds nothing to do.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Acquire as _, Connection as _, PgConnection, SqlSafeStr as _, SqliteConnection};

struct File {
    version: i64,
    description: &'static str,
    sql: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Which schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// Rows of projects.
    Auth,
    /// The gateway's own.
    Control,
}

/// Why a database could not be brought to the shape this program needs.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database was written by a newer version of this program.
    #[error(
        "database is at migration {found} of schema {schema}, this program knows only {known}: start a newer version"
    )]
    Newer {
        /// The schema.
        schema: &'static str,
        /// Newest migration of the database.
        found: i64,
        /// Newest migration of this program.
        known: i64,
    },
    /// The schema has tables and was not made by this program.
    #[error("schema {0} has tables that another program made: adopt the database first or choose an empty one")]
    Foreign(&'static str),
    /// A migration failed, or was changed after it ran.
    #[error("migration failed")]
    Failed(#[from] sqlx::migrate::MigrateError),
    /// The database could not be reached or refused.
    #[error("database refused to be migrated")]
    Database(#[from] sqlx::Error),
}

impl Schema {
    /// Its name in PostgreSQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Control => "control",
        }
    }

    fn bookkeeping(self) -> &'static str {
        match self {
            Self::Auth => "auth.tenantry_auth_migrations",
            Self::Control => "control.tenantry_control_migrations",
        }
    }

    fn migrator(self, files: &'static [File]) -> Migrator {
        let migrations = files.iter().map(|file| {
            let description = Cow::Borrowed(file.description);
            Migration::new(file.version, description, MigrationType::Simple, file.sql.into_sql_str(), false)
        });
        let mut migrator = Migrator::with_migrations(migrations.collect());
        migrator.dangerous_set_table_name(self.bookkeeping());
        // The lock is taken here: the migrator's own keeps it when a run fails, and does nothing on SQLite.
        migrator.set_locking(false);
        migrator.set_ignore_missing(true);
        migrator
    }
}

/// Whether `schema` of a PostgreSQL database is up to date, so that nothing has to be done and nobody to be waited for.
///
/// # Errors
/// When the database does not answer.
pub async fn is_current(connection: &mut PgConnection, schema: Schema) -> Result<bool, MigrateError> {
    let (files, probe, newest) = postgres(schema);
    let (ours, _): (bool, bool) = sqlx::query_as(probe).fetch_one(&mut *connection).await?;
    if !ours {
        return Ok(false);
    }
    let found: i64 = sqlx::query_scalar(newest).fetch_one(&mut *connection).await?;
    Ok(files.iter().map(|file| file.version).max() == Some(found))
}

/// Steps, who made the schema and whether it is empty, and its newest step.
fn postgres(schema: Schema) -> (&'static [File], &'static str, &'static str) {
    match schema {
        Schema::Auth => (
            POSTGRES_AUTH,
            "select to_regclass('auth.tenantry_auth_migrations') is not null, to_regclass('auth.users') is not null",
            "select coalesce(max(version), 0) from auth.tenantry_auth_migrations",
        ),
        Schema::Control => (
            POSTGRES_CONTROL,
            "select to_regclass('control.tenantry_control_migrations') is not null, to_regclass('control.projects') is not null",
            "select coalesce(max(version), 0) from control.tenantry_control_migrations",
        ),
    }
}

/// Brings `schema` of a PostgreSQL database up to date. The connection should be closed afterwards: after a failure it may hold the lock.
///
/// # Errors
/// See `MigrateError`; the schema is then at the last migration that succeeded.
pub async fn run_postgres(connection: &mut PgConnection, schema: Schema) -> Result<(), MigrateError> {
    /// Any number, the same in every version of this program.
    const LOCK: i64 = 0x7465_6e61_6e74_7279;
    let (files, probe, newest) = postgres(schema);
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut *connection).await?;
    let (ours, occupied): (bool, bool) = sqlx::query_as(probe).fetch_one(&mut *connection).await?;
    if occupied && !ours {
        return Err(MigrateError::Foreign(schema.name()));
    }
    if ours {
        let found: i64 = sqlx::query_scalar(newest).fetch_one(&mut *connection).await?;
        refuse_newer(schema, files, found)?;
    }
    let mut migrator = schema.migrator(files);
    if !ours {
        migrator.create_schema(schema.name());
    }
    migrator.run_direct(None, &mut *connection, false).await?;
    sqlx::query("select pg_advisory_unlock($1)").bind(LOCK).execute(&mut *connection).await?;
    Ok(())
}

/// Brings `schema` of a SQLite database up to date; its file is attached under the schema's name.
///
/// # Errors
/// See `MigrateError`; the schema is then as it was.
pub async fn run_sqlite(connection: &mut SqliteConnection, schema: Schema) -> Result<(), MigrateError> {
    let (files, probe, newest) = match schema {
        Schema::Auth => (
            SQLITE_AUTH,
            "select exists (select 1 from auth.sqlite_schema where name = 'tenantry_auth_migrations'),
                 exists (select 1 from auth.sqlite_schema where type = 'table')",
            "select coalesce(max(version), 0) from auth.tenantry_auth_migrations",
        ),
        Schema::Control => (
            SQLITE_CONTROL,
            "select exists (select 1 from control.sqlite_schema where name = 'tenantry_control_migrations'),
                 exists (select 1 from control.sqlite_schema where type = 'table')",
            "select coalesce(max(version), 0) from control.tenantry_control_migrations",
        ),
    };
    let mut transaction = connection.begin_with("begin immediate").await?;
    let (ours, occupied): (bool, bool) = sqlx::query_as(probe).fetch_one(&mut *transaction).await?;
    if occupied && !ours {
        return Err(MigrateError::Foreign(schema.name()));
    }
    if ours {
        let found: i64 = sqlx::query_scalar(newest).fetch_one(&mut *transaction).await?;
        refuse_newer(schema, files, found)?;
    }
    let inner = transaction.acquire().await?;
    schema.migrator(files).run_direct(None, inner, false).await?;
    transaction.commit().await?;
    Ok(())
}

fn refuse_newer(schema: Schema, files: &[File], found: i64) -> Result<(), MigrateError> {
    let known = files.iter().map(|file| file.version).max().unwrap_or_default();
    if found > known {
        return Err(MigrateError::Newer { schema: schema.name(), found, known });
    }
    Ok(())
}
