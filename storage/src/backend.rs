//! The two databases behind one type: who works with one, and transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use migrations::{MigrateError, Schema};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use crate::database::Placement;
use crate::error::{Result, StoreError, is_away};
use crate::own::{OwnPool, PoolBudget, Visit};
use crate::pools::{Pools, SQLITE_QUEUE, WAIT};
use crate::share::Share;
use crate::sql::same;
use crate::statistics;

/// One database as somebody works with it.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) core: Arc<Core>,
    /// How many connections he may hold at a time.
    share: Option<Share>,
}

/// One database and the count of what it was asked.
pub(crate) struct Core {
    pub(crate) access: Access,
    /// A number no other one of this process has.
    pub(crate) key: u64,
    schema: Schema,
    postgres: bool,
    pub(crate) statements: AtomicU64,
}

/// How its pools are had.
pub(crate) enum Access {
    /// They are there.
    Always(Pools),
    /// They are opened on use.
    OnUse(Arc<OwnPool>),
}

/// The right to use a connection now. Dropping it ends that.
pub(crate) struct Entered {
    pools: Pools,
    stay: Stay,
}

/// What keeps the right.
struct Stay {
    core: Arc<Core>,
    visit: Option<Visit>,
    _share: Option<OwnedSemaphorePermit>,
}

/// A transaction. Dropping it rolls back.
pub(crate) struct Work {
    pub(crate) inner: Inner,
    stay: Stay,
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
        let backend = Self::new(placement, schema, Access::Always(Pools::connect(placement, schema).await?));
        if backend.is_postgres() {
            tokio::spawn(statistics::follow(Arc::downgrade(&backend.core), schema));
        }
        Ok(backend)
    }

    /// A database that is opened when it is used.
    pub(crate) fn on_use(placement: Placement, schema: Schema, budget: PoolBudget) -> Self {
        let own = OwnPool::new(placement.clone(), schema, budget);
        Self::new(&placement, schema, Access::OnUse(Arc::new(own)))
    }

    fn new(placement: &Placement, schema: Schema, access: Access) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (key, postgres) = (NEXT.fetch_add(1, Ordering::Relaxed), matches!(placement, Placement::Postgres { .. }));
        Self::of(Arc::new(Core { access, key, schema, postgres, statements: AtomicU64::new(0) }))
    }

    /// The same for somebody who may hold any number of connections.
    pub(crate) fn of(core: Arc<Core>) -> Self {
        Self { core, share: None }
    }

    /// The same for somebody who may hold `limit` connections at a time.
    pub(crate) fn with_share(&self, limit: u32) -> Self {
        let patience = if self.is_postgres() { WAIT } else { SQLITE_QUEUE };
        Self { core: Arc::clone(&self.core), share: Some(Share::new(limit, patience)) }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.core.postgres
    }

    /// Takes the right to use a connection. A holder who waits for a second one may wait for himself.
    pub(crate) async fn enter(&self) -> Result<Entered> {
        let share = match &self.share {
            Some(share) => Some(share.enter().await?),
            None => None,
        };
        let (pools, visit) = match &self.core.access {
            Access::Always(pools) => (pools.clone(), None),
            Access::OnUse(own) => own.enter().await.map(|(pools, visit)| (pools, Some(visit)))?,
        };
        Ok(Entered { pools, stay: Stay { core: Arc::clone(&self.core), visit, _share: share } })
    }

    /// Brings the schema up to date; one that is opened on use is opened for that, as every time.
    pub(crate) async fn migrate(&self) -> Result<(), MigrateError> {
        match &self.core.access {
            Access::Always(pools) => pools.migrate(self.core.schema).await,
            Access::OnUse(own) => {
                own.enter()
                    .await
                    .map_err(|error| MigrateError::Database(sqlx::Error::Io(std::io::Error::other(error))))?;
                Ok(())
            }
        }
    }

    pub(crate) async fn begin(&self) -> Result<Work> {
        if self.is_postgres() { self.begin_postgres("begin").await } else { self.begin_sqlite("begin immediate").await }
    }

    /// A transaction that removes some rows of many: it finds them one by one.
    pub(crate) async fn begin_sweep(&self) -> Result<Work> {
        if !self.is_postgres() {
            return self.begin().await;
        }
        self.begin_postgres("begin; set local random_page_cost = 1.1").await
    }

    /// A transaction that only reads, and sees one moment throughout.
    pub(crate) async fn begin_read(&self) -> Result<Work> {
        if self.is_postgres() {
            return self.begin_postgres("begin isolation level repeatable read read only").await;
        }
        let entered = self.enter().await?;
        let transaction = attempted!(entered, entered.reader()?.begin())?;
        Ok(Work { inner: Inner::Sqlite(transaction), stay: entered.stay })
    }

    /// A transaction that only reads, whose statements PostgreSQL plans in another way than the rest.
    pub(crate) async fn begin_search(&self, search: Search) -> Result<Work> {
        if !self.is_postgres() {
            return self.begin_read().await;
        }
        let begin = match search {
            Search::ByValue => {
                "begin isolation level repeatable read read only; set local plan_cache_mode = force_custom_plan"
            }
            Search::Count => "begin isolation level repeatable read read only; set local random_page_cost = 1.1",
            Search::InOrder => "begin isolation level repeatable read read only; set local enable_sort = off",
        };
        self.begin_postgres(begin).await
    }

    /// A transaction in which no statement runs longer than a hook may take; `None` on SQLite.
    pub(crate) async fn begin_call(&self) -> Result<Option<Work>> {
        if !self.is_postgres() {
            return Ok(None);
        }
        self.begin_postgres("begin; set local statement_timeout = 2000").await.map(Some)
    }

    async fn begin_postgres(&self, begin: &'static str) -> Result<Work> {
        let entered = self.enter().await?;
        let transaction = attempted!(entered, entered.postgres()?.begin_with(begin))?;
        Ok(Work { inner: Inner::Postgres(transaction), stay: entered.stay })
    }

    async fn begin_sqlite(&self, begin: &'static str) -> Result<Work> {
        let entered = self.enter().await?;
        let transaction = attempted!(entered, entered.writer()?.begin_with(begin))?;
        Ok(Work { inner: Inner::Sqlite(transaction), stay: entered.stay })
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        execute_now!(self, same("select 1")).map(|_| ())
    }

    pub(crate) async fn close(&self) {
        match &self.core.access {
            Access::Always(pools) => pools.close().await,
            Access::OnUse(own) => own.retire().await,
        }
    }

    /// How many connections may be at work.
    pub(crate) fn size(&self) -> Option<u32> {
        match &self.core.access {
            Access::Always(pools) => Some(pools.size()),
            Access::OnUse(_) => None,
        }
    }

    pub(crate) fn statements(&self) -> u64 {
        self.core.statements.load(Ordering::Relaxed)
    }
}

