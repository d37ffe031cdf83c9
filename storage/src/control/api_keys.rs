//! New-style API keys (`contract/management.md` §2.4).

use domain::ids::ProjectId;
use domain::secret::Secret;
use domain::time::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Change, ControlStore};
use crate::backend::Work;
use crate::error::Result;
use crate::sql::same;
use crate::values::At;

macro_rules! columns {
    () => {
        "k.id, k.name, k.kind, k.hash, k.prefix, k.sealed, k.description, k.created_at, k.updated_at"
    };
}

statements! {
    control INSERT = same(
        "insert into control.api_keys
             (project_id, id, name, kind, hash, prefix, sealed, description, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    );
    control LIST = same(concat!(
        "select ", columns!(), " from control.api_keys as k where k.project_id = $1 order by k.created_at, k.kind, k.id"
    ));
    control GET = same(concat!("select ", columns!(), " from control.api_keys as k where k.project_id = $1 and k.id = $2"));
    control PROJECT_OF = same("select k.project_id from control.api_keys as k where k.hash = $1");
    control UPDATE = same(
        "update control.api_keys as k set name = $3, description = $4, updated_at = $5 where k.project_id = $1 and k.id = $2"
    );
    control DELETE = same("delete from control.api_keys as k where k.project_id = $1 and k.id = $2");
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    name: String,
    kind: String,
    hash: String,
    prefix: String,
    sealed: String,
    description: Option<String>,
    created_at: At,
    updated_at: At,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            kind: row.kind,
            hash: row.hash,
            prefix: row.prefix,
            sealed: Secret::new(row.sealed),
            description: row.description,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

pub(super) async fn insert(work: &mut Work, project: ProjectId, key: &ApiKey) -> Result<()> {
    execute!(
        work,
        INSERT,
        project.0,
        key.id,
        &key.name,
        &key.kind,
        &key.hash,
        &key.prefix,
        key.sealed.expose(),
        &key.description,
        At(key.created_at),
        At(key.updated_at),
    )?;
    Ok(())
}

pub(super) async fn list(work: &mut Work, project: ProjectId) -> Result<Vec<ApiKey>> {
    Ok(fetch!(work, fetch_all, Row, LIST, project.0)?.into_iter().map(ApiKey::from).collect())
}

/// One key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The row.
    pub id: Uuid,
    /// A name for tools, unique among the keys of its kind in the project.
    pub name: String,
    /// `publishable` or `secret`.
    pub kind: String,
    /// What a presented key is compared with.
    pub hash: String,
    /// The visible beginning.
    pub prefix: String,
    /// The key itself, sealed by the caller.
    pub sealed: Secret<String>,
    /// For people.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Works on API keys.
pub struct ApiKeys<'s> {
    pub(super) store: &'s ControlStore,
}

impl ApiKeys<'_> {
    /// Adds a key. A name that is taken is a conflict.
    pub async fn insert(&self, project: ProjectId, key: &ApiKey) -> Result<()> {
        let mut work = self.store.begin_change().await?;
        insert(&mut work, project, key).await?;
        self.store.commit_change(work, project, Change::Config, key.created_at).await
    }

    /// The project's keys, oldest first.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<ApiKey>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, LIST, project.0)?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    /// One key of the project.
    pub async fn get(&self, project: ProjectId, id: Uuid) -> Result<Option<ApiKey>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, GET, project.0, id)?;
        Ok(row.map(ApiKey::from))
    }

    /// The project of the key with this hash.
    pub async fn project_of(&self, hash: &str) -> Result<Option<ProjectId>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, (Uuid,), PROJECT_OF, hash)?;
        Ok(row.map(|(project,)| ProjectId(project)))
    }

    /// Renames and describes a key. False when it is gone.
    pub async fn update(
        &self,
        project: ProjectId,
        id: Uuid,
        name: &str,
        description: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        let mut work = self.store.begin_change().await?;
        let touched = execute!(&mut work, UPDATE, project.0, id, name, description, At(now))?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }

    /// Removes a key. False when it was gone.
    pub async fn delete(&self, project: ProjectId, id: Uuid, now: Timestamp) -> Result<bool> {
        let mut work = self.store.begin_change().await?;
        let touched = execute!(&mut work, DELETE, project.0, id)?;
        self.store.finish_change(work, touched, project, Change::Config, now).await
    }
}
