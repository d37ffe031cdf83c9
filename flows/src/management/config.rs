//! A project's configuration: read, patch, history. Every write is validated, versioned and live at once.

use domain::config::{self, Explicit, Problem};
use domain::ids::{ProjectId, ProjectRef};
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::{Map, Value, json};
use storage::control::Bundle;

use super::{Error, Management, Result};
use crate::source;

/// A stored version of a configuration, without its values.
#[derive(Clone, Debug)]
pub struct ConfigVersionView {
    /// Counts from 1.
    pub version: i64,
    /// When.
    pub created_at: Timestamp,
}

impl Management {
    /// Every field's value in force; secrets as fingerprints (`contract/management.md` §1.3).
    pub async fn config(&self, project: &ProjectRef) -> Result<Map<String, Value>> {
        let bundle = self.bundle(project).await?;
        let explicit = self.open_config(&bundle)?;
        Ok(self.shown(project, &explicit))
    }

    /// Changes the named fields; `null` returns a field to its default. Nothing is stored when one value is refused.
    pub async fn patch_config(&self, project: &ProjectRef, patch: &Map<String, Value>) -> Result<Map<String, Value>> {
        loop {
            let bundle = self.bundle(project).await?;
            let explicit = self.open_config(&bundle)?;
            let patch = without_fingerprints(project, &explicit, patch);
            let changed = config::validate_patch(&explicit, &patch).map_err(problems)?;
            let sealed = self.sealed_config(bundle.project.id, &changed)?;
            let id = bundle.project.id;
            match self.control.configs().append(id, bundle.config.version, &sealed, self.now()).await {
                Ok(_) => {
                    self.announce(id).await;
                    return Ok(self.shown(project, &changed));
                }
                // Another operator was faster: the patch is judged against what stands now.
                Err(storage::StoreError::Conflict) => continue,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The newest versions, newest first.
    pub async fn config_history(&self, project: &ProjectRef) -> Result<Vec<ConfigVersionView>> {
        let bundle = self.bundle(project).await?;
        let versions = self.control.configs().history(bundle.project.id, 100).await?;
        let view = |version: storage::control::ConfigVersion| ConfigVersionView {
            version: version.version,
            created_at: version.created_at,
        };
        Ok(versions.into_iter().map(view).collect())
    }

    pub(super) fn sealed_config(&self, project: ProjectId, explicit: &Explicit) -> Result<Map<String, Value>> {
        source::seal_config(&self.master_key, project, explicit, &*self.entropy).map_err(Into::into)
    }

    fn open_config(&self, bundle: &Bundle) -> Result<Explicit> {
        source::open_config(&self.master_key, bundle).map_err(Into::into)
    }

    fn shown(&self, project: &ProjectRef, explicit: &Explicit) -> Map<String, Value> {
        let mut values = config::effective(explicit, &self.defaults);
        for field in config::FIELDS.iter().filter(|field| field.secret) {
            if let Some(value) = values.get_mut(field.name)
                && let Some(text) = value.as_str()
            {
                *value = json!(crypto::digest::secret_fingerprint(project.as_str(), &Secret::new(text.to_owned())));
            }
        }
        values
    }
}

/// A fingerprint that is sent back means "unchanged".
fn without_fingerprints(project: &ProjectRef, explicit: &Explicit, patch: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = patch.clone();
    for field in config::FIELDS.iter().filter(|field| field.secret) {
        let stored = explicit.get(field.name).and_then(Value::as_str).map(|text| Secret::new(text.to_owned()));
        let fingerprint = stored.map(|secret| crypto::digest::secret_fingerprint(project.as_str(), &secret));
        if fingerprint.is_some() && patch.get(field.name).and_then(Value::as_str) == fingerprint.as_deref() {
            patch.remove(field.name);
        }
    }
    patch
}

/// All problems in one line each, for the operator.
pub(super) fn problems(problems: Vec<Problem>) -> Error {
    Error::Invalid(config::describe(&problems))
}
