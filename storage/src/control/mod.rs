//! The control store: projects, their configuration, keys and secrets. Apart from auth data: a schema `control` in the gateway's
//! PostgreSQL database, or a SQLite file of its own.

pub(crate) mod api_keys;
pub(crate) mod bundle;
pub(crate) mod changes;
pub(crate) mod configs;
pub(crate) mod domains;
pub(crate) mod events;
pub(crate) mod gateways;
pub(crate) mod holds;
pub(crate) mod imports;
pub(crate) mod key_marks;
pub(crate) mod leftovers;
pub(crate) mod life;
pub(crate) mod list_projects;
pub(crate) mod moves;
pub(crate) mod operator_log;
pub(crate) mod operator_tokens;
#[cfg(test)]
mod plans;
pub(crate) mod projects;
pub(crate) mod secrets;
pub(crate) mod settings;
pub(crate) mod signing_keys;
pub(crate) mod sweeps;
pub(crate) mod third_party;
pub(crate) mod totals;

pub use api_keys::{ApiKey, ApiKeys};
pub use bundle::Bundle;
pub use configs::{ConfigVersion, Configs};
pub use domains::{Domain, DomainStatus, Domains};
pub use events::{Change, Event, Events};
pub use gateways::{Gateway, Gateways};
pub use imports::{Import, Imports};
pub use leftovers::{Leftover, Leftovers};
pub use list_projects::ListProjects;
pub use moves::{Move, MovePhase, Moves, SILENCE as MOVE_SILENCE};
pub use operator_log::{ListLog, LogEntry, LogRecord, OperatorLog};
pub use operator_tokens::OperatorTokens;
pub use projects::Projects;
pub use secrets::Secrets;
pub use settings::Settings;
pub use signing_keys::{KeyStatus, SigningKey, SigningKeys};
pub use third_party::ThirdParties;

use std::sync::Arc;

use migrations::Schema;

use crate::backend::Backend;
use crate::database::Placement;
use crate::error::{MigrateError, Result};

/// The control store of a gateway. Cheap to clone.
#[derive(Clone)]
pub struct ControlStore {
    backend: Backend,
    note: Option<Arc<changes::Note>>,
}

impl ControlStore {
    /// Opens the store. Does not migrate.
    pub async fn connect(placement: &Placement) -> Result<Self> {
        Ok(Self { backend: Backend::connect(placement, Schema::Control).await?, note: None })
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

    /// Round trips so far: every statement, every BEGIN and COMMIT.
    pub fn statements(&self) -> u64 {
        self.backend.statements()
    }

    /// The same store, whose next change of a project or of an operator token also writes `entry` into the operator log: both or
    /// neither. A change that fails leaves the entry to the next.
    #[must_use]
    pub fn noting(&self, entry: LogEntry) -> Self {
        Self { backend: self.backend.clone(), note: Some(Arc::new(changes::Note::new(entry))) }
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

    /// Hosts of projects' own.
    pub fn domains(&self) -> Domains<'_> {
        Domains { store: self }
    }

    /// Projects on their way to another database.
    pub fn moves(&self) -> Moves<'_> {
        Moves { store: self }
    }

    /// Places at which moves have left rows.
    pub fn leftovers(&self) -> Leftovers<'_> {
        Leftovers { store: self }
    }

    /// Archives that are being brought in.
    pub fn imports(&self) -> Imports<'_> {
        Imports { store: self }
    }

    /// Settings of the gateway itself.
    pub fn settings(&self) -> Settings<'_> {
        Settings { store: self }
    }

    /// What changed, in order.
    pub fn events(&self) -> Events<'_> {
        Events { store: self }
    }

    /// Which gateways there are and how far each has followed what changed.
    pub fn gateways(&self) -> Gateways<'_> {
        Gateways { store: self }
    }

    /// Tokens of operators.
    pub fn operator_tokens(&self) -> OperatorTokens<'_> {
        OperatorTokens { store: self }
    }

    /// Who changed what.
    pub fn operator_log(&self) -> OperatorLog<'_> {
        OperatorLog { store: self }
    }
}
