//! Projects: made, listed, looked at, named.

use crypto::api_key::Kind;
use crypto::jwt::{self, SigningKey};
use crypto::project_key::ProjectKey;
use domain::config::{self, Explicit};
use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::operator::Reach;
use domain::project::{Placement, Profile, Project, Status};
use domain::quota::Quotas;
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::{Map, Value, json};
use storage::StoreError;
use storage::control::{Bundle, ConfigVersion, KeyStatus, ListProjects};

use super::{Error, Management, Result, config as stored, marks, quotas, signing_keys};
use crate::source::{self, purpose};

/// Life of an old-style API key, in seconds: ten years.
const LEGACY_KEY_LIFE: i64 = 10 * 365 * 24 * 3600;

/// Most projects of a page.
const MOST: u32 = 1000;

/// Most projects that are passed over to reach a page; beyond, pages are reached by the ref before them.
const FARTHEST: u32 = 10_000;

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
    /// Where its rows are to be; `None` = at `database_url` where there is one, else in the gateway's database.
    pub placement: Option<Placement>,
    /// A PostgreSQL database of its own.
    pub database_url: Option<Secret<String>>,
    /// What it is granted.
    pub quotas: Quotas,
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

/// Which projects.
#[derive(Clone, Debug)]
pub struct ReadProjects {
    /// Those after this one, in the order of refs.
    pub after: Option<ProjectRef>,
    /// How many of them are passed over, at most 10,000.
    pub offset: u32,
    /// How many at most, from 1 to 1000.
    pub limit: u32,
    /// How their ref or their name begins; case does not matter.
    pub search: Option<String>,
    /// In which state; `None` = in any but deleted.
    pub statuses: Option<Vec<Status>>,
}

impl Default for ReadProjects {
    fn default() -> Self {
        Self { after: None, offset: 0, limit: 100, search: None, statuses: None }
    }
}

/// Some projects, by ref.
#[derive(Clone, Debug)]
pub struct ProjectPage {
    /// The projects.
    pub projects: Vec<ProjectView>,
    /// What to ask for the next page with, as `after`; `None` on the last one.
    pub next: Option<ProjectRef>,
    /// How many there are on all pages; of those that a filter leaves, no more than 10,000 are counted.
    pub total: u64,
}

impl Management {
    /// Makes a project; it serves at once, on every gateway.
    pub async fn create_project(&self, request: CreateProject) -> Result<CreatedProject> {
        let now = self.now();
        let project_ref = match &request.project_ref {
            Some(text) => text.parse::<ProjectRef>().map_err(|error| Error::Invalid(error.to_string()))?,
            None => self.random_ref()?,
        };
        let explicit = first_config(request.config, request.profile)?;
        let jwt_secret = request.jwt_secret.unwrap_or_else(|| Secret::new(random_text(&*self.entropy, 48)));
        signing_keys::check_length("jwt_secret", jwt_secret.expose().len(), &explicit)?;
        quotas::check(&request.quotas)?;
        let keys = self.imported_keys(&request.signing_keys, &explicit)?;
        let name = request.name.unwrap_or_else(|| project_ref.to_string());
        check_name(&name)?;
        let url = request.database_url;
        let project = Project {
            id: ProjectId(self.entropy.uuid()),
            name,
            project_ref,
            instance: InstanceId(self.entropy.uuid()),
            status: Status::Active,
            profile: explicit.profile(),
            placement: request.placement.unwrap_or(if url.is_some() {
                Placement::Postgres
            } else {
                Placement::Gateway
            }),
            database_url: None,
            quotas: request.quotas,
            hold: None,
            purge_at: None,
            created_at: now,
        };
        self.free_ref(&project.project_ref).await?;
        self.make_room(&project, url.as_ref()).await?;
        let project_key = ProjectKey::generate(&*self.entropy);
        let mut secrets = vec![
            self.sealed_secret(project.id, source::JWT_SECRET, jwt_secret.expose().as_bytes()),
            self.sealed_secret(project.id, source::PROJECT_KEY, project_key.expose()),
        ];
        if let Some(url) = &url {
            secrets.push(self.sealed_secret(project.id, source::DATABASE_URL, url.expose().as_bytes()));
        }
        let api_keys = [Kind::Publishable, Kind::Secret]
            .map(|kind| self.new_api_key(project.id, kind, "default".to_owned(), None, now).0);
        let keys_of = |keys: &[(SigningKey, KeyStatus)]| {
            let sealed = keys.iter().map(|(key, status)| self.sealed_key(project.id, key, *status, now));
            sealed.collect::<Result<Vec<_>>>()
        };
        let bundle = Bundle {
            config: ConfigVersion {
                version: 1,
                values: self.sealed_config(project.id, &explicit)?,
                created_at: now,
                changed_by: Some(self.operator.name.clone()),
                note: None,
            },
            signing_keys: keys_of(&keys)?,
            api_keys: api_keys.into(),
            secrets,
            third_party: Vec::new(),
            legacy_keys_enabled: true,
            domain: None,
            project: project.clone(),
        };
        let keys: Vec<SigningKey> = keys.into_iter().map(|(key, _)| key).collect();
        let marks = self.marks(Some(&jwt_secret), &keys);
        let after = json!({
            "name": project.name, "profile": project.profile, "placement": project.placement, "quotas": project.quotas,
            "config": stored::masked(&explicit.to_map()),
        });
        let control = self.noting("project.created", Some(&project), None, Some(after));
        let made = match control.projects().create(&bundle, &marks, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(marks::taken()),
            Err(StoreError::Conflict) => Err(exists(&project.project_ref)),
            Err(other) => Err(other.into()),
        };
        if let Err(error) = made {
            // An outcome that is unknown leaves the file, which then may be in use.
            if project.placement == Placement::Sqlite && !matches!(error, Error::Busy(_)) {
                self.databases.remove_file(project.id).await?;
            }
            return Err(error);
        }
        self.announce_route(&project).await;
        let (anon_key, service_role_key) = self.legacy_keys(&project, &jwt_secret)?;
        Ok(CreatedProject {
            url: self.urls.project(&project.project_ref),
            project,
            anon_key,
            service_role_key,
            jwt_secret,
        })
    }

