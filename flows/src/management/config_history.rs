//! What a project's configuration was, what a change would do, and the way back.

use domain::config::{self, Explicit};
use domain::ids::ProjectRef;
use domain::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use storage::control::{Bundle, ConfigVersion};

use super::config::{check_note, patched, problems};
use super::{Error, Management, Result};
use crate::source;

/// Versions of a page when nothing is said, and at most: as many as are kept.
const PAGE: u32 = 200;

/// A stored version of a configuration, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigVersionView {
    /// Counts from 1.
    pub version: i64,
    /// When.
    pub created_at: Timestamp,
    /// The name of the token that made it.
    pub changed_by: Option<String>,
    /// Why, in the operator's words.
    pub note: Option<String>,
}

/// A stored version with its values.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredConfig {
    /// Which.
    pub version: ConfigVersionView,
    /// Every field's value that was in force then; secrets as fingerprints.
    pub values: Map<String, Value>,
}

/// What two versions have different.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigDiff {
    /// The version before.
    pub from: i64,
    /// The version after; of a change that was not made, the version that it would become.
    pub to: i64,
    /// The fields with another value in force, in the order of the table of fields.
    pub changes: Vec<FieldChange>,
}

/// A field with another value in force; secrets as fingerprints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Which.
    pub field: &'static str,
    /// Its value before.
    pub from: Value,
    /// Its value after.
    pub to: Value,
}

impl Management {
    /// Versions before one of them, newest first; the newest 200 are kept.
    pub async fn config_history(
        &self,
        project: &ProjectRef,
        before: Option<i64>,
        limit: Option<u32>,
    ) -> Result<Vec<ConfigVersionView>> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=PAGE).contains(&limit) {
            return Err(Error::Invalid(format!("limit must be from 1 to {PAGE}")));
        }
        let found = self.project(project).await?.project;
        let versions = self.control.configs().history(found.id, before, limit).await?;
        Ok(versions.iter().map(view).collect())
    }

    /// One version with its values.
    pub async fn config_version(&self, project: &ProjectRef, version: i64) -> Result<StoredConfig> {
        let bundle = self.bundle(project).await?;
        let (stored, explicit) = self.stored(&bundle, version).await?;
        Ok(StoredConfig { version: view(&stored), values: self.shown(project, &explicit) })
    }

    /// What version `to` (`None` = what is in force) has different from version `from`.
    pub async fn config_diff(&self, project: &ProjectRef, from: i64, to: Option<i64>) -> Result<ConfigDiff> {
        let bundle = self.bundle(project).await?;
        let to = to.unwrap_or(bundle.config.version);
        let (_, before) = self.stored(&bundle, from).await?;
        let (_, after) = self.stored(&bundle, to).await?;
        Ok(ConfigDiff { from, to, changes: self.changes(project, &before, &after) })
    }

    /// What a patch would change, or why it would be refused. Nothing is stored.
    pub async fn config_preview(&self, project: &ProjectRef, patch: &Map<String, Value>) -> Result<ConfigDiff> {
        let bundle = self.bundle(project).await?;
        let explicit = self.open_config(&bundle)?;
        let next = patched(project, &explicit, patch)?;
        let from = bundle.config.version;
        let to = if next == explicit { from } else { from + 1 };
        Ok(ConfigDiff { from, to, changes: self.changes(project, &explicit, &next) })
    }

    /// Brings an earlier version back, as a new one: judged as a patch with its values would be, and under the security profile that
    /// the project has now where that is the stricter one.
    pub async fn rollback_config(&self, project: &ProjectRef, version: i64, note: Option<&str>) -> Result<ConfigDiff> {
        check_note(note)?;
        let reason = note.map_or_else(|| format!("back to version {version}"), str::to_owned);
        loop {
            let bundle = self.changeable(project).await?;
            let explicit = self.open_config(&bundle)?;
            let (_, earlier) = self.stored(&bundle, version).await?;
            let next = config::validate_rollback(&explicit, &earlier).map_err(problems)?;
            let changes = self.changes(project, &explicit, &next);
            let from = bundle.config.version;
            if next == explicit {
                return Ok(ConfigDiff { from, to: from, changes });
            }
            let stored = self.store_config(&bundle, &explicit, &next, "config.rolled_back", Some(&reason)).await?;
            if let Some(to) = stored {
                return Ok(ConfigDiff { from, to, changes });
            }
        }
    }

    async fn stored(&self, bundle: &Bundle, version: i64) -> Result<(ConfigVersion, Explicit)> {
        let project = bundle.project.id;
        let stored = if version == bundle.config.version {
            Some(bundle.config.clone())
        } else {
            self.control.configs().version(project, version).await?
        };
        let stored = stored.ok_or(Error::NotFound)?;
        let explicit = source::open_values(&self.master_key, project, &stored.values)?;
        Ok((stored, explicit))
    }

    fn changes(&self, project: &ProjectRef, before: &Explicit, after: &Explicit) -> Vec<FieldChange> {
        let (before, after) = (self.shown(project, before), self.shown(project, after));
        let change = |field: &&config::Field| {
            let value = |values: &Map<String, Value>| values.get(field.name).cloned().unwrap_or(json!(null));
            let (from, to) = (value(&before), value(&after));
            (from != to).then_some(FieldChange { field: field.name, from, to })
        };
        config::FIELDS.iter().filter_map(change).collect()
    }
}

fn view(version: &ConfigVersion) -> ConfigVersionView {
    ConfigVersionView {
        version: version.version,
        created_at: version.created_at,
        changed_by: version.changed_by.clone(),
        note: version.note.clone(),
    }
}
