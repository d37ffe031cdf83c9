//! Versions of a project's configuration: only ever appended.

use domain::ids::ProjectId;
use domain::time::Timestamp;
use serde_json::{Map, Value};

use sqlx::FromRow;
use sqlx::types::Json;

use super::{Change, ControlStore};
use crate::backend::Work;
use crate::error::{Result, StoreError};
use crate::sql::same;
use crate::values::At;

statements! {
    // Two writers that both saw the same newest version meet at the primary key.
    control APPEND = same(
        "insert into control.config_versions (project_id, version, config, created_at)
         select $1, $2, $3, $4
         where coalesce((select max(c.version) from control.config_versions as c where c.project_id = $1), 0) = $2 - 1"
    );
    control LATEST = same(
        "select c.version, c.config, c.created_at from control.config_versions as c
         where c.project_id = $1 order by c.version desc limit 1"
    );
    control VERSION = same(
        "select c.version, c.config, c.created_at from control.config_versions as c where c.project_id = $1 and c.version = $2"
    );
    control HISTORY = same(
        "select c.version, c.config, c.created_at from control.config_versions as c
         where c.project_id = $1 order by c.version desc limit $2"
    );
}

#[derive(FromRow)]
struct Row {
    version: i64,
    config: Json<Map<String, Value>>,
    created_at: At,
}

impl From<Row> for ConfigVersion {
    fn from(row: Row) -> Self {
        Self { version: row.version, values: row.config.0, created_at: row.created_at.0 }
    }
}

pub(super) async fn append(
    work: &mut Work,
    project: ProjectId,
    version: i64,
    values: &Map<String, Value>,
    now: Timestamp,
) -> Result<()> {
    match execute!(work, APPEND, project.0, version, Json(values), At(now))? {
        1 => Ok(()),
        _ => Err(StoreError::Conflict),
    }
}

pub(super) async fn latest(work: &mut Work, project: ProjectId) -> Result<Option<ConfigVersion>> {
    Ok(fetch!(work, fetch_optional, Row, LATEST, project.0)?.map(ConfigVersion::from))
}

/// One version.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigVersion {
    /// From 1.
    pub version: i64,
    /// Every value that is set explicitly; secrets sealed by the caller.
    pub values: Map<String, Value>,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Works on configurations.
pub struct Configs<'s> {
    pub(super) store: &'s ControlStore,
}

impl Configs<'_> {
    /// Writes the version after `expected` and answers its number. A conflict when `expected` is not the newest.
    pub async fn append(
        &self,
        project: ProjectId,
        expected: i64,
        values: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<i64> {
        let version = expected + 1;
        let mut work = self.store.begin_change().await?;
        append(&mut work, project, version, values, now).await?;
        self.store.commit_change(work, project, Change::Config, now).await?;
        Ok(version)
    }

    /// The newest version.
    pub async fn latest(&self, project: ProjectId) -> Result<Option<ConfigVersion>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, LATEST, project.0)?;
        Ok(row.map(ConfigVersion::from))
    }

    /// One version.
    pub async fn version(&self, project: ProjectId, version: i64) -> Result<Option<ConfigVersion>> {
        let row = fetch_now!(&self.store.backend, fetch_optional, Row, VERSION, project.0, version)?;
        Ok(row.map(ConfigVersion::from))
    }

    /// Up to `limit` versions, newest first.
    pub async fn history(&self, project: ProjectId, limit: u32) -> Result<Vec<ConfigVersion>> {
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, HISTORY, project.0, i64::from(limit))?;
        Ok(rows.into_iter().map(ConfigVersion::from).collect())
    }
}
