//! The control store: projects, their configuration, keys and secrets. Apart from auth data: a schema `control` in the gateway's
//! PostgreSQL database, or a SQLite file of its own.

pub(crate) mod api_keys;
pub(crate) mod configs;
pub(crate) mod events;
pub(crate) mod projects;
pub(crate) mod secrets;
pub(crate) mod settings;
pub(crate) mod signing_keys;
pub(crate) mod third_party;

pub use api_keys::{ApiKey, ApiKeys};
pub use configs::{ConfigVersion, Configs};
pub use events::{Change, Event, Events};
pub use projects::{Bundle, Projects};
pub use secrets::Secrets;
pub use settings::Settings;
pub use signing_keys::{KeyStatus, SigningKey, SigningKeys};
pub use third_party::ThirdParties;

use domain::ids::ProjectId;
use domain::time::Timestamp;
use migrations::Schema;

use crate::backend::{Backend, Inner, Work};
use crate::database::Placement;
use crate::error::{MigrateError, Result};

/// The control store of a gateway. Cheap to clone.
#[derive(Clone)]
pub struct ControlStore {
    backend: Backend,
}

impl ControlStore {
    /// Opens the store. Does not migrate.
    pub async fn connect(placement: &Placement) -> Result<Self> {
        Ok(Self { backend: Backend::connect(placement, Schema::Control).await? })
    }

    /// Brings the schema to what this program needs.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        self.backend.migrate().await
    }

    /// Asks for a sign of life.
    pub async fn ping(&self) -> Result<()> {
        self.backend.ping().await
    }

    /// Closes all connections once they are idle.
    pub async fn close(&self) {
        self.backend.close().await;
    }

    /// Projects.
    pub fn projects(&self) -> Projects<'_> {
        Projects { store: self }
    }

    /// Versions of configurations.
    pub fn configs(&self) -> Configs<'_> {
        Configs { store: self }
    }

    /// New-style API keys.
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys { store: self }
    }

    /// JWT signing keys.
    pub fn signing_keys(&self) -> SigningKeys<'_> {
        SigningKeys { store: self }
    }

    /// Other issuers whose tokens projects accept.
    pub fn third_party(&self) -> ThirdParties<'_> {
        ThirdParties { store: self }
    }

    /// Sealed secrets of projects.
    pub fn secrets(&self) -> Secrets<'_> {
        Secrets { store: self }
    }

    /// Settings of the gateway itself.
    pub fn settings(&self) -> Settings<'_> {
        Settings { store: self }
    }

    /// What changed, in order.
    pub fn events(&self) -> Events<'_> {
        Events { store: self }
    }

    /// A transaction that changes a project. Changes commit one after the other, so that their events are numbered in commit order:
    /// who has read up to a number has missed nothing before it.
    async fn begin_change(&self) -> Result<Work> {
        /// Any number, the same in every version of this program.
        const LOCK: i64 = 0x7465_6e61_6e74_6576;
        let mut work = self.backend.begin().await?;
        if let Inner::Postgres(transaction) = &mut work.inner {
            sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut **transaction).await?;
        }
        Ok(work)
    }

    /// Notes a change and makes it durable.
    async fn commit_change(&self, mut work: Work, project: ProjectId, change: Change, now: Timestamp) -> Result<()> {
        events::record(&mut work, project, change, now).await?;
        work.commit().await
    }

    /// Commits what touched a row and notes it; a change that found nothing to change is rolled back and noted nowhere.
    async fn finish_change(
        &self,
        work: Work,
        touched: u64,
        project: ProjectId,
        change: Change,
        now: Timestamp,
    ) -> Result<bool> {
        if touched == 0 {
            return Ok(false);
        }
        self.commit_change(work, project, change, now).await?;
        Ok(true)
    }
}
