//! What a PATCH of the configuration may do.

use domain::config::{Explicit, describe, effective, unknown_keys, validate_new, validate_patch, validate_rollback};
use serde_json::{Value, json};

use crate::support::{defaults, object, patched, refused};

#[test]
fn every_problem_is_told_at_once_with_field_bound_and_value() {
    let problems = refused(json!({
        "jwt_exp": 700_000,
        "mailer_otp_length": 5,
        "disable_signup": "yes",
        "sms_provider": "pigeon",
        "site_url": "https://a.example,https://b.example",
        "smtp_port": "0",
        "sessions_timebox": -1,
        "passkey_enabled": null,
        "custom_oauth_enabled": false,
    }));
    assert_eq!(
        problems,
        [
            r#"disable_signup must be true or false, got "yes""#,
            "jwt_exp must be a whole number from 0 to 604800, got 700000",
            "mailer_otp_length must be a whole number from 6 to 10, got 5",
            "passkey_enabled must not be null, got null",
            "sessions_timebox must be a number of at least 0, got -1",
            r#"site_url must be one absolute URL without a comma: http, https, or a scheme of an app's own, got "https://a.example,https://b.example""#,
            r#"sms_provider must be one of "messagebird", "textlocal", "twilio", "twilio_verify", "vonage", got "pigeon""#,
            r#"smtp_port must be a port number from 1 to 65535 as text, got "0""#,
        ]
    );
}

#[test]
fn a_refused_patch_changes_nothing() {
    let current = patched(json!({"jwt_exp": 900}));
    assert!(validate_patch(&current, &object(json!({"jwt_exp": 600, "site_url": ""}))).is_err());
    assert_eq!(current.get("jwt_exp"), Some(&json!(900)));
}

#[test]
fn secrets_are_never_shown() {
    let problems = refused(json!({"hook_send_sms_secrets": "hunter2", "smtp_pass": 4711}));
    assert_eq!(problems.len(), 2);
    assert!(problems.iter().all(|problem| !problem.contains("hunter2") && !problem.contains("4711")), "{problems:?}");
    let held = patched(json!({"smtp_pass": "hunter2"}));
    assert!(!format!("{held:?}").contains("hunter2"));
}

#[test]
fn null_returns_a_field_to_its_default() {
    let current = patched(json!({"password_min_length": 12, "jwt_exp": 60}));
    let next = validate_patch(&current, &object(json!({"password_min_length": null}))).unwrap();
    let values = effective(&next, &defaults());
    assert_eq!(values["password_min_length"], 6);
    assert_eq!(values["jwt_exp"], 60);
}

#[test]
fn a_field_that_takes_no_null_is_unset_by_name() {
    let mut current = patched(json!({"mailer_otp_exp": 60}));
    assert_eq!(refused(json!({"mailer_otp_exp": null})), ["mailer_otp_exp must not be null, got null"]);
    current.unset("mailer_otp_exp");
    assert_eq!(effective(&current, &defaults())["mailer_otp_exp"], 3600);
}

#[test]
fn an_empty_mail_host_takes_the_whole_server_away() {
    let current = patched(json!({
        "smtp_host": "mail.example.com", "smtp_port": "587", "smtp_user": "u", "smtp_pass": "p",
        "smtp_admin_email": "a@example.com", "smtp_sender_name": "A", "smtp_max_frequency": 5
    }));
    let next = validate_patch(&current, &object(json!({"smtp_host": "", "smtp_user": "left over"}))).unwrap();
    let values = effective(&next, &defaults());
    for name in ["smtp_host", "smtp_port", "smtp_user", "smtp_pass", "smtp_admin_email", "smtp_sender_name"] {
        assert_eq!(values[name], Value::Null, "{name}");
    }
    assert_eq!(values["smtp_max_frequency"], 5);
}

#[test]
fn unknown_keys_are_ignored_and_reported() {
    let patch = object(json!({"jwt_exp": 60, "brand_new_field": 1}));
    assert_eq!(unknown_keys(&patch), ["brand_new_field"]);
    let next = validate_patch(&Explicit::default(), &patch).unwrap();
    assert_eq!(next.get("brand_new_field"), None);
}

#[test]
fn what_is_only_answered_is_ignored_in_a_patch_and_set_for_a_new_project() {
    let answered = object(json!({
        "custom_oauth_max_providers": 1000,
        "saml_allow_encrypted_assertions": true,
        "nimbus_oauth_email_optional": true,
    }));
    let made = validate_new(&answered).unwrap();
    assert_eq!(made.to_map(), answered);
    let mut patch = answered.clone();
    patch.insert("custom_oauth_max_providers".to_owned(), json!("no number"));
    patch.insert("jwt_exp".to_owned(), json!(60));
    let next = validate_patch(&Explicit::default(), &patch).unwrap();
    assert_eq!(next.to_map(), object(json!({"jwt_exp": 60})));
    let unset = object(json!({"custom_oauth_max_providers": null}));
    assert_eq!(validate_patch(&made, &unset).unwrap(), made);
    let counted = domain::config::FIELDS.iter().filter(|field| field.is_answer_only()).count();
    assert_eq!(counted, answered.len());
}

