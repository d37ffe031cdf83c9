//! Files as Supabase's tools write them.

use serde_json::json;

use super::*;
use crate::config::fields::FIELDS as ALL;

fn import_with(auth: Value, env: &[(&str, &str)]) -> Imported {
    let env: BTreeMap<&str, &str> = env.iter().copied().collect();
    let Value::Object(document) = json!({ "auth": auth }) else { unreachable!() };
    let look_up = |name: &str| env.get(name).map(|text| (*text).to_owned());
    from_config_toml(&document, Remote::Of("acme"), &look_up, Timestamp::from_unix(0))
}

fn import(auth: Value) -> Imported {
    import_with(auth, &[])
}

fn why(imported: &Imported, key: &str) -> Option<Why> {
    imported.notes.iter().find(|note| note.key == key).map(|note| note.why)
}

#[test]
fn keys_of_the_file_are_fields() {
    let imported = import(json!({
        "enabled": true,
        "site_url": "http://127.0.0.1:3000",
        "additional_redirect_urls": ["https://127.0.0.1:3000"],
        "jwt_expiry": 3600,
        "enable_signup": true,
        "minimum_password_length": 6,
        "password_requirements": "",
        "rate_limit": { "sign_in_sign_ups": 30, "token_verifications": 31 },
        "sessions": { "timebox": "24h", "inactivity_timeout": "90m" },
        "email": { "enable_signup": true, "enable_confirmations": false, "max_frequency": "1s", "otp_length": 6 },
        "sms": { "enable_confirmations": false, "test_otp": { "4152127777": "123456" } },
        "mfa": { "totp": { "enroll_enabled": false }, "phone": { "max_frequency": "5s" } },
        "web3": { "solana": { "enabled": true } },
        "webauthn": { "rp_origins": ["https://a.co", "https://b.co"] },
        "oauth_server": { "authorization_url_path": "/oauth/consent" },
    }));
    assert_eq!(
        Value::Object(imported.patch.clone()),
        json!({
            "site_url": "http://127.0.0.1:3000",
            "uri_allow_list": "https://127.0.0.1:3000",
            "jwt_exp": 3600,
            "disable_signup": false,
            "password_min_length": 6,
            "password_required_characters": "",
            "rate_limit_otp": 30,
            "rate_limit_verify": 31,
            "sessions_timebox": 24,
            "sessions_inactivity_timeout": 1.5,
            "external_email_enabled": true,
            "mailer_autoconfirm": true,
            "smtp_max_frequency": 1,
            "mailer_otp_length": 6,
            "sms_autoconfirm": false,
            "sms_test_otp": "4152127777=123456",
            "sms_test_otp_valid_until": "1980-01-01T00:00:00Z",
            "mfa_totp_enroll_enabled": false,
            "mfa_phone_max_frequency": 5,
            "external_web3_solana_enabled": true,
            "webauthn_rp_origins": "https://a.co,https://b.co",
            "oauth_server_authorization_path": "/oauth/consent",
        })
    );
    assert!(imported.notes.is_empty() && imported.problems.is_empty(), "{:?}", imported.notes);
}

#[test]
fn what_is_switched_off_is_only_switched_off() {
    let imported = import(json!({
        "captcha": { "enabled": false, "provider": "hcaptcha", "secret": "env(CAPTCHA)" },
        "external": {
            "apple": { "enabled": false, "client_id": "", "secret": "env(APPLE)", "redirect_uri": "", "url": "" },
            "google": { "enabled": true, "client_id": "web,ios", "secret": "env(GOOGLE)", "skip_nonce_check": true },
            "workos": { "enabled": true, "url": "https://workos.example.com", "email_optional": false },
            "github": { "client_id": "x" },
        },
        "hook": { "send_email": { "enabled": false, "uri": "https://a.co" }, "send_sms": { "enabled": true, "uri": "https://b.co" } },
        "sms": {
            "twilio": { "enabled": false, "account_sid": "a", "auth_token": "env(TWILIO)" },
            "vonage": { "enabled": true, "from": "Acme", "api_key": "k", "api_secret": "s" },
        },
        "email": {
            "smtp": { "enabled": false, "host": "smtp.example.com", "port": 587 },
            "notification": { "password_changed": { "enabled": false, "subject": "x" } },
        },
        "rate_limit": { "email_sent": 2 },
    }));
    assert_eq!(
        Value::Object(imported.patch.clone()),
        json!({
            "security_captcha_enabled": false,
            "external_apple_enabled": false,
            "external_google_enabled": true,
            "external_google_client_id": "web",
            "external_google_additional_client_ids": "ios",
            "external_google_skip_nonce_check": true,
            "external_workos_enabled": true,
            "external_workos_url": "https://workos.example.com",
            "external_workos_email_optional": false,
            "external_github_enabled": false,
            "hook_send_email_enabled": false,
            "hook_send_sms_enabled": true,
            "hook_send_sms_uri": "https://b.co",
            "sms_provider": "vonage",
            "sms_vonage_from": "Acme",
            "sms_vonage_api_key": "k",
            "sms_vonage_api_secret": "s",
            "smtp_host": "",
            "mailer_notifications_password_changed_enabled": false,
        })
    );
    for key in [
        "auth.captcha",
        "auth.external.apple",
        "auth.external.github",
        "auth.hook.send_email",
        "auth.sms.twilio",
        "auth.email.smtp",
        "auth.rate_limit.email_sent",
    ] {
        assert_eq!(why(&imported, key), Some(Why::Off), "{key}");
    }
    assert_eq!(why(&imported, "auth.external.google.secret"), Some(Why::Unresolved));
}

