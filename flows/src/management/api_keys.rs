//! A project's API keys (`contract/management.md` §2.4).

use crypto::api_key::{self, Kind};
use domain::ids::{ProjectId, ProjectRef};
use domain::secret::Secret;
use domain::time::Timestamp;
use storage::ControlStore;
use storage::control::ApiKey;
use uuid::Uuid;

use super::{Error, Management, Result};
use crate::source::{self, purpose};

/// An API key as an operator sees it.
#[derive(Clone, Debug)]
pub struct ApiKeyView {
    /// The row; `anon` and `service_role` for old-style keys.
    pub id: String,
    /// `legacy`, `publishable` or `secret`.
    pub kind: &'static str,
    /// For people.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The key, or its masked form.
    pub key: Secret<String>,
    /// SHA-256 of the key; old-style keys have none.
    pub hash: Option<String>,
    /// How the key begins.
    pub prefix: Option<String>,
    /// The role its bearer acts as.
    pub role: &'static str,
    /// When it was made; old-style keys carry no time.
    pub created_at: Option<Timestamp>,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKeyRequest {
    /// `publishable` or `secret`.
    pub kind: String,
    /// `^[a-z_][a-z0-9_]+$`, 4 to 64 characters.
    pub name: String,
    /// For people.
    pub description: Option<String>,
}

impl Management {
    /// All keys: `anon` and `service_role` first. Secret keys are masked unless `reveal`.
    pub async fn api_keys(&self, project: &ProjectRef, reveal: bool) -> Result<Vec<ApiKeyView>> {
        let bundle = self.bundle(project).await?;
        let secret = source::required_secret(&self.master_key, source::JWT_SECRET, &bundle)?;
        let (anon, service_role) = self.legacy_keys(&bundle.project, &secret)?;
        let mut views = vec![legacy("anon", anon), legacy("service_role", service_role)];
        for key in &bundle.api_keys {
            views.push(self.key_view(bundle.project.id, key, reveal)?);
        }
        Ok(views)
    }

    /// Makes a key; shown in clear once, or later with `reveal`.
    pub async fn create_api_key(&self, project: &ProjectRef, request: NewApiKeyRequest) -> Result<ApiKeyView> {
        let bundle = self.bundle(project).await?;
        let kind = match request.kind.as_str() {
            "publishable" => Kind::Publishable,
            "secret" => Kind::Secret,
            _ => return Err(Error::Invalid("type must be publishable or secret".to_owned())),
        };
        if !is_key_name(&request.name) {
            return Err(Error::Invalid(
                "name must have 4 to 64 characters: lower-case letters, digits and _, no digit first".to_owned(),
            ));
        }
        let id = bundle.project.id;
        let (new, key) = self.new_api_key(id, kind, request.name, request.description, self.now());
        let view = ApiKeyView {
            id: new.id.to_string(),
            kind: kind.as_str(),
            name: new.name.clone(),
            description: new.description.clone(),
            key,
            hash: Some(new.hash.clone()),
            prefix: Some(new.prefix.clone()),
            role: role(&new.kind),
            created_at: Some(new.created_at),
        };
        self.control.api_keys().insert(id, &new).await?;
        self.announce(id).await;
        Ok(view)
    }

    /// Removes a key; it is refused at once.
    pub async fn delete_api_key(&self, project: &ProjectRef, key: Uuid) -> Result<ApiKeyView> {
        let bundle = self.bundle(project).await?;
        let deleted = bundle.api_keys.iter().find(|row| row.id == key).ok_or(Error::NotFound)?;
        if !self.control.api_keys().delete(bundle.project.id, key, self.now()).await? {
            return Err(Error::NotFound);
        }
        self.announce(bundle.project.id).await;
        self.key_view(bundle.project.id, deleted, false)
    }

    /// Whether the old-style keys are accepted.
    pub async fn legacy_keys_enabled(&self, project: &ProjectRef) -> Result<bool> {
        let bundle = self.bundle(project).await?;
        Ok(legacy_keys_enabled(&self.control, bundle.project.id).await?)
    }

    /// Accepts or refuses the old-style keys from now on.
    pub async fn set_legacy_keys_enabled(&self, project: &ProjectRef, enabled: bool) -> Result<bool> {
        let id = self.bundle(project).await?.project.id;
        let value = if enabled { "on" } else { OFF };
        self.control.settings().put(&legacy_setting(id), value, self.now()).await?;
        self.announce(id).await;
        Ok(enabled)
    }

    pub(super) fn new_api_key(
        &self,
        project: ProjectId,
        kind: Kind,
        name: String,
        description: Option<String>,
        now: Timestamp,
    ) -> (ApiKey, Secret<String>) {
        let key = api_key::generate(kind, &*self.entropy);
        let sealed = self.master_key.seal(&purpose(source::API_KEY, project), key.expose().as_bytes(), &*self.entropy);
        let new = ApiKey {
            id: self.entropy.uuid(),
            kind: kind.as_str().to_owned(),
            name,
            description,
            hash: api_key::hash(key.expose()),
            prefix: api_key::prefix(key.expose()),
            sealed: Secret::new(sealed),
            created_at: now,
            updated_at: now,
        };
        (new, key)
    }

    fn key_view(&self, project: ProjectId, key: &ApiKey, reveal: bool) -> Result<ApiKeyView> {
        let clear = source::open_secret(&self.master_key, source::API_KEY, project, key.sealed.expose())?;
        let secret = role(&key.kind) == "service_role";
        let shown = if secret && !reveal { Secret::new(api_key::masked(clear.expose())) } else { clear };
        Ok(ApiKeyView {
            id: key.id.to_string(),
            kind: if secret { Kind::Secret.as_str() } else { Kind::Publishable.as_str() },
            name: key.name.clone(),
            description: key.description.clone(),
            key: shown,
            hash: Some(key.hash.clone()),
            prefix: Some(key.prefix.clone()),
            role: role(&key.kind),
            created_at: Some(key.created_at),
        })
    }
}

/// The value of a switch that is off; without any value it is on.
const OFF: &str = "off";

fn legacy_setting(project: ProjectId) -> String {
    format!("legacy_api_keys:{project}")
}

/// Whether a project accepts the old-style keys.
pub(crate) async fn legacy_keys_enabled(
    control: &ControlStore,
    project: ProjectId,
) -> std::result::Result<bool, storage::StoreError> {
    Ok(control.settings().get(&legacy_setting(project)).await?.as_deref() != Some(OFF))
}

/// The role a new-style key acts as.
pub(crate) fn role(kind: &str) -> &'static str {
    if kind == Kind::Secret.as_str() { "service_role" } else { "anon" }
}

fn legacy(role: &'static str, key: Secret<String>) -> ApiKeyView {
    let prefix = key.expose().chars().take(5).collect();
    ApiKeyView {
        id: role.to_owned(),
        kind: "legacy",
        name: role.to_owned(),
        description: Some(format!("Legacy {role} API key")),
        key,
        hash: None,
        prefix: Some(prefix),
        role,
        created_at: None,
    }
}

fn is_key_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (4..=64).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with(|c: char| c.is_ascii_digit())
}