#[test]
fn fields_that_hosted_answers_beside_its_specification_can_be_set() {
    patched(json!({
        "audit_log_disable_postgres": true,
        "index_worker_ensure_user_search_indexes_exist": false,
        "mfa_allow_low_aal": true,
        "security_update_password_require_current_password": true,
    }));
}

#[test]
fn an_empty_secret_is_none() {
    let secrets: Vec<&str> =
        domain::config::FIELDS.iter().filter(|field| field.secret).map(|field| field.name).collect();
    assert!(secrets.len() >= 36, "{secrets:?}");
    for name in secrets {
        let mut current = Explicit::default();
        current.set(name, json!("hush"));
        let next = validate_patch(&current, &object(json!({ name: "" })));
        assert_eq!(next.unwrap().get(name), None, "{name}");
    }
}

#[test]
fn whole_numbers_may_be_written_with_a_zero_fraction() {
    assert_eq!(patched(json!({"jwt_exp": 60.0})).get("jwt_exp"), Some(&json!(60)));
    assert_eq!(refused(json!({"jwt_exp": 60.5})).len(), 1);
    assert_eq!(refused(json!({"jwt_exp": 1e300})).len(), 1);
}

#[test]
fn the_four_character_sets_of_the_contract_are_taken() {
    let sets = |text: &str| json!({"password_required_characters": text});
    let (lower, upper, digits) = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789");
    let symbols = r#"!@#$%^&*()_+-=[]{};'\\:"|<>?,./`~"#;
    for (text, length) in [
        (String::new(), 0),
        (format!("{lower}{upper}:{digits}"), 63),
        (format!("{lower}:{upper}:{digits}"), 64),
        (format!("{lower}:{upper}:{digits}:{symbols}"), 98),
    ] {
        assert_eq!(text.len(), length);
        patched(sets(&text));
    }
    assert_eq!(refused(sets("abc:123")).len(), 1);
}

#[test]
fn contradictions_are_refused_also_when_they_come_in_two_patches() {
    let autoconfirm = patched(json!({"mailer_autoconfirm": true}));
    let unverified = object(json!({"mailer_allow_unverified_email_sign_ins": true}));
    let problems = validate_patch(&autoconfirm, &unverified).unwrap_err();
    assert_eq!(
        describe(&problems),
        "mailer_allow_unverified_email_sign_ins must not be true together with mailer_autoconfirm, got true"
    );
    assert_eq!(
        refused(json!({"security_captcha_enabled": true})),
        ["security_captcha_enabled needs security_captcha_secret, got true"]
    );
    patched(json!({"security_captcha_enabled": true, "security_captcha_secret": "s"}));
    assert_eq!(
        refused(json!({"hook_send_sms_enabled": true})),
        ["hook_send_sms_enabled needs hook_send_sms_uri, got true"]
    );
}

#[test]
fn credentials_are_refused_while_every_origin_may_read() {
    let with =
        |origins: &str| json!({"security_cors_allow_credentials": true, "security_cors_allowed_origins": origins});
    assert_eq!(refused(json!({"security_cors_allow_credentials": true})).len(), 1);
    assert_eq!(refused(with("https://a.example,*")).len(), 1);
    patched(with("https://a.example"));
}

#[test]
fn the_allow_list_is_compiled_before_it_is_stored() {
    assert_eq!(
        refused(json!({"uri_allow_list": "https://a.example/**,https://b.example/["})),
        [concat!(
            "uri_allow_list entry 2 must be a URL or a glob: a character class is not closed or empty, ",
            r#"got "https://a.example/**,https://b.example/[""#
        )]
    );
    patched(json!({"uri_allow_list": ""}));
}

#[test]
fn texts_take_no_nul() {
    assert_eq!(refused(json!({"smtp_sender_name": "a\u{0}b"})).len(), 1);
}

#[test]
fn values_read_back_as_they_were_stored() {
    let explicit = patched(json!({"jwt_exp": 60, "sessions_timebox": 0.5, "site_url": "https://a.example"}));
    assert_eq!(Explicit::from_map(explicit.to_map()), explicit);
    let text = serde_json::to_string(&explicit).unwrap();
    assert_eq!(serde_json::from_str::<Explicit>(&text).unwrap(), explicit);
}