    /// Projects that the acting operator may see, by ref.
    pub async fn list_projects(&self, read: ReadProjects) -> Result<ProjectPage> {
        if !(1..=MOST).contains(&read.limit) {
            return Err(Error::Invalid(format!("limit must be from 1 to {MOST}")));
        }
        if read.offset > FARTHEST {
            return Err(Error::Invalid(format!("offset must be at most {FARTHEST}; go on with after")));
        }
        let only = match &self.operator.reach {
            Reach::Everything => None,
            Reach::Projects(ids) => Some(ids.clone()),
        };
        let list = ListProjects {
            after: read.after,
            offset: read.offset,
            limit: read.limit + 1,
            search: read.search.filter(|text| !text.is_empty()),
            statuses: read.statuses,
            only,
        };
        let mut projects = self.control.projects().list(&list).await?;
        let more = projects.len() > read.limit as usize;
        projects.truncate(read.limit as usize);
        let total = self.total(&list, &projects, more).await?;
        let next = projects.last().filter(|_| more).map(|project| project.project_ref.clone());
        Ok(ProjectPage { projects: projects.into_iter().map(|project| self.view(project)).collect(), next, total })
    }

    async fn total(&self, list: &ListProjects, page: &[Project], more: bool) -> Result<u64> {
        if list.search.is_none() && list.statuses.is_none() && list.only.is_none() {
            return Ok(self.control.projects().total().await?);
        }
        if list.offset == 0 && list.after.is_none() && !more {
            return Ok(page.len() as u64);
        }
        let whole = ListProjects { after: None, offset: 0, limit: FARTHEST, ..list.clone() };
        Ok(self.control.projects().list(&whole).await?.len() as u64)
    }

    /// One project that was not deleted.
    pub async fn project(&self, project: &ProjectRef) -> Result<ProjectView> {
        let found = self.project_or_deleted(project).await?;
        if found.project.status == Status::Deleting { Err(Error::NotFound) } else { Ok(found) }
    }

    /// One project, also one that was deleted and can be restored.
    pub async fn project_or_deleted(&self, project: &ProjectRef) -> Result<ProjectView> {
        let found = self.control.projects().by_ref(project).await?.ok_or(Error::NotFound)?;
        Ok(self.view(found))
    }

