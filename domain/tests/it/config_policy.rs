//! The typed view of a configuration.

use chrono::TimeDelta;
use domain::config::{CorsOrigins, Explicit, FIELDS, PkceRequired, Policy, effective};
use serde_json::{Value, json};

use crate::support::{defaults, object, policy};

#[test]
fn a_fresh_project_lives_by_the_defaults_of_process_and_profile() {
    let policy = Policy::from_explicit(&Explicit::default(), &defaults());
    assert_eq!(policy.site_url, "https://process.example.com");
    assert_eq!(policy.jwt_exp, 1800);
    assert!(policy.mailer_autoconfirm && policy.external_email_enabled && !policy.disable_signup);
    assert_eq!((policy.mailer_otp_exp, policy.mailer_otp_length), (3600, 8));
    assert_eq!((policy.refresh_token_reuse_interval, policy.refresh_token_algorithm_version), (10, 2));
    assert_eq!((policy.jwt_aud.as_str(), policy.default_role.as_str()), ("authenticated", "authenticated"));
    assert_eq!(policy.admin_roles, ["service_role", "supabase_admin"]);
    assert_eq!(policy.rate_limits.email_sent, 30);
    assert!(!policy.audit_log_disable_postgres);
    assert_eq!(policy.smtp, None);
    assert_eq!(policy.sms.provider, None);
    assert_eq!(policy.session_limits, domain::session::SessionLimits::default());
    assert!(policy.oauth.providers.is_empty());
    assert!(policy.notices.iter().eq(["recovery_code_used"].iter()));
    assert_eq!(policy.cors_origins, CorsOrigins::Any);
    assert_eq!(policy.pkce_required, PkceRequired::Off);
}

#[test]
fn every_field_has_a_value_in_force() {
    let values = effective(&Explicit::default(), &defaults());
    assert_eq!(values.len(), FIELDS.len());
    assert_eq!(values["site_url"], "https://process.example.com");
    assert_eq!(values["jwt_exp"], 1800);
    assert_eq!(values["mailer_autoconfirm"], true);
    assert_eq!(values["smtp_host"], Value::Null);
    assert_eq!(values["sms_provider"], "twilio");
    assert_eq!(values["mailer_subjects_recovery"], "Reset Your Password");
}

#[test]
fn session_limits_are_hours_with_fractions() {
    let limits = policy(json!({"sessions_timebox": 0.0017, "sessions_inactivity_timeout": 1})).session_limits;
    assert_eq!(limits.timebox, Some(TimeDelta::milliseconds(6_120)));
    assert_eq!(limits.inactivity, Some(TimeDelta::hours(1)));
    let off = policy(json!({"sessions_timebox": 0, "sessions_inactivity_timeout": null})).session_limits;
    assert_eq!((off.timebox, off.inactivity), (None, None));
    let endless = policy(json!({"sessions_timebox": 1e300})).session_limits;
    assert!(endless.timebox.is_some());
}

#[test]
fn low_level_sessions_are_cut_after_seconds() {
    let limits = policy(json!({"sessions_allow_low_aal": 900})).session_limits;
    assert_eq!(limits.low_aal, Some(TimeDelta::seconds(900)));
}

#[test]
fn zero_means_the_reference_servers_default() {
    let policy = policy(json!({
        "jwt_exp": 0, "mailer_otp_exp": 0, "sms_otp_exp": 0, "smtp_max_frequency": 0, "sms_max_frequency": 0
    }));
    assert_eq!(policy.jwt_exp, 1800);
    assert_eq!(policy.mailer_otp_exp, 86_400);
    assert_eq!(policy.sms.otp_exp, 60);
    assert_eq!(policy.smtp_max_frequency, 60);
    assert_eq!(policy.sms.max_frequency, 60);
}

#[test]
fn code_lengths_outside_six_to_ten_count_as_six() {
    assert_eq!(policy(json!({"sms_otp_length": 4})).sms.otp_length, 6);
    assert_eq!(policy(json!({"sms_otp_length": 10})).sms.otp_length, 10);
    assert_eq!(policy(json!({"sms_otp_length": 11})).sms.otp_length, 6);
}

#[test]
fn a_mail_server_has_a_sender_even_when_none_is_set() {
    let smtp = |patch: Value| policy(patch).smtp.unwrap();
    let bare = smtp(json!({"smtp_host": "mail.example.com", "site_url": "https://app.example.com/x"}));
    assert_eq!((bare.port, bare.admin_email.as_str()), (587, "noreply@app.example.com"));
    assert_eq!((bare.user, bare.pass), (None, None));
    let by_user = smtp(json!({"smtp_host": "mail.example.com", "smtp_user": "out@example.com", "smtp_port": "25"}));
    assert_eq!((by_user.port, by_user.admin_email.as_str()), (25, "out@example.com"));
    let full = smtp(json!({
        "smtp_host": "mail.example.com", "smtp_user": "u", "smtp_pass": "p", "smtp_admin_email": "a@b.co"
    }));
    assert_eq!(full.admin_email, "a@b.co");
    assert_eq!(full.pass.unwrap().expose(), "p");
}

#[test]
fn lists_are_split_and_trimmed() {
    let policy = policy(json!({
        "uri_allow_list": "https://a.example/**, com.app://cb", "sessions_tags": "web, mobile,",
        "sms_test_otp": "15550000001=123456,15550000002=654321"
    }));
    assert_eq!(policy.uri_allow_list, ["https://a.example/**", "com.app://cb"]);
    assert_eq!(policy.sessions_tags, ["web", "mobile"]);
    assert_eq!(policy.sms.test_otps.len(), 2);
}

#[test]
fn providers_and_notices_are_collected_by_name() {
    let policy = policy(json!({
        "external_github_enabled": true, "external_linkedin_oidc_enabled": true, "external_phone_enabled": true,
        "mailer_notifications_password_changed_enabled": true,
        "mailer_notifications_recovery_code_used_enabled": false
    }));
    assert_eq!(
        policy.oauth.providers.keys().map(|provider| provider.name()).collect::<Vec<_>>(),
        ["github", "linkedin_oidc"]
    );
    assert_eq!(policy.notices.iter().copied().collect::<Vec<_>>(), ["password_changed"]);
}

#[test]
fn derived_origins_come_from_the_urls_of_the_project() {
    let policy = policy(json!({
        "security_cors_allowed_origins": "derived,https://extra.example.com/,capacitor://localhost",
        "site_url": "https://app.example.com/home",
        "uri_allow_list": "https://exact.example.com/cb,https://*.wild.example.com/**,com.app://cb,http://localhost:3000/",
        "webauthn_rp_origins": "https://login.example.com"
    }));
    let CorsOrigins::Listed(origins) = policy.cors_origins else { panic!("any origin") };
    assert_eq!(
        origins.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "capacitor://localhost",
            "https://app.example.com",
            "https://exact.example.com",
            "https://extra.example.com",
            "https://login.example.com"
        ]
    );
}

#[test]
fn stored_values_of_another_type_count_as_not_set() {
    let stored = object(json!({"jwt_exp": "soon", "disable_signup": 1, "site_url": 7, "uri_allow_list": "["}));
    let policy = Policy::from_explicit(&Explicit::from_map(stored), &defaults());
    assert_eq!((policy.jwt_exp, policy.disable_signup), (1800, false));
    assert_eq!(policy.site_url, "https://process.example.com");
}
