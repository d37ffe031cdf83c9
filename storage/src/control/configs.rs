//! Versions of a project's configuration: appended, never changed; the oldest go.

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

/// The columns of `Row` from a version `c`.
macro_rules! columns {
    () => {
        "c.version as config_version, c.config, c.created_at as config_created_at, c.changed_by, c.note"
    };
}

pub(super) use columns;

statements! {
    // Two writers that both saw the same newest version meet at the primary key.
    control APPEND = same(
        "insert into control.config_versions (project_id, version, config, created_at, changed_by, note)
         select $1, $2, $3, $4, $5, $6
         where coalesce((select max(c.version) from control.config_versions as c where c.project_id = $1), 0) + 1 = $2"
    );
    control PRUNE = same("delete from control.config_versions as c where c.project_id = $1 and c.version <= $2");
    control LATEST = same(concat!(
        "select ", columns!(), " from control.config_versions as c where c.project_id = $1 order by c.version desc limit 1"
    ));
    control VERSION = same(concat!(
        "select ", columns!(), " from control.config_versions as c where c.project_id = $1 and c.version = $2"
    ));
    control HISTORY = same(concat!(
        "select ", columns!(), " from control.config_versions as c
         where c.project_id = $1 and c.version < $2 order by c.version desc limit $3"
    ));
}

/// How many versions of a project are kept.
const KEPT: i64 = 200;

#[derive(FromRow)]
pub(super) struct Row {
    config_version: i64,
    config: Json<Map<String, Value>>,
    config_created_at: At,
    changed_by: Option<String>,
    note: Option<String>,
}

impl From<Row> for ConfigVersion {
    fn from(row: Row) -> Self {
        Self {
            version: row.config_version,
            values: row.config.0,
            created_at: row.config_created_at.0,
            changed_by: row.changed_by,
            note: row.note,
        }
    }
}

pub(super) async fn append(work: &mut Work, project: ProjectId, config: &ConfigVersion) -> Result<()> {
    let appended = execute!(
        work,
        APPEND,
        project.0,
        config.version,
        Json(&config.values),
        At(config.created_at),
        &config.changed_by,
        &config.note,
    )?;
    if appended != 1 {
        return Err(StoreError::Conflict);
    }
    if config.version > KEPT {
        execute!(work, PRUNE, project.0, config.version - KEPT)?;
    }
    Ok(())
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
    /// Who wrote it.
    pub changed_by: Option<String>,
    /// What it is for, or where its values come from.
    pub note: Option<String>,
}

/// Works on configurations.
pub struct Configs<'s> {
    pub(super) store: &'s ControlStore,
}

impl Configs<'_> {
    /// Writes the version after `expected` and answers its number. A conflict when `expected` is not the newest. The newest 200 are
    /// kept.
    pub async fn append(
        &self,
        project: ProjectId,
        expected: i64,
        values: &Map<String, Value>,
        changed_by: Option<&str>,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<i64> {
        let config = ConfigVersion {
            version: expected + 1,
            values: values.clone(),
            created_at: now,
            changed_by: changed_by.map(str::to_owned),
            note: note.map(str::to_owned),
        };
        let mut work = self.store.begin_change(project).await?;
        append(&mut work, project, &config).await?;
        self.store.commit_change(work, project, Change::Config, now).await?;
        Ok(config.version)
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

    /// Up to `limit` versions before that one, or the newest, newest first.
    pub async fn history(&self, project: ProjectId, before: Option<i64>, limit: u32) -> Result<Vec<ConfigVersion>> {
        let before = before.unwrap_or(i64::MAX);
        let rows = fetch_now!(&self.store.backend, fetch_all, Row, HISTORY, project.0, before, i64::from(limit))?;
        Ok(rows.into_iter().map(ConfigVersion::from).collect())
    }
}
