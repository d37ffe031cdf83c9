//! Projects as data: create, configure, key and end them at runtime. The Management API and the first run call this.

mod api_key_changes;
mod api_keys;
mod archive;
mod archive_header;
mod carry_out;
mod config;
mod config_history;
mod domains;
mod error;
mod gateways;
mod health;
mod imports;
mod key_rotation;
mod leftovers;
mod lifecycle;
mod mail;
mod marks;
mod moves;
mod operator_log;
mod operators;
mod own_databases;
mod projects;
mod providers;
mod purge;
mod quotas;
mod redirects;
mod routes;
mod sessions;
mod signing_keys;
mod third_party;
mod tokens;
mod usage;
mod usage_source;

use std::net::IpAddr;
use std::sync::Arc;

use cluster::{Cluster, Invalidation};
use crypto::seal::MasterKey;
use domain::config::Defaults;
use domain::entropy::Entropy;
use domain::ids::{ProjectId, ProjectRef};
use domain::operator::Operator;
use domain::project::{HoldReason, Project, Status};
use domain::quota::Quotas;
use domain::time::{Clock, Timestamp};
use outbound::dns::TxtRecords;
use outbound::providers::ProviderTransport;
use storage::control::Bundle;
use storage::{ControlStore, TenantStore};

pub use api_key_changes::{PatchApiKey, RotatedApiKey};
pub(crate) use api_keys::role as api_key_role;
pub use api_keys::{ApiKeyView, NewApiKeyRequest};
pub use archive::ExportPage;
pub use config_history::{ConfigDiff, ConfigVersionView, FieldChange, StoredConfig};
pub use domains::DomainView;
pub use error::{Error, Result};
pub use gateways::GatewayView;
pub use health::HealthView;
pub use imports::{ImportView, StartImport};
pub use key_rotation::RotateSigningKey;
pub use lifecycle::DEFAULT_GRACE;
pub use mail::{DeadLetterView, OutboxView};
pub use moves::{MoveProject, MoveView, PlacementView};
pub use operator_log::{LogPage, LogView, ReadLog};
pub use operators::Operators;
pub use projects::{CreateProject, CreatedProject, ProjectPage, ProjectView, ReadProjects};
pub use providers::{CheckView, ProviderTest, ProviderView};
pub use quotas::QuotasView;
pub use routes::Routes;
pub use sessions::SessionPage;
pub use signing_keys::{NewSigningKeyRequest, SigningKeyView};
pub use third_party::NewThirdParty;
pub use tokens::{NewToken, OperatorToken};
pub use usage::UsageView;
pub use usage_source::{ProjectUsage, UsageSource};

use crate::databases::Databases;
use crate::source;

/// The operator's hand on the gateway's projects. Cheap to clone.
#[derive(Clone)]
pub struct Management {
    /// The control store.
    pub control: ControlStore,
    /// Opens and seals secrets.
    pub master_key: Arc<MasterKey>,
    /// What gateways share.
    pub cluster: Cluster,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness and ids.
    pub entropy: Arc<dyn Entropy>,
    /// Defaults of new projects.
    pub defaults: Defaults,
    /// How projects are reached.
    pub urls: ProjectUrls,
    /// Where rows are placed.
    pub databases: Databases,
    /// Which project a request is for that does not say so itself.
    pub routes: Routes,
    /// Whose tokens these are.
    pub operators: Operators,
    /// Asks issuers and providers.
    pub providers: Arc<dyn ProviderTransport>,
    /// Reads what the holder of a host has published about it.
    pub dns: Arc<dyn TxtRecords>,
    /// What this gateway counts of the projects in its memory.
    pub runtime: Option<Arc<dyn UsageSource>>,
    /// What every project is granted that has no quota of its own.
    pub granted: Quotas,
    /// How long a deleted project can be restored, in seconds.
    pub delete_grace: i64,
    /// In whose name changes are made.
    pub operator: Arc<Operator>,
    /// From where.
    pub address: Option<IpAddr>,
}

/// How the outside reaches a project.
#[derive(Clone, Debug)]
pub struct ProjectUrls {
    /// The gateway's own base URL, without trailing slash.
    pub external: String,
}

impl ProjectUrls {
    /// What `createClient` takes.
    pub fn project(&self, project: &ProjectRef) -> String {
        format!("{}/p/{project}", self.external)
    }

    /// The base of the project's auth API, also the issuer of its tokens.
    pub fn auth(&self, project: &ProjectRef) -> String {
        format!("{}/auth/v1", self.project(project))
    }
}

/// Refuses to change a project that is what its archive says once that has come.
fn not_importing(project: &Project) -> Result<()> {
    if project.hold.is_some_and(|hold| hold.reason == HoldReason::Importing) {
        let why = "is still being imported: finish the import, or give it up, first";
        return Err(Error::Conflict(format!("project {} {why}", project.project_ref)));
    }
    Ok(())
}

impl Management {
    /// The same hand, in the name of `operator`: what it changes is noted so, and what it lists is what he may see.
    #[must_use]
    pub fn acting(&self, operator: Arc<Operator>, address: Option<IpAddr>) -> Self {
        Self { operator, address, ..self.clone() }
    }

    /// Whether the control store answers.
    pub async fn ready(&self) -> bool {
        self.control.ping().await.is_ok()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Everything about a project that was not deleted.
    pub(super) async fn bundle(&self, project: &ProjectRef) -> Result<Bundle> {
        let bundle = self.control.projects().bundle(project).await?.ok_or(Error::NotFound)?;
        if bundle.project.status == Status::Deleting { Err(Error::NotFound) } else { Ok(bundle) }
    }

    /// The rows of a project.
    pub(super) fn rows(&self, bundle: &Bundle) -> Result<TenantStore> {
        Ok(source::store(&self.databases, &self.master_key, bundle)?)
    }

    /// The same for who changes it: not while its archive is still coming.
    pub(super) async fn changeable(&self, project: &ProjectRef) -> Result<Bundle> {
        let bundle = self.bundle(project).await?;
        not_importing(&bundle.project)?;
        Ok(bundle)
    }

    /// A project whose rows may be changed now: not while it is on its way to another database.
    pub(super) async fn writable(&self, project: &ProjectRef) -> Result<(Bundle, TenantStore)> {
        let bundle = self.bundle(project).await?;
        if bundle.project.is_held(self.now()) {
            return Err(Error::Busy("the project's rows are on their way to another database".into()));
        }
        let store = self.rows(&bundle)?;
        Ok((bundle, store))
    }

    /// Tells every gateway to load the project anew.
    pub(super) async fn announce(&self, project: ProjectId) {
        if let Err(error) = self.cluster.bus.publish(&Invalidation::Config(project)).await {
            tracing::warn!(%error, %project, "invalidation bus is away; other gateways follow through the control store");
        }
    }

    /// The same, after a change by which requests may find another project than before.
    pub(super) async fn announce_route(&self, project: &Project) {
        self.announce_answers().await;
        self.announce(project.id).await;
    }

    /// Forgets whose operator tokens are, and which project a host or an API key leads to.
    pub fn forget_answers(&self) {
        self.operators.clear();
        self.routes.clear();
    }

    /// The same at every gateway.
    pub(super) async fn announce_answers(&self) {
        self.forget_answers();
        if let Err(error) = self.cluster.bus.publish(&Invalidation::Gateway).await {
            tracing::warn!(%error, "invalidation bus is away; other gateways remember for a second what they knew");
        }
    }
}
