//! Projects: create, list, rename, pause, resume, delete.

use crypto::api_key::Kind;
use crypto::jwt::{self, SigningKey};
use crypto::project_key::ProjectKey;
use domain::config::{self, Explicit};
use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::project::{Profile, Project, Status};
use domain::secret::Secret;
use serde_json::{Map, Value};
use storage::control::{Bundle, ConfigVersion, KeyStatus};

use super::{Error, Management, Result, signing_keys};
use crate::source::{self, purpose};

/// Life of an old-style API key, in seconds: ten years.
const LEGACY_KEY_LIFE: i64 = 10 * 365 * 24 * 3600;

/// Least length of a JWT secret, in bytes (`security/advisor.md` §1.2).
const LEAST_SECRET: usize = 16;

/// A project to be made.
#[derive(Clone, Debug, Default)]
pub struct CreateProject {
    /// The wanted ref; `None` = twenty random letters.
    pub project_ref: Option<String>,
    /// A name for people; `None` = the ref.
    pub name: Option<String>,
    /// `compat` or `shield`; `None` = compat.
    pub profile: Option<String>,
    /// Settings under the Management API's names.
    pub config: Map<String, Value>,
    /// The HS256 secret; `None` = a random one.
    pub jwt_secret: Option<Secret<String>>,
    /// Private JWKs; the one whose `key_ops` has `sign` signs.
    pub signing_keys: Vec<Value>,
    /// A PostgreSQL database of its own.
    pub database_url: Option<Secret<String>>,
}

/// A project that was just made, with its keys in clear: shown once.
#[derive(Clone, Debug)]
pub struct CreatedProject {
    /// The project.
    pub project: Project,
    /// What `createClient` takes.
    pub url: String,
    /// Old-style key of the role `anon`.
    pub anon_key: Secret<String>,
    /// Old-style key of the role `service_role`.
    pub service_role_key: Secret<String>,
    /// The HS256 secret.
    pub jwt_secret: Secret<String>,
}

/// A project as an operator sees it.
#[derive(Clone, Debug)]
pub struct ProjectView {
    /// The project.
    pub project: Project,
    /// What `createClient` takes.
    pub url: String,
}

impl Management {
    /// Makes a project; it serves at once, on every gateway.
    pub async fn create_project(&self, request: CreateProject) -> Result<CreatedProject> {
        let now = self.now();
        let project_ref = match request.project_ref {
            Some(text) => text.parse::<ProjectRef>().map_err(|error| Error::Invalid(error.to_string()))?,
            None => self.random_ref()?,
        };
        let mut values = request.config;
        if let Some(profile) = request.profile {
            let profile = Profile::from_stored(&profile)
                .ok_or_else(|| Error::Invalid("profile must be compat or shield".to_owned()))?;
            values.entry("security_profile").or_insert_with(|| profile.as_str().into());
        }
        let explicit = config::validate_patch(&Explicit::default(), &values).map_err(super::config::problems)?;
        let jwt_secret = match request.jwt_secret {
            Some(secret) if secret.expose().len() < LEAST_SECRET => {
                return Err(Error::Invalid(format!("jwt_secret must have at least {LEAST_SECRET} bytes")));
            }
            Some(secret) => secret,
            None => Secret::new(random_text(&*self.entropy, 48)),
        };
        let signing_keys = self.imported_keys(&request.signing_keys)?;
        self.databases.get(request.database_url.as_ref()).await?;
        let project = Project {
            id: ProjectId(self.entropy.uuid()),
            name: request.name.unwrap_or_else(|| project_ref.to_string()),
            project_ref,
            instance: InstanceId(self.entropy.uuid()),
            status: Status::Active,
            profile: explicit.profile(),
            database_url: None,
            created_at: now,
        };
        let project_key = ProjectKey::generate(&*self.entropy);
        let mut secrets = vec![
            self.sealed_secret(project.id, source::JWT_SECRET, jwt_secret.expose().as_bytes()),
            self.sealed_secret(project.id, source::PROJECT_KEY, project_key.expose()),
        ];
        if let Some(url) = &request.database_url {
            secrets.push(self.sealed_secret(project.id, source::DATABASE_URL, url.expose().as_bytes()));
        }
        let api_keys = [Kind::Publishable, Kind::Secret]
            .map(|kind| self.new_api_key(project.id, kind, "default".to_owned(), None, now).0);
        let signing_keys = signing_keys
            .into_iter()
            .map(|(key, status)| self.sealed_key(project.id, &key, status, now))
            .collect::<Result<_>>()?;
        let bundle = Bundle {
            project: project.clone(),
            config: ConfigVersion { version: 1, values: self.sealed_config(project.id, &explicit)?, created_at: now },
            signing_keys,
            api_keys: api_keys.into(),
            secrets,
            third_party: Vec::new(),
        };
        self.control.projects().create(&bundle, now).await.map_err(|error| match error {
            storage::StoreError::Conflict => Error::Conflict(format!("project {} exists already", project.project_ref)),
            other => other.into(),
        })?;
        self.announce(project.id).await;
        let (anon_key, service_role_key) = self.legacy_keys(&project, &jwt_secret)?;
        Ok(CreatedProject {
            url: self.urls.project(&project.project_ref),
            project,
            anon_key,
            service_role_key,
            jwt_secret,
        })
    }

