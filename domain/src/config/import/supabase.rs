//! From Supabase's `config.toml`. What is switched off there is applied as switched off, without its other settings, as Supabase's
//! own tools do it; keys that a file leaves out are left as they are.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::{Map, Value};

use super::reading::Form;
use super::supabase_keys::{FIELDS, NOT_FIELDS, NOTIFICATIONS, SMS_PROVIDERS, TEMPLATES};
use super::{Imported, TextFile, Why};
use crate::config::field::Field;
use crate::config::fields::field;
use crate::time::Timestamp;

/// Codes for tests are accepted this long: the file has no end for them.
const TEST_CODES_LIVE: TimeDelta = TimeDelta::days(3652);

/// Which block of `[remotes]` is laid over the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote<'a> {
    /// That of this name.
    Named(&'a str),
    /// The one for the project with this ref, where there is one.
    Of(&'a str),
}

/// The patch that the file stands for. `env` resolves `env(NAME)`.
pub fn from_config_toml(
    document: &Map<String, Value>,
    remote: Remote<'_>,
    env: &dyn Fn(&str) -> Option<String>,
    now: Timestamp,
) -> Imported {
    let mut imported = Imported::default();
    let mut document = document.clone();
    lay_over(&mut imported, &mut document, remote);
    tell_others(&mut imported, &document);
    let Some(Value::Object(auth)) = document.get("auth") else {
        imported.problem("auth", "the file has no [auth] section");
        return imported;
    };
    let mut leaves = BTreeMap::new();
    flatten("", auth, &mut leaves);
    let mut section = Section { imported, leaves, env };
    section.take_all();
    section.add_what_follows(now);
    section.imported
}

/// Lays the chosen block over the rest, table by table.
fn lay_over(imported: &mut Imported, document: &mut Map<String, Value>, remote: Remote<'_>) {
    let remotes = match document.remove("remotes") {
        Some(Value::Object(remotes)) => remotes,
        _ => Map::new(),
    };
    let is_of = |block: &Value, reference: &str| block.get("project_id").and_then(Value::as_str) == Some(reference);
    let chosen: Vec<(&String, &Value)> = match remote {
        Remote::Named(name) => remotes.iter().filter(|(block, _)| *block == name).collect(),
        Remote::Of(reference) => remotes.iter().filter(|(_, block)| is_of(block, reference)).collect(),
    };
    match (chosen.as_slice(), remote) {
        ([(_, Value::Object(block))], _) => merge(document, block),
        ([], Remote::Of(_)) => {}
        ([], Remote::Named(name)) => imported.problem(&format!("remotes.{name}"), "there is no such block"),
        ([(name, _)], _) => imported.problem(&format!("remotes.{name}"), "must be a table"),
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            imported.problem("remotes", format!("{} are for the same project: choose one", names.join(" and ")));
        }
    }
}

fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

fn tell_others(imported: &mut Imported, document: &Map<String, Value>) {
    for key in document.keys().filter(|key| !matches!(key.as_str(), "auth" | "project_id")) {
        imported.note(key, Why::Unsupported, "it is not about auth");
    }
}

fn flatten(prefix: &str, table: &Map<String, Value>, leaves: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(inner) if path != "sms.test_otp" => flatten(&path, inner, leaves),
            _ => {
                leaves.insert(path, value.clone());
            }
        }
    }
}

