//! Where auth data lives, and the handles through which everything else reaches it.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use domain::ids::InstanceId;
use domain::secret::Secret;
use migrations::Schema;

use crate::audit::Audit;
use crate::backend::{Access, Backend, Core, Work};
use crate::custom_providers::CustomProviders;
use crate::error::{MigrateError, Result};
use crate::factors::Factors;
use crate::flow_states::FlowStates;
use crate::identities::Identities;
use crate::known_devices::KnownDevices;
use crate::lane::Lane;
use crate::mfa_challenges::MfaChallenges;
use crate::one_time_tokens::OneTimeTokens;
use crate::outbox::Outbox;
use crate::own::PoolBudget;
use crate::passkeys::Passkeys;
use crate::read_session::ReadSessionBatch;
use crate::read_user::ReadUserBatch;
use crate::recovery_codes::RecoveryCodes;
use crate::refresh_tokens::RefreshTokens;
use crate::rotate_session::RotateBatch;
use crate::sessions::Sessions;
use crate::users::Users;

/// Which database.
#[derive(Clone, Debug)]
pub enum Placement {
    /// One embedded file, made when absent.
    Sqlite {
        /// The file; its folder must exist.
        file: PathBuf,
    },
    /// A PostgreSQL server.
    Postgres {
        /// `postgres://user:password@host/database`.
        url: Secret<String>,
        /// Size of the pool; about twice the cores of the server is best.
        max_connections: u32,
    },
}

/// One database with the `auth` rows of any number of projects. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pub(crate) backend: Backend,
    pub(crate) lanes: Arc<Lanes>,
}

/// The hot statements in which requests of different projects travel together.
pub(crate) struct Lanes {
    pub(crate) user: Lane<ReadUserBatch>,
    pub(crate) session: Lane<ReadSessionBatch>,
    pub(crate) rotate: Lane<RotateBatch>,
}

impl Database {
    /// Opens the database and starts its lanes on the current runtime. Does not migrate.
    ///
    /// # Errors
    /// `Busy` when the server does not answer, `Fault` when the placement makes no sense.
    pub async fn connect(placement: &Placement) -> Result<Self> {
        Ok(Self::over(Backend::connect(placement, Schema::Auth).await?))
    }

    /// A database of projects' own: its first use opens it and brings its schema up to date, and it is closed again when `budget` has to
    /// make room for another one, or with the last copy of this value. While it cannot be reached, everything is `Busy`. A file is never
    /// made. Needs a runtime.
    pub fn on_use(placement: Placement, budget: PoolBudget) -> Self {
        Self::over(Backend::on_use(placement, Schema::Auth, budget))
    }

    fn over(backend: Backend) -> Self {
        let lanes = Lanes {
            user: Lane::start(ReadUserBatch { backend: backend.clone() }),
            session: Lane::start(ReadSessionBatch { backend: backend.clone() }),
            rotate: Lane::start(RotateBatch { backend: backend.clone() }),
        };
        Self { backend, lanes: Arc::new(lanes) }
    }

    /// Opens a database that would be opened on use, and waits for that no longer than `patience`. The opening itself goes on.
    ///
    /// # Errors
    /// `Busy`, with the cause, when it cannot be reached or its schema cannot be brought up to date.
    pub async fn open(&self, patience: Duration) -> Result<()> {
        match &self.backend.core.access {
            Access::Always(_) => self.ping().await,
            Access::OnUse(own) => own.open_within(patience).await,
        }
    }

    /// Whether asking it something now would open nothing.
    pub fn is_open(&self) -> bool {
        match &self.backend.core.access {
            Access::Always(_) => true,
            Access::OnUse(own) => own.is_open(),
        }
    }

    /// Whether it is one of a PostgreSQL server.
    pub fn is_postgres(&self) -> bool {
        self.backend.is_postgres()
    }

    /// Tells this database apart from others in this process.
    pub fn key(&self) -> DatabaseKey {
        DatabaseKey(self.backend.core.key)
    }

    /// How many connections may be at work at a time, where they are shared among projects.
    pub fn connections(&self) -> Option<u32> {
        self.backend.size()
    }

    /// A copy that keeps nothing open.
    pub fn downgrade(&self) -> WeakDatabase {
        WeakDatabase { core: Arc::downgrade(&self.backend.core), lanes: Arc::downgrade(&self.lanes) }
    }

