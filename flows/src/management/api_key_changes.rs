//! Changing an API key, and putting another in its place.

use crypto::api_key::Kind;
use domain::ids::ProjectRef;
use serde_json::Value;
use storage::StoreError;
use storage::control::ApiKey;
use uuid::Uuid;

use super::api_keys::{check_description, check_name, check_template, kind, logged};
use super::{ApiKeyView, Error, Management, Result};

/// How long a replaced key goes on when nothing is said, in seconds: a day.
const GRACE: u32 = 24 * 3600;

/// The longest it can go on, in seconds: ninety days.
const LONGEST_GRACE: u32 = 90 * 24 * 3600;

/// What changes of a key; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct PatchApiKey {
    /// Another name.
    pub name: Option<String>,
    /// Another description, or none.
    pub description: Option<Option<String>>,
    /// Other claims, or those of `service_role`.
    pub secret_jwt_template: Option<Option<Value>>,
}

/// A key and the one whose place it took.
#[derive(Clone, Debug)]
pub struct RotatedApiKey {
    /// The new key, in clear.
    pub new: ApiKeyView,
    /// The old one, masked; `expires_at` says until when it is accepted.
    pub old: ApiKeyView,
}

impl Management {
    /// Names and describes a key, or gives it other claims.
    pub async fn patch_api_key(
        &self,
        project: &ProjectRef,
        key: Uuid,
        patch: PatchApiKey,
        reveal: bool,
    ) -> Result<ApiKeyView> {
        let bundle = self.changeable(project).await?;
        let old = self.living_key(&bundle, key)?;
        let new = patched(old, patch)?;
        let control = self.noting("api_key.changed", Some(&bundle.project), Some(logged(old)), Some(logged(&new)));
        let (id, now) = (bundle.project.id, self.now());
        let (description, template) = (new.description.as_deref(), new.secret_jwt_template.as_ref());
        let updated = control.api_keys().update(id, key, &new.name, description, template, now).await;
        if !updated.map_err(|error| name_taken(error, &new))? {
            return Err(Error::NotFound);
        }
        self.announce(id).await;
        self.key_view(id, &ApiKey { updated_at: now, ..new }, reveal)
    }

    /// Makes a key of the same kind, name and claims, which takes the place of the old one. That goes on for `grace_seconds`
    /// (`None` = a day, 0 = not at all), under another name, and then ends by itself.
    pub async fn rotate_api_key(
        &self,
        project: &ProjectRef,
        key: Uuid,
        grace_seconds: Option<u32>,
    ) -> Result<RotatedApiKey> {
        let grace = grace_seconds.unwrap_or(GRACE);
        if grace > LONGEST_GRACE {
            return Err(Error::Invalid(format!("grace_seconds must be at most {LONGEST_GRACE}")));
        }
        let bundle = self.changeable(project).await?;
        let (id, now) = (bundle.project.id, self.now());
        let old = self.living_key(&bundle, key)?;
        if old.expires_at.is_some() {
            return Err(Error::Invalid("another key has taken the place of this one already".to_owned()));
        }
        let (new, _) = self.new_api_key(id, kind(old), beside(old, "next"), old.description.clone(), now);
        let new = ApiKey { secret_jwt_template: old.secret_jwt_template.clone(), ..new };
        let expires_at = now.plus_seconds(i64::from(grace));
        let name = beside(old, "until");
        let retired = ApiKey { name, expires_at: Some(expires_at), updated_at: now, ..old.clone() };
        // The new key is there before the old one ends, whatever happens between.
        self.insert_key(&bundle.project, "api_key.created", &new).await?;
        let control = self.noting("api_key.retired", Some(&bundle.project), Some(logged(old)), Some(logged(&retired)));
        if !control.api_keys().retire(id, key, &retired.name, expires_at, now).await? {
            self.control.api_keys().delete(id, new.id, now).await?;
            return Err(Error::Conflict("the key was changed meanwhile".to_owned()));
        }
        let named = ApiKey { name: old.name.clone(), ..new.clone() };
        let (description, template) = (named.description.as_deref(), named.secret_jwt_template.as_ref());
        let control = self.noting("api_key.changed", Some(&bundle.project), Some(logged(&new)), Some(logged(&named)));
        let renamed = control.api_keys().update(id, named.id, &named.name, description, template, now).await;
        renamed.map_err(|error| name_taken(error, &named))?;
        self.announce_route(&bundle.project).await;
        Ok(RotatedApiKey { new: self.key_view(id, &named, true)?, old: self.key_view(id, &retired, false)? })
    }
}

fn patched(old: &ApiKey, patch: PatchApiKey) -> Result<ApiKey> {
    let mut new = old.clone();
    if let Some(name) = patch.name {
        check_name(&name)?;
        new.name = name;
    }
    if let Some(description) = patch.description {
        check_description(description.as_deref())?;
        new.description = description;
    }
    if let Some(template) = patch.secret_jwt_template {
        let of_kind = kind(old);
        check_template(of_kind, template.as_ref())?;
        let default = (of_kind == Kind::Secret).then(|| serde_json::json!({ "role": "service_role" }));
        new.secret_jwt_template = template.or(default);
    }
    Ok(new)
}

/// A name for a key beside the one that has the name.
fn beside(key: &ApiKey, what: &str) -> String {
    let (id, ..) = key.id.as_fields();
    let kept: String = key.name.chars().take(46).collect();
    format!("{kept}_{what}_{id:08x}")
}

fn name_taken(error: StoreError, key: &ApiKey) -> Error {
    match error {
        StoreError::Conflict => Error::Conflict(format!("there is a {} key named {} already", key.kind, key.name)),
        other => other.into(),
    }
}
