//! The keys of `[auth]` in Supabase's `config.toml`, as far as they are not those of a provider, a hook or a text.

use super::Why;
use super::reading::Form;

/// Keys below `auth`, the field each sets, and how it is written.
pub(super) const FIELDS: &[(&str, &str, Form)] = &[
    ("site_url", "site_url", Form::Plain),
    ("additional_redirect_urls", "uri_allow_list", Form::List),
    ("jwt_expiry", "jwt_exp", Form::Plain),
    ("enable_signup", "disable_signup", Form::Inverted),
    ("enable_anonymous_sign_ins", "external_anonymous_users_enabled", Form::Plain),
    ("enable_manual_linking", "security_manual_linking_enabled", Form::Plain),
    ("enable_refresh_token_rotation", "refresh_token_rotation_enabled", Form::Plain),
    ("refresh_token_reuse_interval", "security_refresh_token_reuse_interval", Form::Plain),
    ("minimum_password_length", "password_min_length", Form::Plain),
    ("password_requirements", "password_required_characters", Form::Requirements),
    ("sessions.timebox", "sessions_timebox", Form::Hours),
    ("sessions.inactivity_timeout", "sessions_inactivity_timeout", Form::Hours),
    ("rate_limit.anonymous_users", "rate_limit_anonymous_users", Form::Plain),
    ("rate_limit.email_sent", "rate_limit_email_sent", Form::Plain),
    ("rate_limit.sms_sent", "rate_limit_sms_sent", Form::Plain),
    ("rate_limit.sign_in_sign_ups", "rate_limit_otp", Form::Plain),
    ("rate_limit.token_refresh", "rate_limit_token_refresh", Form::Plain),
    ("rate_limit.token_verifications", "rate_limit_verify", Form::Plain),
    ("rate_limit.web3", "rate_limit_web3", Form::Plain),
    ("captcha.enabled", "security_captcha_enabled", Form::Plain),
    ("captcha.provider", "security_captcha_provider", Form::Plain),
    ("captcha.secret", "security_captcha_secret", Form::Plain),
    ("email.enable_signup", "external_email_enabled", Form::Plain),
    ("email.enable_confirmations", "mailer_autoconfirm", Form::Inverted),
    ("email.double_confirm_changes", "mailer_secure_email_change_enabled", Form::Plain),
    ("email.secure_password_change", "security_update_password_require_reauthentication", Form::Plain),
    ("email.max_frequency", "smtp_max_frequency", Form::Seconds),
    ("email.otp_length", "mailer_otp_length", Form::Plain),
    ("email.otp_expiry", "mailer_otp_exp", Form::Plain),
    ("email.smtp.host", "smtp_host", Form::Plain),
    ("email.smtp.port", "smtp_port", Form::Plain),
    ("email.smtp.user", "smtp_user", Form::Plain),
    ("email.smtp.pass", "smtp_pass", Form::Plain),
    ("email.smtp.admin_email", "smtp_admin_email", Form::Plain),
    ("email.smtp.sender_name", "smtp_sender_name", Form::Plain),
    ("sms.enable_signup", "external_phone_enabled", Form::Plain),
    // Not turned round, unlike the key of the same name for mail: Supabase's tools push it as it stands.
    ("sms.enable_confirmations", "sms_autoconfirm", Form::Plain),
    ("sms.max_frequency", "sms_max_frequency", Form::Seconds),
    ("sms.template", "sms_template", Form::Plain),
    ("sms.test_otp", "sms_test_otp", Form::TestOtps),
    ("mfa.max_enrolled_factors", "mfa_max_enrolled_factors", Form::Plain),
    ("mfa.totp.enroll_enabled", "mfa_totp_enroll_enabled", Form::Plain),
    ("mfa.totp.verify_enabled", "mfa_totp_verify_enabled", Form::Plain),
    ("mfa.phone.enroll_enabled", "mfa_phone_enroll_enabled", Form::Plain),
    ("mfa.phone.verify_enabled", "mfa_phone_verify_enabled", Form::Plain),
    ("mfa.phone.max_frequency", "mfa_phone_max_frequency", Form::Seconds),
    ("mfa.phone.otp_length", "mfa_phone_otp_length", Form::Plain),
    ("mfa.phone.template", "mfa_phone_template", Form::Plain),
    ("mfa.web_authn.enroll_enabled", "mfa_web_authn_enroll_enabled", Form::Plain),
    ("mfa.web_authn.verify_enabled", "mfa_web_authn_verify_enabled", Form::Plain),
    ("passkey.enabled", "passkey_enabled", Form::Plain),
    ("webauthn.rp_display_name", "webauthn_rp_display_name", Form::Plain),
    ("webauthn.rp_id", "webauthn_rp_id", Form::Plain),
    ("webauthn.rp_origins", "webauthn_rp_origins", Form::List),
    ("web3.solana.enabled", "external_web3_solana_enabled", Form::Plain),
    ("web3.ethereum.enabled", "external_web3_ethereum_enabled", Form::Plain),
    ("oauth_server.enabled", "oauth_server_enabled", Form::Plain),
    ("oauth_server.allow_dynamic_registration", "oauth_server_allow_dynamic_registration", Form::Plain),
    ("oauth_server.authorization_url_path", "oauth_server_authorization_path", Form::Plain),
];

/// Keys, or beginnings of keys that end in `*`, that set nothing themselves. An empty sentence: the key is used elsewhere in the
/// conversion, and there is nothing to tell.
pub(super) const NOT_FIELDS: &[(&str, Why, &str)] = &[
    ("enabled", Why::Off, ""),
    ("email.smtp.enabled", Why::Off, ""),
    (
        "jwt_secret",
        Why::Elsewhere,
        "a secret is no configuration: `tenantry project create --jwt-secret` takes it over",
    ),
    (
        "signing_keys_path",
        Why::Elsewhere,
        "keys are no configuration: `tenantry project create --signing-keys FILE` takes them over",
    ),
    ("anon_key", Why::Elsewhere, "a key is no configuration: `tenantry api-keys list` shows the project's"),
    ("service_role_key", Why::Elsewhere, "a key is no configuration: `tenantry api-keys list` shows the project's"),
    (
        "publishable_key",
        Why::Elsewhere,
        "a key is no configuration: `tenantry api-keys create --type publishable` makes one",
    ),
    ("secret_key", Why::Elsewhere, "a key is no configuration: `tenantry api-keys create --type secret` makes one"),
    ("jwt_issuer", Why::Unsupported, "the issuer is always the project's auth URL"),
    ("external_url", Why::Elsewhere, "it belongs to the gateway: `tenantry serve --external-url`"),
    ("image", Why::Unsupported, "there is no image to choose"),
    ("third_party.*", Why::Elsewhere, "`tenantry third-party add` accepts tokens of another issuer"),
];

/// Providers of messages, in the order in which the first that is on counts.
pub(super) const SMS_PROVIDERS: [&str; 5] = ["twilio", "twilio_verify", "messagebird", "textlocal", "vonage"];

/// Mails that tell of a change.
pub(super) const NOTIFICATIONS: [&str; 7] = [
    "password_changed",
    "email_changed",
    "phone_changed",
    "identity_linked",
    "identity_unlinked",
    "mfa_factor_enrolled",
    "mfa_factor_unenrolled",
];

/// Mails with a link or a code.
pub(super) const TEMPLATES: [&str; 6] =
    ["invite", "confirmation", "recovery", "magic_link", "email_change", "reauthentication"];