    /// Brings the schema to what this program needs. Several gateways may do it at once.
    ///
    /// # Errors
    /// A database that is newer than this program, or that another program made, is refused untouched.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        self.backend.migrate().await
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        self.backend.ping().await
    }

    /// Closes all connections once they are idle, for good.
    pub async fn close(&self) {
        self.backend.close().await;
    }

    /// Round trips so far: every statement, every BEGIN and COMMIT.
    pub fn statements(&self) -> u64 {
        self.backend.statements()
    }
}

/// Tells databases of one process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseKey(u64);

/// A database for as long as somebody else keeps it.
#[derive(Clone)]
pub struct WeakDatabase {
    core: Weak<Core>,
    lanes: Weak<Lanes>,
}

impl WeakDatabase {
    /// The database, if anybody still keeps it.
    pub fn upgrade(&self) -> Option<Database> {
        let lanes = self.lanes.upgrade()?;
        Some(Database { backend: Backend::of(self.core.upgrade()?), lanes })
    }
}

/// The rows of one project: the only way to them. Cheap to clone.
#[derive(Clone)]
pub struct TenantStore {
    database: Database,
    /// The database as this project works with it.
    backend: Backend,
    pub(crate) instance: InstanceId,
}

impl TenantStore {
    /// The rows of `instance` in `database`.
    pub fn new(database: Database, instance: InstanceId) -> Self {
        Self { backend: database.backend.clone(), database, instance }
    }

    /// The same, holding at most `limit` connections at a time; statements that many projects share do not count. Who finds none in time
    /// hears `Busy`, of which [`StoreError::is_share_used_up`](crate::StoreError::is_share_used_up) is true.
    #[must_use]
    pub fn with_share(self, limit: u32) -> Self {
        Self { backend: self.database.backend.with_share(limit), ..self }
    }

    /// Whose rows.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// The database the rows lie in.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Starts a transaction that may write.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(Tx { work: self.backend.begin().await?, instance: self.instance })
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    pub(crate) fn lanes(&self) -> &Lanes {
        &self.database.lanes
    }
}

/// A transaction on the rows of one project. Dropping it rolls back. Its repositories borrow it: one operation at a time.
pub struct Tx {
    pub(crate) work: Work,
    pub(crate) instance: InstanceId,
}

impl Tx {
    /// Makes everything durable.
    ///
    /// # Errors
    /// `Unknown` when the connection broke on the way: the writes may have happened.
    pub async fn commit(self) -> Result<()> {
        self.work.commit().await
    }

    /// Works on users.
    pub fn users(&mut self) -> Users<'_> {
        Users { tx: self }
    }

    /// Works on identities.
    pub fn identities(&mut self) -> Identities<'_> {
        Identities { tx: self }
    }

    /// Works on sessions.
    pub fn sessions(&mut self) -> Sessions<'_> {
        Sessions { tx: self }
    }

    /// Works on stored refresh tokens.
    pub fn refresh_tokens(&mut self) -> RefreshTokens<'_> {
        RefreshTokens { tx: self }
    }

    /// Works on one-time tokens.
    pub fn one_time_tokens(&mut self) -> OneTimeTokens<'_> {
        OneTimeTokens { tx: self }
    }

    /// Works on second factors.
    pub fn factors(&mut self) -> Factors<'_> {
        Factors { tx: self }
    }

    /// Works on challenges of second factors.
    pub fn mfa_challenges(&mut self) -> MfaChallenges<'_> {
        MfaChallenges { tx: self }
    }

    /// Works on recovery codes.
    pub fn recovery_codes(&mut self) -> RecoveryCodes<'_> {
        RecoveryCodes { tx: self }
    }

    /// Works on known devices.
    pub fn known_devices(&mut self) -> KnownDevices<'_> {
        KnownDevices { tx: self }
    }

    /// Works on passkeys.
    pub fn passkeys(&mut self) -> Passkeys<'_> {
        Passkeys { tx: self }
    }

    /// Works on custom providers.
    pub fn custom_providers(&mut self) -> CustomProviders<'_> {
        CustomProviders { tx: self }
    }

    /// Works on flow states.
    pub fn flow_states(&mut self) -> FlowStates<'_> {
        FlowStates { tx: self }
    }

    /// Writes the audit log.
    pub fn audit(&mut self) -> Audit<'_> {
        Audit { tx: self }
    }

    /// Writes the outbox.
    pub fn outbox(&mut self) -> Outbox<'_> {
        Outbox { tx: self }
    }
}
