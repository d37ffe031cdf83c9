//! Where projects come from: the control store's rows, opened and typed, as a snapshot.

use std::sync::Arc;

use async_trait::async_trait;
use crypto::digest;
use crypto::jwt::{Algorithm, KeySet, KeyUse, SigningKey};
use crypto::project_key::ProjectKey;
use crypto::seal::MasterKey;
use domain::config::{self, Defaults, Explicit, Policy};
use domain::entropy::Entropy;
use domain::ids::{ProjectId, ProjectRef};
use domain::project::Project;
use domain::secret::Secret;
use serde_json::{Map, Value};
use storage::control::{self, Bundle, KeyStatus};
use storage::{ControlStore, TenantStore};

use crate::context::{AcceptedApiKey, Tenant};
use crate::databases::Databases;
use crate::error::{Error, Result};
use crate::management::ProjectUrls;
use crate::third_party::TrustedIssuer;

/// What a sealed value is, part of the purpose it is sealed under: a value cannot be moved to another place.
pub(crate) const JWT_SECRET: &str = "jwt_secret";
/// See [`JWT_SECRET`].
pub(crate) const PROJECT_KEY: &str = "project_key";
/// See [`JWT_SECRET`].
pub(crate) const DATABASE_URL: &str = "database_url";
/// See [`JWT_SECRET`].
pub(crate) const SIGNING_KEY: &str = "signing_key";
/// See [`JWT_SECRET`].
pub(crate) const API_KEY: &str = "api_key";
/// See [`JWT_SECRET`].
pub(crate) const CONFIG: &str = "config";

/// The purpose a value of `project` is sealed under.
pub(crate) fn purpose(what: &str, project: ProjectId) -> String {
    format!("{what}:{project}")
}

/// Loads snapshots of projects. Each call reads the current version.
#[async_trait]
pub trait TenantSource: Send + Sync {
    /// The project with this ref, `None` when there is none.
    async fn load(&self, project: &ProjectRef) -> Result<Option<Tenant>>;

    /// The ref of a project, a deleted one too, `None` when there is none.
    async fn project_ref(&self, project: ProjectId) -> Result<Option<ProjectRef>>;
}

/// Projects as they are served now, for work that no request asked for: deliveries and cleanup.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// The project with this ref, `None` when there is none. Not read again while it is known to be current.
    async fn snapshot(&self, project: &ProjectRef) -> Result<Option<Arc<Tenant>>>;
}

/// Projects of the control store.
pub struct ControlSource {
    /// The control store.
    pub control: ControlStore,
    /// Opens secrets.
    pub master_key: Arc<MasterKey>,
    /// Defaults of projects.
    pub defaults: Defaults,
    /// How projects are reached.
    pub urls: ProjectUrls,
    /// Where rows are placed.
    pub databases: Databases,
}

#[async_trait]
impl TenantSource for ControlSource {
    async fn load(&self, project: &ProjectRef) -> Result<Option<Tenant>> {
        let Some(bundle) = self.control.projects().bundle(project).await? else { return Ok(None) };
        let id = bundle.project.id;
        let explicit = open_config(&self.master_key, &bundle)?;
        let policy = Policy::from_explicit(&explicit, &self.defaults);
        let sealed = sealed(&bundle, PROJECT_KEY).ok_or_else(|| Error::fault("project has no project key"))?;
        let project_key = self.master_key.open(&purpose(PROJECT_KEY, id), sealed).map_err(Error::fault)?;
        let project_key: [u8; 32] =
            project_key.try_into().map_err(|_| Error::fault("project key has the wrong length"))?;
        Ok(Some(Tenant {
            base_url: self.urls.auth(project),
            keys: self.keys(&bundle)?,
            project_key: ProjectKey::new(project_key),
            legacy_keys_enabled: bundle.legacy_keys_enabled,
            api_keys: bundle.api_keys.iter().map(AcceptedApiKey::of).collect(),
            third_party: bundle.third_party.iter().map(TrustedIssuer::new).map(Arc::new).collect(),
            store: store(&self.databases, &self.master_key, &bundle)?,
            config_version: bundle.config.version,
            policy,
            project: Project { database_url: secret(&self.master_key, DATABASE_URL, &bundle)?, ..bundle.project },
        }))
    }

    async fn project_ref(&self, project: ProjectId) -> Result<Option<ProjectRef>> {
        Ok(self.control.projects().by_id(project).await?.map(|project| project.project_ref))
    }
}

