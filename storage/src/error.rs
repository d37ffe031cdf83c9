//! Why the database did not do what it was asked.

use std::error::Error;
use std::sync::Arc;

pub use migrations::MigrateError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::share::ShareUsedUp;

/// What lies behind a failure, for the log. Shared, because one lost connection fails a whole batch.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// What every operation of this crate answers.
pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The four answers a caller treats differently.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique value is taken: which one follows from the operation, because SQLite does not name it.
    #[error("a unique value is taken")]
    Conflict,
    /// Nothing was written, or the write may be repeated: the same request may succeed in a moment.
    #[error("database is busy or away")]
    Busy(#[source] Cause),
    /// The write was sent and its answer was lost: it may or may not have happened.
    #[error("outcome of a write is unknown")]
    Unknown(#[source] Cause),
    /// A mistake in this program or its database.
    #[error("storage fault")]
    Fault(#[source] Cause),
}

impl StoreError {
    /// A fault that has no error of the driver behind it.
    pub(crate) fn fault(what: &'static str) -> Self {
        Self::Fault(Arc::from(Box::<dyn Error + Send + Sync>::from(what)))
    }

    /// A refusal that has no error of the driver behind it.
    pub(crate) fn busy(what: &'static str) -> Self {
        Self::Busy(Arc::from(Box::<dyn Error + Send + Sync>::from(what)))
    }

    /// Whether `E` lies behind it.
    pub(crate) fn caused_by<E: Error + 'static>(&self) -> bool {
        matches!(self, Self::Busy(cause) | Self::Unknown(cause) | Self::Fault(cause) if cause.is::<E>())
    }

    /// What lies behind it, as one text.
    pub(crate) fn cause(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(error) = next {
            text = format!("{text}: {error}");
            next = error.source();
        }
        text
    }

    /// Whether the project has all the connections that its share allows, so that others may well get what it does not.
    pub fn is_share_used_up(&self) -> bool {
        self.caused_by::<ShareUsedUp>()
    }

    /// Whether the whole database is out of reach, so that asking again at once would only make everybody wait longer; a request that
    /// only got in another's way is not.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        let (Self::Busy(cause) | Self::Unknown(cause)) = self else { return false };
        cause.downcast_ref::<sqlx::Error>().is_none_or(|error| !contention(error))
    }

    /// The class of an error that COMMIT answered: a server that said no has rolled back, a cut line says nothing.
    pub(crate) fn from_commit(error: sqlx::Error) -> Self {
        if connection_lost(&error) { Self::Unknown(Arc::new(error)) } else { error.into() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) if refusal.is_unique_violation() => Self::Conflict,
            _ if connection_lost(&error) || worth_another_try(&error) => Self::Busy(Arc::new(error)),
            _ => Self::Fault(Arc::new(error)),
        }
    }
}

/// Whether the connection is gone and with it the answer.
pub(crate) fn connection_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // admin_shutdown, crash_shutdown, idle_session_timeout
        sqlx::Error::Database(refusal) => matches!(refusal.code().as_deref(), Some("57P01" | "57P02" | "57P05")),
        _ => false,
    }
}

/// Whether no connection was had, or none that is any good: nobody listens, the server refuses, the database or its file is gone or broken.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Configuration(_) => true,
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(refusal) => match refusal.try_downcast_ref::<PgDatabaseError>() {
            // Whatever the server ends a connection with, or does not begin one.
            Some(refusal) => matches!(refusal.severity(), PgSeverity::Fatal | PgSeverity::Panic),
            // SQLITE_READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB with their extended codes.
            None => {
                let code = refusal.code().unwrap_or_default().parse::<i32>();
                code.is_ok_and(|code| matches!(code & 0xff, 8 | 10 | 11 | 13 | 14 | 26))
            }
        },
        _ => false,
    }
}

/// Serialisation failure, deadlock, lock timeout: all of PostgreSQL. On SQLite who waits for a lock waits for the only one.
fn contention(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("40001" | "40P01" | "55P03"))
}

fn worth_another_try(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or_default();
            // SQLITE_BUSY and SQLITE_LOCKED with their extended codes.
            let sqlite_busy = code.len() < 5 && code.parse::<i32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6));
            // Cancelled, starting up, in recovery, read-only after a fail-over, idle in transaction for too long; then lost connections
            // and exhausted resources by class.
            let postgres_busy = matches!(&*code, "57014" | "57P03" | "25006" | "25P03")
                || code.len() == 5 && (code.starts_with("08") || code.starts_with("53"));
            sqlite_busy || postgres_busy || contention(error)
        }
        _ => false,
    }
}