#[test]
fn variables_are_looked_up_and_what_is_set_nowhere_stays_as_it_is() {
    let auth = json!({
        "site_url": "env(SITE)",
        "additional_redirect_urls": ["https://a.co", "env(SITE)"],
        "jwt_expiry": "env(LIFETIME)",
        "email": { "smtp": { "enabled": "env(MAIL)", "host": "smtp.example.com", "port": 2525, "pass": "env(MAIL_PASS)" } },
        "rate_limit": { "email_sent": 5 },
    });
    let imported = import_with(auth, &[("SITE", "https://b.co"), ("LIFETIME", "600"), ("MAIL", "true")]);
    assert_eq!(
        Value::Object(imported.patch.clone()),
        json!({
            "site_url": "https://b.co",
            "uri_allow_list": "https://a.co,https://b.co",
            "jwt_exp": 600,
            "smtp_host": "smtp.example.com",
            "smtp_port": "2525",
            "rate_limit_email_sent": 5,
        })
    );
    assert_eq!(why(&imported, "auth.email.smtp.pass"), Some(Why::Unresolved));
    assert!(imported.notes[0].text.contains("MAIL_PASS"));
}

#[test]
fn unknown_keys_and_keys_without_counterpart_are_told() {
    let imported = import(json!({
        "jwt_secret": "hunter2hunter2",
        "signing_keys_path": "./keys.json",
        "nonsense": 1,
        "email": { "nonsense": 1, "template": { "nonsense": { "subject": "x" } } },
        "external": { "google": { "enabled": true, "nonsense": 1 }, "acme": { "enabled": true } },
        "hook": { "nonsense": { "enabled": true, "uri": "https://a.co" } },
        "third_party": { "firebase": { "enabled": true, "project_id": "x" } },
        "mfa": { "web_authn": { "nonsense": true } },
    }));
    for (key, expected) in [
        ("auth.jwt_secret", Why::Elsewhere),
        ("auth.signing_keys_path", Why::Elsewhere),
        ("auth.nonsense", Why::Unknown),
        ("auth.email.nonsense", Why::Unknown),
        ("auth.email.template.nonsense.subject", Why::Unknown),
        ("auth.external.google.nonsense", Why::Unknown),
        ("auth.external.acme.enabled", Why::Unsupported),
        ("auth.hook.nonsense.uri", Why::Unsupported),
        ("auth.third_party.firebase.enabled", Why::Elsewhere),
        ("auth.mfa.web_authn.nonsense", Why::Unknown),
    ] {
        assert_eq!(why(&imported, key), Some(expected), "{key}");
    }
    assert_eq!(Value::Object(imported.patch.clone()), json!({ "external_google_enabled": true }));
    assert!(imported.notes.iter().all(|note| !note.text.contains("hunter2")));
}

#[test]
fn texts_in_files_are_named() {
    let imported = import(json!({ "email": {
        "template": { "invite": { "subject": "Come", "content_path": "./supabase/templates/invite.html" } },
        "notification": { "email_changed": { "enabled": true, "subject": "Moved", "content_path": "./moved.html" } },
    }}));
    let files: Vec<(&str, &str)> = imported.files.iter().map(|file| (file.field, file.path.as_str())).collect();
    let expected = [
        ("mailer_templates_email_changed_notification_content", "./moved.html"),
        ("mailer_templates_invite_content", "./supabase/templates/invite.html"),
    ];
    assert_eq!(files, expected);
    assert_eq!(imported.patch["mailer_subjects_invite"], "Come");
    assert_eq!(imported.patch["mailer_subjects_email_changed_notification"], "Moved");
}

