//! The explicitly set values of a project, and the value every field has in the end.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::field::Field;
use crate::config::fields::FIELDS;
use crate::project::Profile;

/// What a project's operator has set himself. Everything else comes from the profile and the process.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Explicit(BTreeMap<String, Value>);

impl Explicit {
    /// The value that was set, if any. `null` never is.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The text that was set, `None` where it is empty or no text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Sets a value without looking at it; `null` unsets it. Values from outside go through `validate_patch`.
    pub fn set(&mut self, name: &str, value: Value) {
        if value.is_null() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// Returns a field to its default, also one that takes no `null`.
    pub fn unset(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Values as they were stored.
    pub fn from_map(values: Map<String, Value>) -> Self {
        Self(values.into_iter().filter(|(_, value)| !value.is_null()).collect())
    }

    /// Every value that was set, for storing. Secrets are in clear.
    pub fn to_map(&self) -> Map<String, Value> {
        self.0.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Every value that was set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The security profile these values choose.
    pub fn profile(&self) -> Profile {
        if self.text("security_profile") == Some("shield") { Profile::Shield } else { Profile::Compat }
    }

    /// Whether the bounds of the shield profile are enforced.
    pub fn enforces_locks(&self) -> bool {
        self.profile() == Profile::Shield && self.text("security_profile_mode") != Some("advise")
    }
}

/// Values may be secrets: only the names are shown.
impl fmt::Debug for Explicit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Defaults of the process for fields that a project leaves unset.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// `ACCESS_TOKEN_LIFETIME`, seconds.
    pub jwt_exp: i64,
    /// `SITE_URL`.
    pub site_url: String,
    /// `AUTH_AUTO_CONFIRM`.
    pub mailer_autoconfirm: bool,
}

/// The value `field` has when it is not set.
pub(crate) fn default_value(field: &Field, explicit: &Explicit, defaults: &Defaults) -> Value {
    let shield = explicit.profile() == Profile::Shield;
    match field.name {
        "site_url" => Value::from(defaults.site_url.as_str()),
        "jwt_exp" if shield => Value::from(defaults.jwt_exp.min(3600)),
        "jwt_exp" => Value::from(defaults.jwt_exp),
        "mailer_autoconfirm" if !shield => Value::from(defaults.mailer_autoconfirm),
        // A shield project asks for a captcha as soon as it can check one.
        "security_captcha_enabled" if shield => Value::from(explicit.text("security_captcha_secret").is_some()),
        _ if shield => field.shield.to_json(),
        _ => field.compat.to_json(),
    }
}

/// Every field with the value in force. Secrets are in clear: whoever shows the map replaces them (`Field::secret`).
pub fn effective(explicit: &Explicit, defaults: &Defaults) -> Map<String, Value> {
    let value =
        |field: &Field| explicit.get(field.name).cloned().unwrap_or_else(|| default_value(field, explicit, defaults));
    FIELDS.iter().map(|field| (field.name.to_owned(), value(field))).collect()
}