/// The keys of a typical project of each kind, as the Supabase CLI and the conformance kit send them.
#[test]
fn a_full_configuration_is_taken() {
    let text = r#"{
        "site_url": "https://site.example.com:8443/home?from=site",
        "uri_allow_list": "https://app.example.com/**,http://localhost:3000/*,com.example.app://*,https://x.example/a\\*b",
        "jwt_exp": 3600, "disable_signup": false, "external_email_enabled": true, "external_phone_enabled": true,
        "external_anonymous_users_enabled": true, "mailer_autoconfirm": true, "sms_autoconfirm": true,
        "security_manual_linking_enabled": true, "mailer_otp_exp": 3600, "mailer_otp_length": 6,
        "password_min_length": 10, "security_refresh_token_reuse_interval": 10,
        "security_refresh_token_algorithm_version": 1, "refresh_token_rotation_enabled": true,
        "smtp_host": "127.0.0.1", "smtp_port": "18025", "smtp_user": "u", "smtp_pass": "p",
        "smtp_admin_email": "auth@example.com", "smtp_sender_name": "Example", "smtp_max_frequency": 1,
        "mailer_subjects_invite": "Join {{ .SiteURL }}", "mailer_templates_invite_content": "<p>{{ .Token }}</p>",
        "hook_send_sms_enabled": true, "hook_send_sms_uri": "http://127.0.0.1:18026/hooks/send-sms",
        "hook_send_sms_secrets": "v1,whsec_wDYnPVK8fzsT4K+aE7iiViKSbqSD5MBL03KF65MSU6I=",
        "rate_limit_email_sent": 1000000, "mfa_phone_template": "Your code is {{ .Code }}",
        "webauthn_rp_id": "localhost", "webauthn_rp_origins": "http://localhost:3000",
        "sessions_timebox": 0.0017, "sessions_inactivity_timeout": 0.0009, "sessions_tags": "web, mobile",
        "sms_test_otp": "15550000001=123456", "sms_test_otp_valid_until": "2036-01-01T00:00:00Z",
        "external_gitlab_enabled": true, "external_gitlab_client_id": "c", "external_gitlab_secret": "s",
        "external_gitlab_url": "http://127.0.0.1:18026/idp/gitlab", "external_google_skip_nonce_check": null,
        "oauth_server_enabled": true, "oauth_server_authorization_path": "/oauth/consent",
        "security_captcha_provider": null, "sms_provider": null, "rate_limit_sms_sent": null
    }"#;
    let explicit = patched(serde_json::from_str(text).unwrap());
    let values = effective(&explicit, &defaults());
    let again: serde_json::Map<String, Value> = values.into_iter().filter(|(_, value)| !value.is_null()).collect();
    assert!(validate_patch(&explicit, &again).is_ok(), "what is answered can be sent back");
}

/// The way back from one set of values to another.
fn gone_back(current: Value, earlier: Value) -> Result<Value, String> {
    let (current, earlier) = (Explicit::from_map(object(current)), Explicit::from_map(object(earlier)));
    validate_rollback(&current, &earlier).map(|next| next.to_map().into()).map_err(|problems| describe(&problems))
}

#[test]
fn the_way_back_gives_no_security_profile_up() {
    let shield = json!({"security_profile": "shield", "jwt_exp": 600});
    let advised = json!({"security_profile": "shield", "security_profile_mode": "advise"});
    assert_eq!(
        gone_back(shield.clone(), json!({"security_profile": "compat", "site_url": "https://a.example"})),
        Ok(json!({"security_profile": "shield", "site_url": "https://a.example"}))
    );
    assert_eq!(gone_back(shield.clone(), json!({})), Ok(json!({"security_profile": "shield"})));
    assert_eq!(
        gone_back(shield.clone(), advised.clone()),
        Ok(json!({"security_profile": "shield"})),
        "and goes on enforcing it"
    );
    assert_eq!(gone_back(advised.clone(), json!({"jwt_exp": 700})).unwrap()["security_profile_mode"], "advise");
    assert_eq!(gone_back(json!({}), shield.clone()), Ok(shield.clone()), "back to a stricter one");
    assert_eq!(gone_back(advised, shield.clone()), Ok(shield));
}

#[test]
fn the_way_back_is_judged_as_a_patch_is() {
    let shield = json!({"security_profile": "shield"});
    let loose = gone_back(shield, json!({"jwt_exp": 604_800, "refresh_token_rotation_enabled": false})).unwrap_err();
    assert!(loose.contains("security profile shield: ") && loose.contains("jwt_exp"), "{loose}");
    assert!(loose.contains("refresh_token_rotation_enabled"), "{loose}");
    let old = gone_back(json!({}), json!({"site_url": "javascript:alert(1)", "jwt_exp": -1})).unwrap_err();
    assert!(old.contains("site_url") && old.contains("jwt_exp"), "rules may be stricter than they were: {old}");
    let answered = json!({"custom_oauth_max_providers": 1000});
    assert_eq!(
        gone_back(json!({"custom_oauth_max_providers": 3}), answered),
        Ok(json!({"custom_oauth_max_providers": 3}))
    );
}