#[test]
fn a_block_for_the_project_is_laid_over_the_rest() {
    let Value::Object(document) = json!({
        "project_id": "base",
        "api": { "enabled": true },
        "auth": { "site_url": "https://base.example.com", "email": { "otp_length": 6, "otp_expiry": 600 } },
        "remotes": {
            "staging": { "project_id": "acme", "auth": { "site_url": "https://s.example.com", "email": { "otp_length": 8 } } },
            "twin": { "project_id": "twin", "auth": {} },
            "brother": { "project_id": "twin" },
        },
    }) else {
        unreachable!()
    };
    let import = |remote| from_config_toml(&document, remote, &|_| None, Timestamp::from_unix(0));
    for remote in [Remote::Of("acme"), Remote::Named("staging")] {
        let imported = import(remote);
        let expected = json!({ "site_url": "https://s.example.com", "mailer_otp_length": 8, "mailer_otp_exp": 600 });
        assert_eq!(Value::Object(imported.patch.clone()), expected);
        assert_eq!(why(&imported, "api"), Some(Why::Unsupported));
    }
    assert_eq!(import(Remote::Of("other")).patch["site_url"], "https://base.example.com");
    for (remote, key) in [(Remote::Named("none"), "remotes.none"), (Remote::Of("twin"), "remotes")] {
        assert_eq!(import(remote).problems[0].key, key);
    }
}

#[test]
fn what_is_off_or_missing_as_a_whole_changes_nothing() {
    let off =
        import(json!({ "enabled": false, "site_url": "https://a.co", "email": { "smtp": { "enabled": false } } }));
    assert!(off.patch.is_empty() && why(&off, "auth.enabled") == Some(Why::Off));
    let Value::Object(document) = json!({ "db": {} }) else { unreachable!() };
    let none = from_config_toml(&document, Remote::Of("acme"), &|_| None, Timestamp::from_unix(0));
    assert_eq!(none.problems[0].key, "auth");
}

#[test]
fn what_cannot_be_read_is_a_problem() {
    let imported = import(json!({
        "jwt_expiry": "an hour",
        "sessions": { "timebox": 24 },
        "sms": { "twilio": { "enabled": "maybe" } },
        "password_requirements": "strong",
        "email": { "smtp": { "enabled": 1 } },
    }));
    let keys: Vec<&str> = imported.problems.iter().map(|problem| problem.key.as_str()).collect();
    let expected = [
        "auth.email.smtp.enabled",
        "auth.jwt_expiry",
        "auth.password_requirements",
        "auth.sessions.timebox",
        "auth.sms.twilio.enabled",
    ];
    assert_eq!(keys, expected);
}

/// The fields that Supabase's tools can set are all of the contract's but those that only its dashboard knows.
#[test]
fn every_key_of_the_file_reaches_its_field() {
    for (key, name, _) in FIELDS {
        assert!(field(name).is_some(), "{key} sets no field");
    }
    let mut reached: Vec<&str> = FIELDS.iter().map(|(_, name, _)| *name).collect();
    reached.extend(["sms_provider", "sms_test_otp_valid_until"]);
    let of_many = |name: &str| {
        ["external_", "hook_", "sms_", "mailer_subjects_", "mailer_templates_", "mailer_notifications_"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    let unreached: Vec<&str> = ALL
        .iter()
        .filter(|field| !field.ours && !of_many(field.name) && !reached.contains(&field.name))
        .map(|field| field.name)
        .collect();
    let only_the_dashboard = [
        "api_max_request_duration",
        "audit_log_disable_postgres",
        "custom_oauth_enabled",
        "custom_oauth_max_providers",
        "db_max_pool_size",
        "db_max_pool_size_unit",
        "index_worker_ensure_user_search_indexes_exist",
        "mailer_allow_unverified_email_sign_ins",
        "mfa_allow_low_aal",
        "nimbus_oauth_client_id",
        "nimbus_oauth_client_secret",
        "nimbus_oauth_email_optional",
        "password_hibp_enabled",
        "saml_allow_encrypted_assertions",
        "saml_enabled",
        "saml_external_url",
        "security_sb_forwarded_for_enabled",
        "security_update_password_require_current_password",
        "sessions_single_per_user",
        "sessions_tags",
    ];
    assert_eq!(unreached, only_the_dashboard);
}
