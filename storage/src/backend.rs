//! The two databases behind one type: pools, transactions, and the macros that write a query once and type it twice.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use migrations::{MigrateError, Schema};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection as _, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use crate::database::Placement;
use crate::error::{Result, StoreError};

/// How long a request waits for a connection of a server, or for another program that writes the file.
const WAIT: Duration = Duration::from_secs(2);
/// How long writes of one file wait for each other: they are one queue, which a slow disk makes long and does not stop.
const SQLITE_QUEUE: Duration = Duration::from_secs(5);
/// How often a file is opened before it counts as away: the disk may stand still for a while under other people's writes.
const OPENINGS: usize = 3;
/// Connections that read a SQLite file at once.
const SQLITE_READERS: u32 = 4;
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

/// One database and the count of what it was asked.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) pools: Pools,
    schema: Schema,
    statements: Arc<AtomicU64>,
}

/// A transaction. Dropping it rolls back.
pub(crate) struct Work {
    pub(crate) inner: Inner,
    statements: Arc<AtomicU64>,
}

pub(crate) enum Inner {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

/// How a part of a word is looked for.
#[derive(Clone, Copy)]
pub(crate) enum Search {
    /// By a plan for the very word, which may find one row or all.
    ByValue,
    /// Through the rows in the order in which they are wanted, until there are enough.
    InOrder,
    /// All of them in an index that has what is needed, although the rows lie in its order: they are five times as large.
    Count,
}

impl Backend {
    pub(crate) async fn connect(placement: &Placement, schema: Schema) -> Result<Self> {
        let pools = match placement {
            Placement::Postgres { url, max_connections } => postgres(url.expose(), *max_connections).await?,
            Placement::Sqlite { file } => {
                let write = sqlite(file, schema, 1, false).await?;
                Pools::Sqlite { read: sqlite(file, schema, SQLITE_READERS, true).await?, write }
            }
        };
        Ok(Self { pools, schema, statements: Arc::default() })
    }

    pub(crate) async fn migrate(&self) -> Result<(), MigrateError> {
        match &self.pools {
            Pools::Postgres(pool) => {
                // A connection of its own, without time limits; closing it gives up the lock whatever happened.
                let options = pool.connect_options().as_ref().clone();
                let options = options.options([("lock_timeout", "0"), ("statement_timeout", "0")]);
                let mut connection = sqlx::PgConnection::connect_with(&options).await?;
                let outcome = migrations::run_postgres(&mut connection, self.schema).await;
                let closed = connection.close().await;
                outcome?;
                Ok(closed?)
            }
            Pools::Sqlite { write, .. } => {
                let mut connection = write.acquire().await?;
                migrations::run_sqlite(&mut connection, self.schema).await
            }
        }
    }

    pub(crate) async fn begin(&self) -> Result<Work> {
        let inner = match &self.pools {
            Pools::Postgres(pool) => Inner::Postgres(retried!(self, pool.begin())?),
            Pools::Sqlite { write, .. } => Inner::Sqlite(retried!(self, write.begin_with("begin immediate"))?),
        };
        Ok(Work { inner, statements: self.statements.clone() })
    }

    /// A transaction that removes some rows of many: it finds them one by one.
    pub(crate) async fn begin_sweep(&self) -> Result<Work> {
        let Pools::Postgres(pool) = &self.pools else { return self.begin().await };
        let inner = Inner::Postgres(retried!(self, pool.begin_with("begin; set local random_page_cost = 1.1"))?);
        Ok(Work { inner, statements: self.statements.clone() })
    }

    /// A transaction that only reads, and sees one moment throughout.
    pub(crate) async fn begin_read(&self) -> Result<Work> {
        let inner = match &self.pools {
            Pools::Postgres(pool) => {
                Inner::Postgres(retried!(self, pool.begin_with("begin isolation level repeatable read read only"))?)
            }
            Pools::Sqlite { read, .. } => Inner::Sqlite(retried!(self, read.begin())?),
        };
        Ok(Work { inner, statements: self.statements.clone() })
    }