    /// Gives a project another name for people.
    pub async fn rename_project(&self, project: &ProjectRef, name: &str) -> Result<ProjectView> {
        let found = self.project(project).await?.project;
        check_name(name)?;
        let (before, after) = (json!({ "name": found.name }), json!({ "name": name }));
        let control = self.noting("project.renamed", Some(&found), Some(before), Some(after));
        if !control.projects().rename(found.id, name, self.now()).await? {
            return Err(Error::NotFound);
        }
        self.announce(found.id).await;
        self.project(project).await
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

    pub(super) fn sealed_secret(&self, project: ProjectId, what: &str, plain: &[u8]) -> (String, Secret<String>) {
        let sealed = self.master_key.seal(&purpose(what, project), plain, &*self.entropy);
        (what.to_owned(), Secret::new(sealed))
    }

    pub(super) fn view(&self, project: Project) -> ProjectView {
        ProjectView { url: self.urls.project(&project.project_ref), project }
    }

    /// Refuses a ref that is taken, before anything is made for the project that wants it.
    pub(super) async fn free_ref(&self, project: &ProjectRef) -> Result<()> {
        match self.control.projects().by_ref(project).await? {
            None => Ok(()),
            Some(Project { status: Status::Deleting, purge_at, .. }) => Err(still_there(project, purge_at)),
            Some(_) => Err(exists(project)),
        }
    }

    /// Opens the database that a project is to have for itself.
    pub(super) async fn make_room(&self, project: &Project, url: Option<&Secret<String>>) -> Result<()> {
        if url.is_some() && project.placement != Placement::Postgres {
            return Err(Error::Invalid("database_url is for the placement postgres alone".to_owned()));
        }
        if let Some(why) = self.databases.why_not(project.placement, url) {
            return Err(Error::Invalid(why.to_owned()));
        }
        if project.placement != Placement::Gateway {
            self.open_place(project.placement, url, project.id).await?;
        }
        Ok(())
    }

    /// Imported keys: at most one signs; the first that may, where several say so, is refused.
    fn imported_keys(&self, jwks: &[Value], explicit: &Explicit) -> Result<Vec<(SigningKey, KeyStatus)>> {
        let mut keys = Vec::new();
        for jwk in jwks {
            let key = signing_keys::import(jwk, explicit, &*self.entropy)?;
            let signs =
                jwk.get("key_ops").and_then(Value::as_array).is_some_and(|ops| ops.iter().any(|op| op == "sign"));
            if signs && !key.is_private() {
                return Err(Error::Invalid("the key of signing_keys that signs must be a private one".to_owned()));
            }
            keys.push((key, if signs { KeyStatus::InUse } else { KeyStatus::Standby }));
        }
        match keys.iter().filter(|(_, status)| *status == KeyStatus::InUse).count() {
            0 if keys.is_empty() => Ok(keys),
            1 => Ok(keys),
            _ => Err(Error::Invalid("exactly one of signing_keys must have sign among its key_ops".to_owned())),
        }
    }

    fn random_ref(&self) -> Result<ProjectRef> {
        let text: String = (0..20).map(|_| char::from(b'a' + self.entropy.below(26) as u8)).collect();
        text.parse().map_err(|_| Error::Fault("random ref is no ref".into()))
    }
}

fn first_config(mut values: Map<String, Value>, profile: Option<String>) -> Result<Explicit> {
    if let Some(profile) = profile {
        let profile = Profile::from_stored(&profile)
            .ok_or_else(|| Error::Invalid("profile must be compat or shield".to_owned()))?;
        values.entry("security_profile").or_insert_with(|| profile.as_str().into());
    }
    config::validate_new(&values).map_err(stored::problems)
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.chars().count() > 256 {
        return Err(Error::Invalid("name must have 1 to 256 characters".to_owned()));
    }
    Ok(())
}

fn exists(project: &ProjectRef) -> Error {
    Error::Conflict(format!("project {project} exists already"))
}

fn still_there(project: &ProjectRef, purge_at: Option<Timestamp>) -> Error {
    let until = purge_at.map_or(String::new(), |at| format!(" until {}", at.utc().format("%Y-%m-%d %H:%M:%S UTC")));
    let advice = "restore it, or delete it again with a grace of 0 to have the ref free at once";
    Error::Conflict(format!("project {project} was deleted and can be restored{until}: {advice}"))
}

/// Random letters and digits.
pub(super) fn random_text(entropy: &dyn domain::entropy::Entropy, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |_| ALPHABET.get(entropy.below(62) as usize).copied().map_or('A', char::from);
    (0..length).map(letter).collect()
}
