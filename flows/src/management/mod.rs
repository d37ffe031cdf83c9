//! Projects as data: create, configure, key and end them at runtime. The Management API and the first run call this.

mod api_keys;
mod config;
mod error;
mod mail;
mod projects;
mod providers;
mod redirects;
mod routes;
mod signing_keys;
mod third_party;

use std::sync::Arc;

use cluster::{Cluster, Invalidation};
use crypto::digest;
use crypto::seal::MasterKey;
use domain::config::Defaults;
use domain::entropy::Entropy;
use domain::ids::{ProjectId, ProjectRef};
use domain::secret::Secret;
use domain::time::{Clock, Timestamp};
use outbound::providers::ProviderTransport;
use storage::ControlStore;
use storage::control::Bundle;

pub use api_keys::{ApiKeyView, NewApiKeyRequest};
pub(crate) use api_keys::{legacy_keys_enabled, role as api_key_role};
pub use config::ConfigVersionView;
pub use error::{Error, Result};
pub use mail::{DeadLetterView, OutboxView};
pub use projects::{CreateProject, CreatedProject, ProjectView};
pub use providers::{CheckView, ProviderTest, ProviderView};
pub use routes::Routes;
pub use signing_keys::{NewSigningKeyRequest, SigningKeyView};
pub use third_party::NewThirdParty;

use self::routes::Question;
use crate::databases::Databases;

/// Setting of the control store that holds the SHA-256 of the operator token.
const OPERATOR_TOKEN_HASH: &str = "operator_token_hash";

/// The operator's hand on the gateway's projects.
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
    /// Asks issuers and providers.
    pub providers: Arc<dyn ProviderTransport>,
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

impl Management {
    /// Whether `token` is the operator's.
    pub async fn is_operator(&self, token: &Secret<String>) -> Result<bool> {
        let stored = self.control.settings().get(OPERATOR_TOKEN_HASH).await?;
        let presented = crypto::api_key::hash(token.expose());
        Ok(stored.is_some_and(|stored| digest::constant_time_eq(stored.as_bytes(), presented.as_bytes())))
    }

    /// Makes `token` the operator's, unless there is one already. Gives whether it is the operator's now.
    pub async fn set_operator_token(&self, token: &Secret<String>) -> Result<bool> {
        let hash = crypto::api_key::hash(token.expose());
        let stands = self.control.settings().put_if_absent(OPERATOR_TOKEN_HASH, &hash, self.now()).await?;
        Ok(stands == hash)
    }

    /// The project of a new-style API key.
    pub async fn project_of_api_key(&self, key: &Secret<String>) -> Result<Option<ProjectRef>> {
        if crypto::api_key::is_well_formed(key.expose()).is_none() {
            return Ok(None);
        }
        let hash = crypto::api_key::hash(key.expose());
        let question = Question::ApiKey(hash.clone());
        if let Some(known) = self.routes.get(&question, self.now()) {
            return Ok(known);
        }
        let found = match self.control.api_keys().project_of(&hash).await? {
            Some(project) => self.control.projects().by_id(project).await?.map(|project| project.project_ref),
            None => None,
        };
        self.routes.put(question, found.clone(), self.now());
        Ok(found)
    }

    /// The only project there is, where there is exactly one.
    pub async fn only_project(&self) -> Result<Option<ProjectRef>> {
        if let Some(known) = self.routes.get(&Question::Only, self.now()) {
            return Ok(known);
        }
        let mut projects = self.control.projects().list().await?;
        let only = if projects.len() == 1 { projects.pop().map(|project| project.project_ref) } else { None };
        self.routes.put(Question::Only, only.clone(), self.now());
        Ok(only)
    }

    /// Whether the control store answers.
    pub async fn ready(&self) -> bool {
        self.control.ping().await.is_ok()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn bundle(&self, project: &ProjectRef) -> Result<Bundle> {
        self.control.projects().bundle(project).await?.ok_or(Error::NotFound)
    }

    /// Tells every gateway to load the project anew.
    async fn announce(&self, project: ProjectId) {
        self.routes.clear();
        if let Err(error) = self.cluster.bus.publish(&Invalidation::Config(project)).await {
            tracing::warn!(%error, %project, "invalidation bus is away; other gateways follow through the control store");
        }
    }
}
