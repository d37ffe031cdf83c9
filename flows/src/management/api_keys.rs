//! A project's API keys (`contract/management.md` §2.4): listed, made, removed.

use crypto::api_key::{self, Kind};
use domain::ids::{ProjectId, ProjectRef};
use domain::project::Project;
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::{Value, json};
use storage::StoreError;
use storage::control::{ApiKey, Bundle, KeyStatus};
use uuid::Uuid;

use super::{Error, Management, Result};
use crate::source::{self, purpose};

/// Most keys of a project, those that are about to end too.
const MOST: usize = 100;

/// The roles that a key can act as.
const ROLES: [&str; 2] = ["service_role", "anon"];

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
    /// The claims with which the bearer of a secret key acts.
    pub secret_jwt_template: Option<Value>,
    /// When it was used last, to the minute or so.
    pub last_used_at: Option<Timestamp>,
    /// When it ends, since another took its place.
    pub expires_at: Option<Timestamp>,
    /// When it was made; old-style keys carry no time.
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
}

/// A key to be made.
#[derive(Clone, Debug, Default)]
pub struct NewApiKeyRequest {
    /// `publishable` or `secret`.
    pub kind: String,
    /// `^[a-z_][a-z0-9_]+$`, 4 to 64 characters.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The claims with which the bearer of a secret key acts; `None` = those of `service_role`.
    pub secret_jwt_template: Option<Value>,
}

impl Management {
    /// All keys: `anon` and `service_role` first. Secret keys are masked unless `reveal`.
    pub async fn api_keys(&self, project: &ProjectRef, reveal: bool) -> Result<Vec<ApiKeyView>> {
        let bundle = self.bundle(project).await?;
        let secret = source::required_secret(&self.master_key, source::JWT_SECRET, &bundle)?;
        let (anon, service_role) = self.legacy_keys(&bundle.project, &secret)?;
        let mut views = vec![legacy("anon", anon), legacy("service_role", service_role)];
        for key in living(&bundle, self.now()) {
            views.push(self.key_view(bundle.project.id, key, reveal)?);
        }
        Ok(views)
    }

    /// One new-style key, masked unless `reveal`.
    pub async fn api_key(&self, project: &ProjectRef, key: Uuid, reveal: bool) -> Result<ApiKeyView> {
        let bundle = self.bundle(project).await?;
        let row = self.living_key(&bundle, key)?;
        self.key_view(bundle.project.id, row, reveal)
    }

    /// Makes a key; shown in clear once, or later with `reveal`.
    pub async fn create_api_key(&self, project: &ProjectRef, request: NewApiKeyRequest) -> Result<ApiKeyView> {
        let bundle = self.changeable(project).await?;
        let kind = match request.kind.as_str() {
            "publishable" => Kind::Publishable,
            "secret" => Kind::Secret,
            _ => return Err(Error::Invalid("type must be publishable or secret".to_owned())),
        };
        check_name(&request.name)?;
        check_description(request.description.as_deref())?;
        check_template(kind, request.secret_jwt_template.as_ref())?;
        if living(&bundle, self.now()).count() >= MOST {
            return Err(Error::Invalid(format!("a project has at most {MOST} keys")));
        }
        let id = bundle.project.id;
        let (mut new, _) = self.new_api_key(id, kind, request.name, request.description, self.now());
        if kind == Kind::Secret && request.secret_jwt_template.is_some() {
            new.secret_jwt_template = request.secret_jwt_template;
        }
        self.insert_key(&bundle.project, "api_key.created", &new).await?;
        self.key_view(id, &new, true)
    }

    /// Removes a key; it is refused at once.
    pub async fn delete_api_key(&self, project: &ProjectRef, key: Uuid) -> Result<ApiKeyView> {
        let bundle = self.changeable(project).await?;
        let deleted = self.living_key(&bundle, key)?;
        let control = self.noting("api_key.deleted", Some(&bundle.project), Some(logged(deleted)), None);
        if !control.api_keys().delete(bundle.project.id, key, self.now()).await? {
            return Err(Error::NotFound);
        }
        self.announce_route(&bundle.project).await;
        self.key_view(bundle.project.id, deleted, false)
    }

    /// Whether the old-style keys are accepted.
    pub async fn legacy_keys_enabled(&self, project: &ProjectRef) -> Result<bool> {
        Ok(self.bundle(project).await?.legacy_keys_enabled)
    }

    /// Accepts or refuses the old-style keys from now on.
    pub async fn set_legacy_keys_enabled(&self, project: &ProjectRef, enabled: bool) -> Result<bool> {
        let bundle = self.changeable(project).await?;
        if bundle.legacy_keys_enabled == enabled {
            return Ok(enabled);
        }
        if enabled && self.legacy_row(&bundle)?.is_some_and(|row| row.status == KeyStatus::Revoked) {
            let text = "the JWT secret is revoked: bring its signing key back to standby first";
            return Err(Error::Invalid(text.to_owned()));
        }
        let state = |enabled: bool| Some(json!({ "enabled": enabled }));
        let control = self.noting("legacy_keys.switched", Some(&bundle.project), state(!enabled), state(enabled));
        if !control.projects().set_legacy_keys(bundle.project.id, enabled, self.now()).await? {
            return Err(Error::NotFound);
        }
        self.announce(bundle.project.id).await;
        Ok(enabled)
    }

