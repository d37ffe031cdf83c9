//! From the environment of a GoTrue server. Names have the prefix `GOTRUE_`, or none as in the file of Supabase's docker stack.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::gotrue_names::{DEFAULTS, DOCKER, FIELDS, NOT_FIELDS, WITHOUT_VARIABLE};
use super::reading::Form;
use super::{Imported, Why};
use crate::config::field::Field;
use crate::config::fields::field;

const PREFIX: &str = "GOTRUE_";

/// What a variable is.
enum Meaning {
    /// It sets a field.
    Sets(&'static Field, Form),
    /// It names the address of a template.
    Template(&'static Field),
    /// Something else that is known.
    Told(Why, &'static str),
    /// Nothing that is known.
    Unknown,
}

/// The patch that `variables` stand for. A name with the prefix wins over the same without it.
pub fn from_environment(variables: &BTreeMap<String, String>) -> Imported {
    let mut imported = Imported::default();
    let prefixed: BTreeSet<&str> = variables.keys().filter_map(|key| key.strip_prefix(PREFIX)).collect();
    let mut set: BTreeSet<&'static str> = BTreeSet::new();
    // Names without the prefix come first, so that what has it is written over them.
    let (with, without): (Vec<_>, Vec<_>) = variables.iter().partition(|(key, _)| key.starts_with(PREFIX));
    for (key, text) in without.into_iter().chain(with) {
        let name = key.strip_prefix(PREFIX).unwrap_or(key);
        if name == key && prefixed.contains(name) {
            imported.note(key, Why::Off, format!("{PREFIX}{name} is set as well and counts"));
            continue;
        }
        match meaning(name) {
            Meaning::Sets(field, form) => {
                set.insert(field.name);
                take(&mut imported, key, field, form, text);
            }
            Meaning::Template(field) => {
                let text = format!(
                    "the text itself is needed, not its address: `tenantry config set` takes it as {}",
                    field.name
                );
                imported.note(key, Why::Elsewhere, text);
            }
            Meaning::Told(why, text) => imported.note(key, why, text),
            Meaning::Unknown if name == key => imported.note(key, Why::Unknown, "it is no setting of an auth server"),
            Meaning::Unknown => imported.note(key, Why::Unknown, "no auth server knows it"),
        }
    }
    tell_defaults(&mut imported, &set, prefixed.is_empty());
    imported
}

fn take(imported: &mut Imported, key: &str, field: &'static Field, form: Form, text: &str) {
    if text.is_empty() && !field.nullable {
        return imported.note(key, Why::Off, "it is empty");
    }
    if text.is_empty() && field.name == "site_url" {
        return imported.note(key, Why::Off, "it is empty");
    }
    // Two variables say where identities are kept apart: what one says does not take away what the other said.
    let before = imported.patch.get(field.name).and_then(Value::as_str).map(str::to_owned);
    imported.take(key, field.name, form, &Value::from(text));
    if field.name == "external_linking_domains"
        && let (Some(before), Some(now)) = (before, imported.patch.get(field.name).and_then(Value::as_str))
    {
        let both = format!("{before},{now}");
        imported.patch.insert(field.name.to_owned(), Value::from(both));
    }
}

fn meaning(name: &str) -> Meaning {
    if let Some((_, target, form)) = FIELDS.iter().chain(DOCKER).find(|(variable, ..)| *variable == name)
        && let Some(field) = field(target)
    {
        return Meaning::Sets(field, *form);
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("mailer_templates_")
        && let Some(field) = field(&format!("{lower}_content"))
    {
        return Meaning::Template(field);
    }
    // Fields of the contract have the variable's name; of ours, those of providers do.
    if let Some(field) = field(&lower)
        && lower.to_ascii_uppercase() == name
        && !WITHOUT_VARIABLE.contains(&field.name)
        && !is_template(field)
        && (!field.ours || is_of_a_provider(&lower))
    {
        return Meaning::Sets(field, Form::Plain);
    }
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    };
    if let Some((_, why, text)) = NOT_FIELDS.iter().find(|(pattern, ..)| fits(pattern)) {
        return Meaning::Told(*why, text);
    }
    if lower.starts_with("external_") && lower.ends_with("_redirect_uri") {
        return Meaning::Told(Why::Elsewhere, "a provider's callback is always the project's /auth/v1/callback");
    }
    if lower.starts_with("external_") {
        return Meaning::Told(Why::Unsupported, "there is no such setting");
    }
    Meaning::Unknown
}

fn is_template(field: &Field) -> bool {
    field.name.starts_with("mailer_templates_")
}

/// The settings that each provider of the auth server has.
fn is_of_a_provider(name: &str) -> bool {
    let suffixes = ["_enabled", "_client_id", "_secret", "_url", "_email_optional", "_skip_nonce_check"];
    let named = name.strip_prefix("external_").is_some_and(|rest| !rest.starts_with("email_"));
    named && suffixes.iter().any(|suffix| name.ends_with(suffix))
}

/// Says of what is not set that it was something else there. A file without the prefix hands on only part of the settings.
fn tell_defaults(imported: &mut Imported, set: &BTreeSet<&'static str>, partial: bool) {
    if partial {
        return;
    }
    for (variable, name, theirs) in DEFAULTS {
        let Some(field) = field(name).filter(|field| !set.contains(field.name)) else { continue };
        let ours = field.compat.to_json();
        let text = format!("not set, which meant {theirs}; here {name} is {ours} unless it is set");
        imported.note(format!("{PREFIX}{variable}"), Why::Default, text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::fields::FIELDS as ALL;

    fn import(pairs: &[(&str, &str)]) -> Imported {
        from_environment(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn why(imported: &Imported, key: &str) -> Option<Why> {
        imported.notes.iter().find(|note| note.key == key).map(|note| note.why)
    }

    #[test]
    fn a_server_s_environment_is_a_patch() {
        let imported = import(&[
            ("GOTRUE_SITE_URL", "https://app.example.com"),
            ("GOTRUE_URI_ALLOW_LIST", "https://app.example.com/**"),
            ("GOTRUE_JWT_EXP", "900"),
            ("GOTRUE_DISABLE_SIGNUP", "true"),
            ("GOTRUE_MAILER_AUTOCONFIRM", "f"),
            ("GOTRUE_SMTP_PORT", "587"),
            ("GOTRUE_SMTP_MAX_FREQUENCY", "1m30s"),
            ("GOTRUE_SESSIONS_TIMEBOX", "720h"),
            ("GOTRUE_SMS_TEST_OTP", "15550000001:123456"),
            ("GOTRUE_RATE_LIMIT_EMAIL_SENT", "60"),
            ("GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED", "true"),
            ("GOTRUE_EXTERNAL_GOOGLE_ENABLED", "true"),
            ("GOTRUE_EXTERNAL_GOOGLE_CLIENT_ID", "web,ios"),
            ("GOTRUE_EXTERNAL_SNAPCHAT_SECRET", "s"),
            ("GOTRUE_HOOK_SEND_SMS_URI", "https://hooks.example.com/sms"),
            ("GOTRUE_EXPERIMENTAL_PROVIDERS_WITH_OWN_LINKING_DOMAIN", "apple"),
            ("GOTRUE_EXPERIMENTAL_PROVIDER_LINKING_DOMAINS", "keycloak=staff"),
            ("GOTRUE_SMTP_HOST", ""),
        ]);
        assert_eq!(
            Value::Object(imported.patch),
            json!({
                "site_url": "https://app.example.com",
                "uri_allow_list": "https://app.example.com/**",
                "jwt_exp": 900,
                "disable_signup": true,
                "mailer_autoconfirm": false,
                "smtp_port": "587",
                "smtp_max_frequency": 90,
                "sessions_timebox": 720,
                "sms_test_otp": "15550000001=123456",
                "rate_limit_email_sent": 60,
                "refresh_token_rotation_enabled": true,
                "external_google_enabled": true,
                "external_google_client_id": "web",
                "external_google_additional_client_ids": "ios",
                "external_snapchat_secret": "s",
                "hook_send_sms_uri": "https://hooks.example.com/sms",
                "external_linking_domains": "apple=apple,keycloak=staff",
                "smtp_host": "",
            })
        );
        assert!(imported.problems.is_empty());
    }

    #[test]
    fn names_without_the_prefix_count_where_none_has_it() {
        let imported = import(&[
            ("SITE_URL", "https://a.example.com"),
            ("GOTRUE_SITE_URL", "https://b.example.com"),
            ("ENABLE_EMAIL_AUTOCONFIRM", "true"),
            ("JWT_EXPIRY", "600"),
            ("JWT_EXP", "700"),
            ("GOTRUE_JWT_EXP", "800"),
            ("API_EXTERNAL_URL", "https://auth.example.com"),
            ("STUDIO_DEFAULT_PROJECT", "x"),
        ]);
        assert_eq!(imported.patch["site_url"], "https://b.example.com");
        assert_eq!((&imported.patch["mailer_autoconfirm"], &imported.patch["jwt_exp"]), (&json!(true), &json!(800)));
        assert_eq!(why(&imported, "SITE_URL"), Some(Why::Off));
        assert_eq!(why(&imported, "API_EXTERNAL_URL"), Some(Why::Elsewhere));
        assert_eq!(why(&imported, "STUDIO_DEFAULT_PROJECT"), Some(Why::Unknown));
    }

    #[test]
    fn what_is_not_taken_over_is_told_and_no_key_is_applied() {
        let keys = [
            ("GOTRUE_JWT_SECRET", Why::Elsewhere),
            ("GOTRUE_JWT_KEYS", Why::Elsewhere),
            ("JWT_SECRET", Why::Elsewhere),
            ("SERVICE_ROLE_KEY", Why::Elsewhere),
            ("GOTRUE_OPERATOR_TOKEN", Why::Elsewhere),
            ("GOTRUE_SAML_PRIVATE_KEY", Why::Elsewhere),
            ("GOTRUE_DB_DATABASE_URL", Why::Elsewhere),
            ("GOTRUE_JWT_AUD", Why::Unsupported),
            ("GOTRUE_RATE_LIMIT_SSO", Why::Unsupported),
            ("GOTRUE_RATE_LIMIT_HEADER", Why::Elsewhere),
            ("GOTRUE_EXTERNAL_GOOGLE_REDIRECT_URI", Why::Elsewhere),
            ("GOTRUE_EXTERNAL_IOS_BUNDLE_ID", Why::Unsupported),
            ("GOTRUE_MAILER_TEMPLATES_INVITE", Why::Elsewhere),
            ("GOTRUE_MFA_CHALLENGE_EXPIRY_DURATION", Why::Unsupported),
            ("GOTRUE_SECURITY_PROFILE", Why::Unsupported),
            ("GOTRUE_NONSENSE", Why::Unknown),
            ("Gotrue_Site_Url", Why::Unknown),
        ];
        let imported = import(&keys.map(|(key, _)| (key, "hunter2")));
        assert!(imported.patch.is_empty(), "{:?}", imported.patch.keys());
        for (key, expected) in keys {
            // Two names of one thing: the one with the prefix is told of.
            let expected = if key == "JWT_SECRET" { Why::Off } else { expected };
            assert_eq!(why(&imported, key), Some(expected), "{key}");
        }
        assert!(imported.notes.iter().all(|note| !note.text.contains("hunter2")));
    }

    #[test]
    fn what_cannot_be_read_is_a_problem_and_shows_no_secret() {
        let imported = import(&[
            ("GOTRUE_JWT_EXP", "an hour"),
            ("GOTRUE_DISABLE_SIGNUP", "yes"),
            ("GOTRUE_SMTP_MAX_FREQUENCY", "60"),
        ]);
        let keys: Vec<&str> = imported.problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["GOTRUE_DISABLE_SIGNUP", "GOTRUE_JWT_EXP", "GOTRUE_SMTP_MAX_FREQUENCY"]);
        assert!(imported.problems[1].to_string().contains("an hour"));
    }

    #[test]
    fn other_defaults_are_told() {
        let imported = import(&[("GOTRUE_MAILER_OTP_EXP", "3600")]);
        assert_eq!(why(&imported, "GOTRUE_MAILER_OTP_EXP"), None);
        assert_eq!(why(&imported, "GOTRUE_MAILER_OTP_LENGTH"), Some(Why::Default));
        assert_eq!(why(&import(&[("SITE_URL", "https://a.co")]), "GOTRUE_MAILER_OTP_LENGTH"), None);
        for (_, name, theirs) in DEFAULTS {
            assert_ne!(field(name).unwrap().compat.to_json().to_string(), *theirs, "{name} needs no word");
        }
    }

    #[test]
    fn every_field_of_the_contract_has_a_variable_but_for_five_and_templates() {
        let reached = |name: &str| {
            let other = FIELDS.iter().any(|(_, field, _)| *field == name);
            let additional = name.ends_with("_additional_client_ids");
            other
                || additional
                || matches!(meaning(&name.to_ascii_uppercase()), Meaning::Sets(field, _) if field.name == name)
        };
        let unreached: Vec<&str> = ALL
            .iter()
            .filter(|field| !field.ours && !is_template(field) && !reached(field.name))
            .map(|field| field.name)
            .collect();
        let expected = [
            "db_max_pool_size_unit",
            "mfa_allow_low_aal",
            "nimbus_oauth_client_id",
            "nimbus_oauth_client_secret",
            "nimbus_oauth_email_optional",
        ];
        assert_eq!(unreached, expected);
        for (variable, name, _) in FIELDS.iter().chain(DOCKER) {
            assert!(field(name).is_some(), "{variable} sets no field");
        }
        for field in ALL.iter().filter(|field| is_template(field)) {
            let variable = field.name.strip_suffix("_content").unwrap().to_ascii_uppercase();
            assert!(matches!(meaning(&variable), Meaning::Template(found) if found.name == field.name), "{variable}");
        }
    }
}