    /// A transaction that only reads, whose statements PostgreSQL plans in another way than the rest.
    pub(crate) async fn begin_search(&self, search: Search) -> Result<Work> {
        let Pools::Postgres(pool) = &self.pools else { return self.begin_read().await };
        let begin = match search {
            Search::ByValue => {
                "begin isolation level repeatable read read only; set local plan_cache_mode = force_custom_plan"
            }
            Search::Count => "begin isolation level repeatable read read only; set local random_page_cost = 1.1",
            Search::InOrder => "begin isolation level repeatable read read only; set local enable_sort = off",
        };
        let inner = Inner::Postgres(retried!(self, pool.begin_with(begin))?);
        Ok(Work { inner, statements: self.statements.clone() })
    }

    /// A transaction in which no statement runs longer than a hook may take; `None` on SQLite.
    pub(crate) async fn begin_call(&self) -> Result<Option<Work>> {
        let Pools::Postgres(pool) = &self.pools else { return Ok(None) };
        let begin = "begin; set local statement_timeout = 2000";
        let inner = Inner::Postgres(retried!(self, pool.begin_with(begin))?);
        Ok(Some(Work { inner, statements: self.statements.clone() }))
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        match &self.pools {
            Pools::Postgres(pool) => retried!(self, sqlx::query("select 1").execute(pool)).map(|_| ()),
            Pools::Sqlite { read, .. } => retried!(self, sqlx::query("select 1").execute(read)).map(|_| ()),
        }
    }

    pub(crate) async fn close(&self) {
        match &self.pools {
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }

    pub(crate) fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How many connections may turn out to be cut before a fresh one is had.
    pub(crate) fn spare_attempts(&self) -> u32 {
        match &self.pools {
            Pools::Postgres(pool) => pool.options().get_max_connections(),
            Pools::Sqlite { .. } => 0,
        }
    }
}

impl Work {
    pub(crate) async fn commit(self) -> Result<()> {
        self.count();
        match self.inner {
            Inner::Postgres(transaction) => transaction.commit().await,
            Inner::Sqlite(transaction) => transaction.commit().await,
        }
        .map_err(StoreError::from_commit)
    }

    pub(crate) fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}

async fn postgres(url: &str, max_connections: u32) -> Result<Pools> {
    let options =
        PgConnectOptions::from_str(url)?.application_name("tenantry").statement_cache_capacity(PREPARED).options([
            // Every statement finds its rows by key. A plan made while a table was new and empty would read all of it, and
            // is kept for as long as nobody analyses the table.
            ("enable_seqscan", "off"),
            // One plan serves every caller; to plan the hot statements anew would cost more than to run them.
            ("plan_cache_mode", "force_generic_plan"),
            ("jit", "off"),
            ("lock_timeout", "5s"),
            ("statement_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "20s"),
        ]);
    let pool = PgPoolOptions::new()
        .max_connections(max_connections.max(1))
        .acquire_timeout(WAIT)
        // A ping costs a round trip for every request; a cut connection is noticed when it is used.
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(Pools::Postgres(pool))
}

async fn sqlite(file: &Path, schema: Schema, connections: u32, read_only: bool) -> Result<SqlitePool> {
    let file = file.to_str().ok_or_else(|| StoreError::fault("database file name is not UTF-8"))?.to_owned();
    // The main database is an empty private one in memory; all tables lie in the attached file.
    let options = SqliteConnectOptions::new()
        .filename(":memory:")
        .create_if_missing(true)
        .foreign_keys(true)
        .statement_cache_capacity(PREPARED)
        .busy_timeout(WAIT);
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
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(SQLITE_QUEUE)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            let file = file.clone();
            Box::pin(async move {
                sqlx::query(attach).bind(file).execute(&mut *connection).await?;
                sqlx::raw_sql(settings).execute(&mut *connection).await?;
                if read_only {
                    sqlx::raw_sql("pragma query_only = on").execute(&mut *connection).await?;
                }
                Ok(())
            })
        });
    let mut left = OPENINGS;
    loop {
        left -= 1;
        match pool.clone().connect_with(options.clone()).await {
            Err(sqlx::Error::PoolTimedOut) if left > 0 => {}
            opened => return Ok(opened?),
        }
    }
}