    /// Makes `key` known to every gateway.
    pub(super) async fn insert_key(&self, project: &Project, action: &str, key: &ApiKey) -> Result<()> {
        let control = self.noting(action, Some(project), None, Some(logged(key)));
        control.api_keys().insert(project.id, key).await.map_err(|error| match error {
            StoreError::Conflict => Error::Conflict(format!("there is a {} key named {} already", key.kind, key.name)),
            other => other.into(),
        })?;
        self.announce_route(project).await;
        Ok(())
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
            secret_jwt_template: (kind == Kind::Secret).then(|| json!({ "role": "service_role" })),
            hash: api_key::hash(key.expose()),
            prefix: api_key::prefix(key.expose()),
            sealed: Secret::new(sealed),
            last_used_at: None,
            expires_at: None,
            created_at: now,
            updated_at: now,
        };
        (new, key)
    }

    pub(super) fn living_key<'b>(&self, bundle: &'b Bundle, key: Uuid) -> Result<&'b ApiKey> {
        living(bundle, self.now()).find(|row| row.id == key).ok_or(Error::NotFound)
    }

    pub(super) fn key_view(&self, project: ProjectId, key: &ApiKey, reveal: bool) -> Result<ApiKeyView> {
        let clear = source::open_secret(&self.master_key, source::API_KEY, project, key.sealed.expose())?;
        let secret = kind(key) == Kind::Secret;
        let shown = if secret && !reveal { Secret::new(api_key::masked(clear.expose())) } else { clear };
        Ok(ApiKeyView {
            id: key.id.to_string(),
            kind: kind(key).as_str(),
            name: key.name.clone(),
            description: key.description.clone(),
            key: shown,
            hash: Some(key.hash.clone()),
            prefix: Some(key.prefix.clone()),
            role: role(key),
            // Rows of older versions have none.
            secret_jwt_template: key.secret_jwt_template.clone().or(secret.then(|| json!({ "role": "service_role" }))),
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
            created_at: Some(key.created_at),
            updated_at: Some(key.updated_at),
        })
    }
}

/// The keys that open something at `now`.
fn living(bundle: &Bundle, now: Timestamp) -> impl Iterator<Item = &ApiKey> {
    bundle.api_keys.iter().filter(move |key| key.expires_at.is_none_or(|end| now < end))
}

/// What kind of key it is.
pub(super) fn kind(key: &ApiKey) -> Kind {
    if key.kind == Kind::Secret.as_str() { Kind::Secret } else { Kind::Publishable }
}

/// The role a new-style key acts as.
pub(crate) fn role(key: &ApiKey) -> &'static str {
    if kind(key) == Kind::Publishable {
        return "anon";
    }
    let wanted = key.secret_jwt_template.as_ref().and_then(|template| template.get("role")).and_then(Value::as_str);
    ROLES.into_iter().find(|role| Some(*role) == wanted).unwrap_or("service_role")
}

/// What the operator log says of a key.
pub(super) fn logged(key: &ApiKey) -> Value {
    json!({
        "id": key.id, "type": key.kind, "name": key.name, "description": key.description, "prefix": key.prefix,
        "secret_jwt_template": key.secret_jwt_template, "expires_at": key.expires_at,
    })
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
        secret_jwt_template: None,
        last_used_at: None,
        expires_at: None,
        created_at: None,
        updated_at: None,
    }
}

/// Refuses a name that is none (`contract/management.md` §2.4).
pub(super) fn check_name(name: &str) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let good =
        (4..=64).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with(|c: char| c.is_ascii_digit());
    if good {
        return Ok(());
    }
    let text = "name must have 4 to 64 characters: lower-case letters, digits and _, no digit first";
    Err(Error::Invalid(text.to_owned()))
}

/// Refuses a description that is too long to be one.
pub(super) fn check_description(description: Option<&str>) -> Result<()> {
    match description {
        Some(text) if text.chars().count() > 1000 => {
            Err(Error::Invalid("description must have at most 1000 characters".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Refuses claims that no key of this kind can act with: publishable keys have none, secret ones name a role that is known here.
pub(super) fn check_template(kind: Kind, template: Option<&Value>) -> Result<()> {
    let Some(template) = template else { return Ok(()) };
    if kind == Kind::Publishable {
        return Err(Error::Invalid("secret_jwt_template is for secret keys alone".to_owned()));
    }
    let role = template.as_object().and_then(|claims| claims.get("role")).and_then(Value::as_str);
    match role {
        Some(role) if ROLES.contains(&role) => Ok(()),
        _ => Err(Error::Invalid("secret_jwt_template must have a role: service_role or anon".to_owned())),
    }
}