impl ControlSource {
    fn keys(&self, bundle: &Bundle) -> Result<KeySet> {
        let secret = required_secret(&self.master_key, JWT_SECRET, bundle)?;
        let (mut keys, mut accepted) = (Vec::new(), true);
        for row in &bundle.signing_keys {
            let role = match row.status {
                KeyStatus::InUse => KeyUse::InUse,
                KeyStatus::Standby => KeyUse::Standby,
                KeyStatus::PreviouslyUsed => KeyUse::PreviouslyUsed,
                KeyStatus::Revoked => {
                    let shared = row.algorithm == Algorithm::HS256.as_str();
                    let key = if shared { Some(open_key(&self.master_key, bundle.project.id, row)?) } else { None };
                    accepted &= !key.is_some_and(|key| is_secret(&key, &secret));
                    continue;
                }
            };
            keys.push((open_key(&self.master_key, bundle.project.id, row)?, role));
        }
        Ok(KeySet::new(secret, keys).with_secret_accepted(accepted))
    }
}

/// The rows of a project, wherever they are. Connects nothing.
pub(crate) fn store(databases: &Databases, master_key: &MasterKey, bundle: &Bundle) -> Result<TenantStore> {
    let project = &bundle.project;
    let url = secret(master_key, DATABASE_URL, bundle)?;
    let database = databases.of(project.placement, url.as_ref(), project.id)?;
    let store = TenantStore::new(database, project.instance);
    Ok(match databases.share(project.placement, project.quotas.database) {
        Some(share) => store.with_share(share),
        None => store,
    })
}

/// A signing key, opened.
pub(crate) fn open_key(master_key: &MasterKey, project: ProjectId, row: &control::SigningKey) -> Result<SigningKey> {
    let plain = master_key.open(&purpose(SIGNING_KEY, project), row.sealed.expose()).map_err(Error::fault)?;
    let jwk = serde_json::from_slice(&plain).map_err(Error::fault)?;
    SigningKey::from_jwk(&jwk).map_err(Error::fault)
}

/// Whether a key is the project's JWT secret, imported (`contract/management.md` §2.5).
pub(crate) fn is_secret(key: &SigningKey, secret: &Secret<String>) -> bool {
    key.shared_secret().is_some_and(|shared| digest::constant_time_eq(shared.expose(), secret.expose().as_bytes()))
}

/// Opens a sealed text of a project.
pub(crate) fn open_secret(
    master_key: &MasterKey,
    what: &str,
    project: ProjectId,
    sealed: &str,
) -> Result<Secret<String>> {
    let plain = master_key.open(&purpose(what, project), sealed).map_err(Error::fault)?;
    String::from_utf8(plain).map(Secret::new).map_err(|_| Error::fault("sealed text is not UTF-8"))
}

/// A secret of a project, `None` when it has none of this name.
pub(crate) fn secret(master_key: &MasterKey, what: &str, bundle: &Bundle) -> Result<Option<Secret<String>>> {
    sealed(bundle, what).map(|sealed| open_secret(master_key, what, bundle.project.id, sealed)).transpose()
}

/// A secret every project has.
pub(crate) fn required_secret(master_key: &MasterKey, what: &str, bundle: &Bundle) -> Result<Secret<String>> {
    secret(master_key, what, bundle)?.ok_or_else(|| Error::fault(format!("project has no {what}")))
}

fn sealed<'a>(bundle: &'a Bundle, what: &str) -> Option<&'a str> {
    bundle.secrets.iter().find(|(name, _)| name == what).map(|(_, sealed)| sealed.expose().as_str())
}

/// A configuration as it is stored: the values of secret fields are sealed one by one.
pub(crate) fn seal_config(
    master_key: &MasterKey,
    project: ProjectId,
    explicit: &Explicit,
    entropy: &dyn Entropy,
) -> Result<Map<String, Value>> {
    let mut values: Map<String, Value> = explicit.to_map();
    for field in config::FIELDS.iter().filter(|field| field.secret) {
        if let Some(value) = values.get_mut(field.name)
            && let Some(text) = value.as_str()
        {
            let what = format!("{CONFIG}.{}", field.name);
            *value = Value::String(master_key.seal(&purpose(&what, project), text.as_bytes(), entropy));
        }
    }
    Ok(values)
}

/// The configuration of a record, secrets opened.
pub(crate) fn open_config(master_key: &MasterKey, bundle: &Bundle) -> Result<Explicit> {
    open_values(master_key, bundle.project.id, &bundle.config.values)
}

/// Stored values of a configuration of `project`, secrets opened.
pub(crate) fn open_values(master_key: &MasterKey, project: ProjectId, stored: &Map<String, Value>) -> Result<Explicit> {
    let mut values = stored.clone();
    for field in config::FIELDS.iter().filter(|field| field.secret) {
        if let Some(value) = values.get_mut(field.name)
            && let Some(sealed) = value.as_str()
        {
            let what = format!("{CONFIG}.{}", field.name);
            *value = Value::String(open_secret(master_key, &what, project, sealed)?.into_inner());
        }
    }
    Ok(Explicit::from_map(values))
}
