//! A project's configuration: read and changed. Every write is validated, versioned and live at once.

use domain::config::{self, Explicit, Problem};
use domain::ids::{ProjectId, ProjectRef};
use domain::secret::Secret;
use serde_json::{Map, Value, json};
use storage::StoreError;
use storage::control::Bundle;

use super::operator_log::MASKED;
use super::{Error, Management, Result};
use crate::source;

/// The longest reason for a change, in characters.
const LONGEST_NOTE: usize = 1000;

impl Management {
    /// Every field's value in force; secrets as fingerprints (`contract/management.md` §1.3).
    pub async fn config(&self, project: &ProjectRef) -> Result<Map<String, Value>> {
        let bundle = self.bundle(project).await?;
        let explicit = self.open_config(&bundle)?;
        Ok(self.shown(project, &explicit))
    }

    /// Changes the named fields; `null` returns a field to its default. Nothing is stored when one value is refused.
    pub async fn patch_config(&self, project: &ProjectRef, patch: &Map<String, Value>) -> Result<Map<String, Value>> {
        self.patch_config_noting(project, patch, None).await
    }

    /// The same, with why it is done.
    pub async fn patch_config_noting(
        &self,
        project: &ProjectRef,
        patch: &Map<String, Value>,
        note: Option<&str>,
    ) -> Result<Map<String, Value>> {
        check_note(note)?;
        loop {
            let bundle = self.changeable(project).await?;
            let explicit = self.open_config(&bundle)?;
            let next = patched(project, &explicit, patch)?;
            if next == explicit || self.store_config(&bundle, &explicit, &next, "config.changed", note).await?.is_some()
            {
                return Ok(self.shown(project, &next));
            }
        }
    }

    /// Makes `next` the newest version and tells every gateway of it. `None` when another operator was faster: then the change is to
    /// be judged against what stands now.
    pub(super) async fn store_config(
        &self,
        bundle: &Bundle,
        before: &Explicit,
        next: &Explicit,
        action: &str,
        note: Option<&str>,
    ) -> Result<Option<i64>> {
        let project = &bundle.project;
        let sealed = self.sealed_config(project.id, next)?;
        let (old, new) = (masked(&before.to_map()), masked(&next.to_map()));
        let changed = changed_names(&before.to_map(), &next.to_map());
        let only = |values: &Map<String, Value>| -> Option<Value> {
            let kept = changed.iter().map(|name| (name.clone(), values.get(name).cloned().unwrap_or_default()));
            Some(kept.collect::<Map<_, _>>().into())
        };
        let control = self.noting(action, Some(project), only(&old), only(&new));
        let by = Some(self.operator.name.as_str());
        match control.configs().append(project.id, bundle.config.version, &sealed, by, note, self.now()).await {
            Ok(version) => {
                self.announce(project.id).await;
                Ok(Some(version))
            }
            Err(StoreError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn sealed_config(&self, project: ProjectId, explicit: &Explicit) -> Result<Map<String, Value>> {
        source::seal_config(&self.master_key, project, explicit, &*self.entropy).map_err(Into::into)
    }

    pub(super) fn open_config(&self, bundle: &Bundle) -> Result<Explicit> {
        source::open_config(&self.master_key, bundle).map_err(Into::into)
    }

    pub(super) fn shown(&self, project: &ProjectRef, explicit: &Explicit) -> Map<String, Value> {
        let mut values = config::effective(explicit, &self.defaults);
        for field in config::FIELDS.iter().filter(|field| field.secret) {
            if let Some(value) = values.get_mut(field.name)
                && let Some(text) = value.as_str()
            {
                // An empty one is none, also where an older version stored it.
                *value = match text {
                    "" => Value::Null,
                    text => json!(crypto::digest::secret_fingerprint(project.as_str(), &Secret::new(text.to_owned()))),
                };
            }
        }
        values
    }
}

/// What stands after `patch`, in which a fingerprint that is sent back means "unchanged".
pub(super) fn patched(project: &ProjectRef, explicit: &Explicit, patch: &Map<String, Value>) -> Result<Explicit> {
    let mut patch = patch.clone();
    for field in config::FIELDS.iter().filter(|field| field.secret) {
        let stored = explicit.get(field.name).and_then(Value::as_str).map(|text| Secret::new(text.to_owned()));
        let fingerprint = stored.map(|secret| crypto::digest::secret_fingerprint(project.as_str(), &secret));
        if fingerprint.is_some() && patch.get(field.name).and_then(Value::as_str) == fingerprint.as_deref() {
            patch.remove(field.name);
        }
    }
    config::validate_patch(explicit, &patch).map_err(problems)
}

/// All problems in one line each, for the operator.
pub(super) fn problems(problems: Vec<Problem>) -> Error {
    Error::Invalid(config::describe(&problems))
}

/// The values with their secrets left out.
pub(super) fn masked(values: &Map<String, Value>) -> Map<String, Value> {
    let shown = |(name, value): (&String, &Value)| {
        let secret = config::field(name).is_none_or(|field| field.secret);
        (name.clone(), if secret && !value.is_null() { json!(MASKED) } else { value.clone() })
    };
    values.iter().map(shown).collect()
}

fn changed_names(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let differs = |name: &&String| before.get(*name) != after.get(*name);
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    after.keys().filter(differs).chain(gone).cloned().collect()
}

/// Refuses a reason that is too long to be one.
pub(super) fn check_note(note: Option<&str>) -> Result<()> {
    match note {
        Some(text) if text.chars().count() > LONGEST_NOTE => {
            Err(Error::Invalid(format!("note must have at most {LONGEST_NOTE} characters")))
        }
        _ => Ok(()),
    }
}
