//! Projects of the gateway.

use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::project::{Profile, Project, Status};
use domain::secret::Secret;
use domain::third_party::ThirdParty;
use domain::time::Timestamp;

use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::api_keys::ApiKey;
use super::configs::ConfigVersion;
use super::signing_keys::SigningKey;
use super::{Change, ControlStore, api_keys, configs, secrets, signing_keys, third_party};
use crate::error::{Result, StoreError};
use crate::sql::{each, same};
use crate::values::At;

macro_rules! columns {
    () => {
        "p.id, p.ref, p.instance_id, p.name, p.status, p.profile, p.database_url, p.created_at"
    };
}

statements! {
    control INSERT = same(
        "insert into control.projects (id, ref, instance_id, name, status, profile, database_url, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)"
    );
    control BY_REF = same(concat!("select ", columns!(), " from control.projects as p where p.ref = $1"));
    control WHOLE = each(
        concat!(
            "select ", columns!(), ", ", third_party::third_party_of_project!(postgres), "
             from control.projects as p where p.ref = $1"
        ),
        concat!(
            "select ", columns!(), ", ", third_party::third_party_of_project!(sqlite), "
             from control.projects as p where p.ref = $1"
        ),
    );
    control BY_ID = same(concat!("select ", columns!(), " from control.projects as p where p.id = $1"));
    control LIST = same(concat!("select ", columns!(), " from control.projects as p order by p.created_at, p.id"));
    control PAGE = same(concat!(
        "select ", columns!(), " from control.projects as p where p.ref > $1 order by p.ref limit $2"
    ));
    control SET_STATUS = same("update control.projects as p set status = $2, updated_at = $3 where p.id = $1");
    control RENAME = same("update control.projects as p set name = $2, updated_at = $3 where p.id = $1");
    control DELETE = same("delete from control.projects as p where p.id = $1");
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    r#ref: String,
    instance_id: Uuid,
    name: String,
    status: String,
    profile: String,
    database_url: Option<String>,
    created_at: At,
}

#[derive(FromRow)]
struct WholeRow {
    #[sqlx(flatten)]
    project: Row,
    third_party: Json<Vec<third_party::Object>>,
}

impl TryFrom<Row> for Project {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let unreadable = || StoreError::fault("a project row holds a word this program does not know");
        Ok(Self {
            id: ProjectId(row.id),
            project_ref: row.r#ref.parse().map_err(|_| unreadable())?,
            instance: InstanceId(row.instance_id),
            name: row.name,
            status: Status::from_stored(&row.status).ok_or_else(unreadable)?,
            profile: Profile::from_stored(&row.profile).ok_or_else(unreadable)?,
            database_url: row.database_url.map(Secret::new),
            created_at: row.created_at.0,
        })
    }
}

/// Everything a gateway needs to serve a project, as of one moment.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The project.
    pub project: Project,
    /// Its newest configuration.
    pub config: ConfigVersion,
    /// Its signing keys, newest first.
    pub signing_keys: Vec<SigningKey>,
    /// Its new-style API keys, oldest first.
    pub api_keys: Vec<ApiKey>,
    /// Its sealed secrets by name.
    pub secrets: Vec<(String, Secret<String>)>,
    /// Other issuers whose tokens it accepts, oldest first.
    pub third_party: Vec<ThirdParty>,
}

/// Works on projects.
pub struct Projects<'s> {
    pub(super) store: &'s ControlStore,
}

impl Projects<'_> {
    /// Makes a project, whole or not at all; `config.version` must be 1. The database URL is stored as given: the caller seals it.
    /// A taken ref, id or instance is a conflict.
    pub async fn create(&self, bundle: &Bundle, now: Timestamp) -> Result<()> {
        let project = &bundle.project;
        let mut work = self.store.begin_change().await?;
        execute!(
            &mut work,
            INSERT,
            project.id.0,
            project.project_ref.as_str(),
            project.instance.0,
            &project.name,
            project.status.as_str(),
            project.profile.as_str(),
            project.database_url.as_ref().map(|url| url.expose().as_str()),
            At(project.created_at),
        )?;
        configs::append(&mut work, project.id, bundle.config.version, &bundle.config.values, now).await?;
        for key in &bundle.signing_keys {
            signing_keys::insert(&mut work, project.id, key).await?;
        }
        for key in &bundle.api_keys {
            api_keys::insert(&mut work, project.id, key).await?;
        }
        for (name, sealed) in &bundle.secrets {
            secrets::put(&mut work, project.id, name, sealed, now).await?;
        }
        for issuer in &bundle.third_party {
            third_party::insert(&mut work, project.id, issuer).await?;
        }
        self.store.commit_change(work, project.id, Change::Project, now).await
    }

    /// The project with this ref.
    pub async fn by_ref(&self, project: &ProjectRef) -> Result<Option<Project>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, BY_REF, project.as_str())?;
        row.map(Project::try_from).transpose()
    }

    /// The project with this id.
    pub async fn by_id(&self, project: ProjectId) -> Result<Option<Project>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, BY_ID, project.0)?;
        row.map(Project::try_from).transpose()
    }

    /// Everything about the project with this ref.
    pub async fn bundle(&self, project: &ProjectRef) -> Result<Option<Bundle>> {
        let mut work = self.store.backend.begin_read().await?;
        let row = fetch!(&mut work, fetch_optional, WholeRow, WHOLE, project.as_str())?;
        let Some(row) = row else { return Ok(None) };
        let project = Project::try_from(row.project)?;
        let issuers = row.third_party.0.into_iter().map(ThirdParty::try_from).collect::<Result<_>>()?;
        let config = configs::latest(&mut work, project.id).await?;
        let bundle = Bundle {
            config: config.ok_or_else(|| StoreError::fault("a project has no configuration"))?,
            signing_keys: signing_keys::list(&mut work, project.id).await?,
            api_keys: api_keys::list(&mut work, project.id).await?,
            secrets: secrets::list(&mut work, project.id).await?,
            third_party: issuers,
            project,
        };
        work.commit().await?;
        Ok(Some(bundle))
    }

    /// All projects, oldest first.
    pub async fn list(&self) -> Result<Vec<Project>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, LIST)?;
        rows.into_iter().map(Project::try_from).collect()
    }

    /// Up to `limit` projects in the order of their refs, after that one; from the first on without one.
    pub async fn page(&self, after: Option<&ProjectRef>, limit: u32) -> Result<Vec<Project>> {
        let after = after.map_or("", ProjectRef::as_str);
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, PAGE, after, i64::from(limit))?;
        rows.into_iter().map(Project::try_from).collect()
    }

    /// Sets the status. False when the project is gone.
    pub async fn set_status(&self, project: ProjectId, status: Status, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change().await?;
        let touched = execute!(&mut work, SET_STATUS, project.0, status.as_str(), At(now))?;
        self.store.finish_change(work, touched, project, Change::Project, now).await
    }

    /// Sets the name for people. False when the project is gone.
    pub async fn rename(&self, project: ProjectId, name: &str, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change().await?;
        let touched = execute!(&mut work, RENAME, project.0, name, At(now))?;
        self.store.finish_change(work, touched, project, Change::Project, now).await
    }

    /// Removes the project with its configuration, keys and secrets. False when it was gone.
    pub async fn delete(&self, project: ProjectId, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change().await?;
        let touched = execute!(&mut work, DELETE, project.0)?;
        self.store.finish_change(work, touched, project, Change::Project, now).await
    }
}
