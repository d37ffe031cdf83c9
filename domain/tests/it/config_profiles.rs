//! The two security profiles: one table of defaults and bounds.

use domain::config::{Explicit, FIELDS, Kind, Lock, PkceRequired, describe, effective, validate_patch};
use domain::project::Profile;
use serde_json::{Value, json};

use crate::support::{defaults, object, patched, policy, refused};

fn shield() -> Explicit {
    patched(json!({"security_profile": "shield"}))
}

#[test]
fn shield_changes_what_was_not_set_and_leaves_what_was() {
    let explicit = patched(json!({"security_profile": "shield", "password_min_length": 12}));
    let values = effective(&explicit, &defaults());
    assert_eq!(values["password_min_length"], 12);
    assert_eq!(values["mailer_otp_exp"], 300);
    assert_eq!(values["security_profile_mode"], "enforce");
    assert_eq!(values["security_pkce_required"], "all");
    assert_eq!(values["mailer_autoconfirm"], false, "whatever the process says");
    assert_eq!(values["jwt_exp"], 1800, "the process may be stricter");
    let long = domain::config::Defaults { jwt_exp: 86_400, ..defaults() };
    assert_eq!(effective(&explicit, &long)["jwt_exp"], 3600);
}

#[test]
fn shield_policies_are_strict() {
    let policy = policy(json!({"security_profile": "shield"}));
    assert_eq!(policy.profile, Profile::Shield);
    assert_eq!(policy.pkce_required, PkceRequired::All);
    assert_eq!(policy.otp_max_attempts, 5);
    assert!(policy.strict_claims && policy.enumeration_protection && policy.mailer_link_random);
    assert_eq!(policy.session_limits.low_aal, Some(chrono::TimeDelta::seconds(900)));
    assert!(!policy.apikey_in_query_enabled && !policy.mailer_autoconfirm);
    let switches = FIELDS.iter().filter(|field| field.name.starts_with("mailer_notifications_"));
    assert_eq!(policy.notices.len(), switches.count());
}

#[test]
fn a_captcha_is_asked_for_as_soon_as_it_can_be_checked() {
    assert_eq!(effective(&shield(), &defaults())["security_captcha_enabled"], false);
    let with_secret = patched(json!({"security_profile": "shield", "security_captcha_secret": "s"}));
    let values = effective(&with_secret, &defaults());
    assert_eq!(values["security_captcha_enabled"], true);
    assert_eq!(values["security_captcha_provider"], "turnstile");
}

#[test]
fn a_lock_names_profile_field_bound_rule_and_value() {
    let problems = validate_patch(&shield(), &object(json!({"mailer_otp_exp": 3600, "jwt_exp": 7200}))).unwrap_err();
    assert_eq!(
        describe(&problems),
        "security profile shield: jwt_exp must be at most 3600 (TOK-01), got 7200; \
         mailer_otp_exp must be from 60 to 300 (LNK-01), got 3600"
    );
}

#[test]
fn plain_problems_come_before_locks() {
    let problems = validate_patch(&shield(), &object(json!({"jwt_exp": 7200, "site_url": ""}))).unwrap_err();
    assert_eq!(
        describe(&problems),
        "site_url must be one absolute URL without a comma: http, https, or a scheme of an app's own, got \"\"; \
         security profile shield: jwt_exp must be at most 3600 (TOK-01), got 7200"
    );
}

#[test]
fn advise_stores_what_enforce_refuses() {
    let beyond = json!({"security_profile": "shield", "security_profile_mode": "advise", "jwt_exp": 7200});
    assert_eq!(policy(beyond).jwt_exp, 7200);
}

#[test]
fn moving_to_shield_needs_the_values_that_break_it_to_be_reset() {
    let loose = patched(json!({"jwt_exp": 7200, "mailer_autoconfirm": true}));
    let to_shield = |patch: Value| validate_patch(&loose, &object(patch));
    let problems = to_shield(json!({"security_profile": "shield"})).unwrap_err();
    assert_eq!(problems.iter().map(|problem| problem.field).collect::<Vec<_>>(), ["jwt_exp", "mailer_autoconfirm"]);
    assert!(to_shield(json!({"security_profile": "shield", "jwt_exp": null, "mailer_autoconfirm": null})).is_ok());
    assert!(to_shield(json!({"security_profile": "shield", "security_profile_mode": "advise"})).is_ok());
}

#[test]
fn some_bounds_hold_in_every_profile() {
    assert_eq!(
        refused(json!({"mfa_totp_single_use_enabled": false})),
        ["mfa_totp_single_use_enabled must be true (MFA-01), got false"]
    );
}