impl Entered {
    pub(crate) fn postgres(&self) -> Result<&PgPool> {
        match &self.pools {
            Pools::Postgres(pool) => Ok(pool),
            Pools::Sqlite { .. } => Err(StoreError::fault("a statement of PostgreSQL met SQLite")),
        }
    }

    pub(crate) fn reader(&self) -> Result<&SqlitePool> {
        match &self.pools {
            Pools::Sqlite { read, .. } => Ok(read),
            Pools::Postgres(_) => Err(StoreError::fault("a statement of SQLite met PostgreSQL")),
        }
    }

    pub(crate) fn writer(&self) -> Result<&SqlitePool> {
        match &self.pools {
            Pools::Sqlite { write, .. } => Ok(write),
            Pools::Postgres(_) => Err(StoreError::fault("a statement of SQLite met PostgreSQL")),
        }
    }

    pub(crate) fn count(&self) {
        self.stay.core.count();
    }

    /// How many connections may turn out to be cut before a fresh one is had.
    pub(crate) fn spare_attempts(&self) -> u32 {
        self.pools.spare_attempts()
    }

    /// The class of what an attempt came to. A database of a project's own that is away is that project's trouble and passes: whatever is
    /// wrong with it, it is not a fault of this program.
    pub(crate) fn judge<T>(&self, outcome: Result<T, sqlx::Error>) -> Result<T> {
        let Some(visit) = &self.stay.visit else { return outcome.map_err(StoreError::from) };
        match outcome {
            Err(error) if is_away(&error) => {
                visit.own.missed(visit.began);
                Err(StoreError::Busy(Arc::new(error)))
            }
            outcome => {
                visit.own.reached();
                outcome.map_err(StoreError::from)
            }
        }
    }
}

impl Core {
    pub(crate) fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
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
        self.stay.core.count();
    }
}