    /// All projects, oldest first.
    pub async fn list_projects(&self) -> Result<Vec<ProjectView>> {
        let projects = self.control.projects().list().await?;
        Ok(projects.into_iter().map(|project| self.view(project)).collect())
    }

    /// One project.
    pub async fn project(&self, project: &ProjectRef) -> Result<ProjectView> {
        Ok(self.view(self.bundle(project).await?.project))
    }

    /// Gives a project another name for people.
    pub async fn rename_project(&self, project: &ProjectRef, name: &str) -> Result<ProjectView> {
        let bundle = self.bundle(project).await?;
        if name.is_empty() || name.chars().count() > 256 {
            return Err(Error::Invalid("name must have 1 to 256 characters".to_owned()));
        }
        self.control.projects().rename(bundle.project.id, name, self.now()).await?;
        self.announce(bundle.project.id).await;
        self.project(project).await
    }

    /// Stops or resumes serving a project; its data stays.
    pub async fn set_paused(&self, project: &ProjectRef, paused: bool) -> Result<ProjectView> {
        let bundle = self.bundle(project).await?;
        let status = if paused { Status::Paused } else { Status::Active };
        self.control.projects().set_status(bundle.project.id, status, self.now()).await?;
        self.announce(bundle.project.id).await;
        self.project(project).await
    }

    /// Ends a project: its rows, keys and configuration are removed.
    pub async fn delete_project(&self, project: &ProjectRef) -> Result<ProjectView> {
        let bundle = self.bundle(project).await?;
        // From here on nothing is served and nothing written: the rows go last but one, the project last.
        self.control.projects().set_status(bundle.project.id, Status::Deleting, self.now()).await?;
        self.announce(bundle.project.id).await;
        let url = source::secret(&self.master_key, source::DATABASE_URL, &bundle)?;
        let database = self.databases.get(url.as_ref()).await?;
        storage::TenantStore::new(database, bundle.project.instance).purge().await?;
        self.control.projects().delete(bundle.project.id, self.now()).await?;
        self.announce(bundle.project.id).await;
        Ok(self.view(bundle.project))
    }

    /// The old-style keys of a project.
    pub(super) fn legacy_keys(
        &self,
        project: &Project,
        secret: &Secret<String>,
    ) -> Result<(Secret<String>, Secret<String>)> {
        let from = project.created_at.unix();
        let mint = |role| {
            jwt::mint_legacy_api_key(secret, role, project.project_ref.as_str(), from, from + LEGACY_KEY_LIFE)
                .map_err(|error| Error::Fault(error.into()))
        };
        Ok((mint("anon")?, mint("service_role")?))
    }

    fn sealed_secret(&self, project: ProjectId, what: &str, plain: &[u8]) -> (String, Secret<String>) {
        let sealed = self.master_key.seal(&purpose(what, project), plain, &*self.entropy);
        (what.to_owned(), Secret::new(sealed))
    }

    /// Imported keys: at most one signs; the first that may, where several say so, is refused.
    fn imported_keys(&self, jwks: &[Value]) -> Result<Vec<(SigningKey, KeyStatus)>> {
        let mut keys = Vec::new();
        for jwk in jwks {
            let key = signing_keys::import(jwk, &*self.entropy)?;
            let signs =
                jwk.get("key_ops").and_then(Value::as_array).is_some_and(|ops| ops.iter().any(|op| op == "sign"));
            keys.push((key, if signs { KeyStatus::InUse } else { KeyStatus::Standby }));
        }
        match keys.iter().filter(|(_, status)| *status == KeyStatus::InUse).count() {
            0 if keys.is_empty() => Ok(keys),
            1 => Ok(keys),
            _ => Err(Error::Invalid("exactly one of signing_keys must have sign among its key_ops".to_owned())),
        }
    }

    fn view(&self, project: Project) -> ProjectView {
        ProjectView { url: self.urls.project(&project.project_ref), project }
    }

    fn random_ref(&self) -> Result<ProjectRef> {
        let text: String = (0..20).map(|_| char::from(b'a' + self.entropy.below(26) as u8)).collect();
        text.parse().map_err(|_| Error::Fault("random ref is no ref".into()))
    }
}

/// Random letters and digits.
pub(super) fn random_text(entropy: &dyn domain::entropy::Entropy, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |_| ALPHABET.get(entropy.below(62) as usize).copied().map_or('A', char::from);
    (0..length).map(letter).collect()
}