#[test]
fn bounds_of_lists() {
    let judged = |patch: Value| validate_patch(&shield(), &object(patch)).map_err(|problems| describe(&problems));
    assert_eq!(
        judged(json!({"uri_allow_list": "https://a.example/cb,https://b.example/*"})).unwrap_err(),
        "security profile shield: uri_allow_list entry 2: wildcards are not allowed (OAU-04), \
         got \"https://a.example/cb,https://b.example/*\""
    );
    assert!(judged(json!({"uri_allow_list": "https://a.example/cb?x=1,http://[::1]/cb"})).is_ok());
    for list in ["http://[::1]/*", "http://[a-z]/cb", "http://[::1]/[a]", "http://[::1"] {
        assert!(judged(json!({"uri_allow_list": list})).is_err(), "{list}");
    }
    assert!(judged(json!({"security_cors_allowed_origins": "*"})).is_err());
    assert!(judged(json!({"security_cors_allowed_origins": "derived,https://b.example"})).is_ok());
    assert!(judged(json!({"security_step_up_operations": "password_change,email_change"})).is_err());
    assert!(judged(json!({"security_step_up_operations": "password_change,email_change,admin"})).is_ok());
}

#[test]
fn hooks_over_http_are_signed_in_shield() {
    let judged = |patch: Value| validate_patch(&shield(), &object(patch)).map_err(|problems| describe(&problems));
    let unsigned = json!({"hook_send_sms_enabled": true, "hook_send_sms_uri": "https://hooks.example.com/sms"});
    assert_eq!(
        judged(unsigned.clone()).unwrap_err(),
        "security profile shield: hook_send_sms_secrets must be set for a hook that is called over http (HOK-01)"
    );
    patched(unsigned.clone());
    let mut shouted = unsigned.clone();
    shouted["hook_send_sms_uri"] = json!("HTTPS://hooks.example.com/sms");
    assert!(judged(shouted).is_err(), "the scheme of a URL has no case");
    let mut signed = unsigned;
    signed["hook_send_sms_secrets"] = json!(format!("v1,whsec_{}", "a".repeat(32)));
    assert!(judged(signed).is_ok());
    assert!(judged(json!({"hook_send_sms_enabled": true, "hook_send_sms_uri": "pg-functions://p/s/f"})).is_ok());
}

#[test]
fn mails_with_a_link_must_show_the_domain_in_shield() {
    let judged = |html: &str| {
        let patch = json!({"mailer_templates_magic_link_content": html, "site_url": "https://app.example.com"});
        validate_patch(&shield(), &object(patch)).map_err(|problems| describe(&problems))
    };
    let hidden = r#"<a href="{{ .SiteURL }}">sign in</a>"#;
    assert_eq!(judged(hidden).unwrap_err(), "mailer_templates_magic_link_content must show the domain");
    for shown in ["<p>{{ .SiteURL }}</p>", "<p>{{ .Domain }}</p>", "<p>app.example.com</p>"] {
        assert!(judged(shown).is_ok(), "{shown}");
    }
    patched(json!({"mailer_templates_magic_link_content": hidden}));
}

/// A step beyond the bound, for the locks that have one.
fn beyond(lock: Lock) -> Option<Value> {
    match lock {
        Lock::AtMost(bound) | Lock::Between(_, bound) => Some(json!(bound + 1)),
        Lock::AtLeast(bound) => Some(json!(bound - 1)),
        _ => None,
    }
}

#[test]
fn shields_own_values_keep_its_locks_and_one_step_beyond_is_refused() {
    for field in FIELDS.iter() {
        let at = field.shield.to_json();
        if !at.is_null() {
            let result = validate_patch(&shield(), &object(json!({field.name: at})));
            assert!(result.is_ok(), "{}: {:?}", field.name, result.map_err(|problems| describe(&problems)));
        }
        let (Some(value), Kind::Integer { min, max }) = (field.lock.and_then(beyond), field.kind) else { continue };
        let takes = value.as_i64().is_some_and(|value| (min..=max).contains(&value));
        let problems = validate_patch(&shield(), &object(json!({field.name: value}))).unwrap_err();
        assert_eq!(problems[0].lock, takes, "{}", field.name);
    }
}

#[test]
fn compats_own_values_are_accepted() {
    for field in FIELDS.iter().filter(|field| field.compat != domain::config::Literal::Null) {
        patched(json!({field.name: field.compat.to_json()}));
    }
}