/// `[auth]`, its keys by their path.
struct Section<'a> {
    imported: Imported,
    leaves: BTreeMap<String, Value>,
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl Section<'_> {
    fn take_all(&mut self) {
        if self.switch("enabled", true) == Some(false) {
            self.imported.note("auth.enabled", Why::Off, "the section is switched off: nothing of it is applied");
            self.leaves.clear();
            return;
        }
        let paths: Vec<String> = self.leaves.keys().cloned().collect();
        let mut told = Vec::new();
        for path in paths {
            if let Some(off) = self.switched_off(&path) {
                if !told.contains(&off) {
                    let on = self.switch(&format!("{off}.enabled"), false) == Some(true);
                    let text = if on {
                        "of several that are on the first counts"
                    } else {
                        "it is switched off: only that is applied"
                    };
                    self.imported.note(format!("auth.{off}"), Why::Off, text);
                    told.push(off);
                }
                continue;
            }
            self.take(&path);
        }
    }

    /// The part that is switched off and that `path`, unless it is the switch itself, belongs to.
    fn switched_off(&self, path: &str) -> Option<String> {
        let (part, key) = path.rsplit_once('.')?;
        let words: Vec<&str> = part.split('.').collect();
        let default = match words.as_slice() {
            ["external", _] | ["hook", _] | ["email", "notification", _] | ["captcha"] => false,
            ["sms", provider] if SMS_PROVIDERS.contains(provider) => {
                return (key != "enabled" && self.sms_provider() != Some(*provider)).then(|| part.to_owned());
            }
            ["email", "smtp"] => true,
            _ => return None,
        };
        let off = key != "enabled" && self.switch(&format!("{part}.enabled"), default) == Some(false);
        off.then(|| part.to_owned())
    }

    /// Whether a switch is on; `None` where it cannot be read.
    fn switch(&self, path: &str, default: bool) -> Option<bool> {
        match self.leaves.get(path) {
            None => Some(default),
            Some(Value::Bool(on)) => Some(*on),
            Some(Value::String(text)) => match self.resolved(text).ok()?.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            Some(_) => None,
        }
    }

    fn sms_provider(&self) -> Option<&'static str> {
        SMS_PROVIDERS.into_iter().find(|name| self.switch(&format!("sms.{name}.enabled"), false) == Some(true))
    }

    /// The text with `env(NAME)` replaced; the name where it is set nowhere.
    fn resolved(&self, text: &str) -> Result<String, String> {
        match text.trim().strip_prefix("env(").and_then(|rest| rest.strip_suffix(')')) {
            Some(name) => (self.env)(name.trim()).ok_or_else(|| name.trim().to_owned()),
            None => Ok(text.to_owned()),
        }
    }

    fn resolve(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::from(self.resolved(text)?),
            Value::Array(parts) => Value::Array(parts.iter().map(|part| self.resolve(part)).collect::<Result<_, _>>()?),
            Value::Object(members) => {
                let member = |(key, value): (&String, &Value)| Ok((key.clone(), self.resolve(value)?));
                Value::Object(members.iter().map(member).collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    fn take(&mut self, path: &str) {
        let key = format!("auth.{path}");
        let Some(value) = self.leaves.get(path) else { return };
        let value = match self.resolve(value) {
            Ok(value) => value,
            Err(name) => {
                let text = format!(
                    "{name} is set neither in the environment nor in the file of variables; the field stays as it is"
                );
                return self.imported.note(key, Why::Unresolved, text);
            }
        };
        if let Some((_, name, form)) = FIELDS.iter().find(|(known, ..)| *known == path) {
            return self.imported.take(&key, name, *form, &value);
        }
        if let Some((_, why, text)) = NOT_FIELDS.iter().find(|(pattern, ..)| fits(pattern, path)) {
            if !text.is_empty() {
                self.imported.note(key, *why, *text);
            } else if self.switch(path, true).is_none() {
                self.imported.problem(&key, "must be true or false");
            }
            return;
        }
        self.take_one_of_many(&key, path, &value);
    }

    /// Settings that many things have: providers, hooks, mails.
    fn take_one_of_many(&mut self, key: &str, path: &str, value: &Value) {
        let words: Vec<&str> = path.split('.').collect();
        match words.as_slice() {
            ["external", provider, setting] => self.take_provider(key, provider, setting, value),
            ["hook", hook, setting @ ("enabled" | "uri" | "secrets")] => {
                self.take_named(key, &format!("hook_{hook}_{setting}"), value);
            }
            ["sms", provider, "enabled"] if SMS_PROVIDERS.contains(provider) => {
                if self.switch(path, false).is_none() {
                    self.imported.problem(key, "must be true or false");
                }
            }
            ["sms", provider, setting] if SMS_PROVIDERS.contains(provider) => {
                self.take_named(key, &format!("sms_{provider}_{setting}"), value);
            }
            ["email", "template", mail, setting] if TEMPLATES.contains(mail) => {
                self.take_text(key, mail, setting, value)
            }
            ["email", "notification", mail, "enabled"] if NOTIFICATIONS.contains(mail) => {
                self.take_named(key, &format!("mailer_notifications_{mail}_enabled"), value);
            }
            ["email", "notification", mail, setting] if NOTIFICATIONS.contains(mail) => {
                self.take_text(key, &format!("{mail}_notification"), setting, value);
            }
            _ => self.imported.note(key, Why::Unknown, "no tool of Supabase knows it"),
        }
    }

    fn take_provider(&mut self, key: &str, provider: &str, setting: &str, value: &Value) {
        match setting {
            "redirect_uri" if value.as_str() == Some("") => {}
            "redirect_uri" => {
                let text = "a provider's callback is always the project's /auth/v1/callback";
                self.imported.note(key, Why::Elsewhere, text);
            }
            "client_id" => match field(&format!("external_{provider}_client_id")) {
                Some(field) => self.imported.take(key, field.name, Form::ClientIds, value),
                None => self.imported.note(key, Why::Unknown, "there is no such provider"),
            },
            "enabled" | "secret" | "url" | "email_optional" | "skip_nonce_check" => {
                let name = format!("external_{provider}_{setting}");
                // Every block that the tools write has these, also where the provider does not: what says nothing is no news.
                let says_nothing = matches!(value.as_str(), Some("")) || value.as_bool() == Some(false);
                if field(&name).is_none() && says_nothing && field(&format!("external_{provider}_enabled")).is_some() {
                    return;
                }
                self.take_named(key, &name, value);
            }
            _ => self.imported.note(key, Why::Unknown, "no tool of Supabase knows it"),
        }
    }

    fn take_named(&mut self, key: &str, name: &str, value: &Value) {
        match field(name) {
            Some(field) => self.imported.take(key, field.name, Form::Plain, value),
            None => self.imported.note(key, Why::Unsupported, "there is no such setting"),
        }
    }

    fn take_text(&mut self, key: &str, mail: &str, setting: &str, value: &Value) {
        match (setting, value.as_str()) {
            ("subject", _) => self.take_named(key, &format!("mailer_subjects_{mail}"), value),
            ("content", _) => self.take_named(key, &format!("mailer_templates_{mail}_content"), value),
            ("content_path", Some("")) => {}
            ("content_path", Some(path)) => match field(&format!("mailer_templates_{mail}_content")) {
                Some(field) => {
                    self.imported.files.push(TextFile {
                        key: key.to_owned(),
                        field: field.name,
                        path: path.to_owned(),
                    });
                }
                None => self.imported.note(key, Why::Unsupported, "there is no such mail"),
            },
            ("content_path", None) => self.imported.problem(key, "must be the path of a file"),
            _ => self.imported.note(key, Why::Unknown, "no tool of Supabase knows it"),
        }
    }

    /// What the file says without a key of its own.
    fn add_what_follows(&mut self, now: Timestamp) {
        let has = |section: &Self, part: &str| section.leaves.keys().any(|path| path.starts_with(part));
        let smtp = has(self, "email.smtp.") && self.switch("email.smtp.enabled", true) != Some(false);
        if has(self, "email.smtp.") && !smtp {
            self.imported.patch.insert("smtp_host".to_owned(), Value::from(""));
        }
        if !smtp && self.imported.patch.remove("rate_limit_email_sent").is_some() {
            let text = "it counts only with [auth.email.smtp] switched on";
            self.imported.note("auth.rate_limit.email_sent", Why::Off, text);
        }
        if let Some(provider) = self.sms_provider() {
            self.imported.patch.insert("sms_provider".to_owned(), Value::from(provider));
        }
        if self.imported.patch.get("sms_test_otp").is_some_and(Value::is_string) {
            let end = now.plus(TEST_CODES_LIVE).to_wire();
            self.imported.patch.insert("sms_test_otp_valid_until".to_owned(), Value::from(end));
        }
        for part in self.parts_without_switch() {
            if let Some(field) = switch_of(&part) {
                self.imported.patch.insert(field.name.to_owned(), Value::Bool(false));
            }
        }
    }

    /// Parts that the file has without saying whether they are on: they are off.
    fn parts_without_switch(&self) -> Vec<String> {
        let parts = self.leaves.keys().filter_map(|path| Some(path.rsplit_once('.')?.0));
        let mut parts: Vec<String> = parts
            .filter(|part| switch_of(part).is_some() && !self.leaves.contains_key(&format!("{part}.enabled")))
            .map(str::to_owned)
            .collect();
        parts.dedup();
        parts
    }
}

/// The field that switches a part on.
fn switch_of(part: &str) -> Option<&'static Field> {
    let words: Vec<&str> = part.split('.').collect();
    match words.as_slice() {
        [kind @ ("external" | "hook"), name] => field(&format!("{kind}_{name}_enabled")),
        ["email", "notification", mail] => field(&format!("mailer_notifications_{mail}_enabled")),
        ["captcha"] => field("security_captcha_enabled"),
        _ => None,
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning),
        None => path == pattern,
    }
}

#[cfg(test)]
mod tests;
