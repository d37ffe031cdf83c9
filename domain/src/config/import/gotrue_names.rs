//! The environment variables of the auth server, without their prefix, as far as they are not simply the name of a field.

use super::Why;
use super::reading::Form;

/// Variables that are named or written differently from the field they set.
pub(super) const FIELDS: &[(&str, &str, Form)] = &[
    ("API_MAX_REQUEST_DURATION", "api_max_request_duration", Form::Seconds),
    ("SECURITY_REFRESH_TOKEN_ROTATION_ENABLED", "refresh_token_rotation_enabled", Form::Plain),
    ("SESSIONS_TIMEBOX", "sessions_timebox", Form::Hours),
    ("SESSIONS_INACTIVITY_TIMEOUT", "sessions_inactivity_timeout", Form::Hours),
    ("SESSIONS_ALLOW_LOW_AAL", "sessions_allow_low_aal", Form::Seconds),
    ("SMTP_MAX_FREQUENCY", "smtp_max_frequency", Form::Seconds),
    ("SMS_MAX_FREQUENCY", "sms_max_frequency", Form::Seconds),
    ("SMS_TEST_OTP", "sms_test_otp", Form::TestOtps),
    ("MFA_PHONE_MAX_FREQUENCY", "mfa_phone_max_frequency", Form::Seconds),
    ("MFA_RATE_LIMIT_CHALLENGE_AND_VERIFY", "rate_limit_mfa_challenge_and_verify", Form::Plain),
    ("RATE_LIMIT_EMAIL_SENT", "rate_limit_email_sent", Form::PerHour),
    ("RATE_LIMIT_SMS_SENT", "rate_limit_sms_sent", Form::PerHour),
    ("RATE_LIMIT_PASSKEY", "rate_limit_passkey", Form::Plain),
    ("EXTERNAL_APPLE_CLIENT_ID", "external_apple_client_id", Form::ClientIds),
    ("EXTERNAL_GOOGLE_CLIENT_ID", "external_google_client_id", Form::ClientIds),
    ("EXTERNAL_EMAIL_AUTHORIZED_ADDRESSES", "external_email_authorized_addresses", Form::Plain),
    ("EXTERNAL_EMAIL_MAGIC_LINK_ENABLED", "external_email_magic_link_enabled", Form::Plain),
    ("EXTERNAL_ALLOWED_ID_TOKEN_ISSUERS", "external_id_token_issuers", Form::Plain),
    ("EXPERIMENTAL_PROVIDER_LINKING_DOMAINS", "external_linking_domains", Form::Plain),
    ("EXPERIMENTAL_PROVIDERS_WITH_OWN_LINKING_DOMAIN", "external_linking_domains", Form::OwnDomains),
    ("PASSWORD_HIBP_FAIL_CLOSED", "password_hibp_fail_closed", Form::Plain),
    ("SECURITY_REFRESH_TOKEN_ALGORITHM_VERSION", "security_refresh_token_algorithm_version", Form::Plain),
    ("SMTP_HEADERS", "smtp_headers", Form::Plain),
];

/// Fields that no variable of their name sets.
pub(super) const WITHOUT_VARIABLE: &[&str] = &[
    "db_max_pool_size_unit",
    "mfa_allow_low_aal",
    "nimbus_oauth_client_id",
    "nimbus_oauth_client_secret",
    "nimbus_oauth_email_optional",
    "refresh_token_rotation_enabled",
];

/// What the environment file of Supabase's docker stack calls the variables that it hands on.
pub(super) const DOCKER: &[(&str, &str, Form)] = &[
    ("ADDITIONAL_REDIRECT_URLS", "uri_allow_list", Form::Plain),
    ("JWT_EXPIRY", "jwt_exp", Form::Plain),
    ("ENABLE_EMAIL_SIGNUP", "external_email_enabled", Form::Plain),
    ("ENABLE_EMAIL_AUTOCONFIRM", "mailer_autoconfirm", Form::Plain),
    ("ENABLE_ANONYMOUS_USERS", "external_anonymous_users_enabled", Form::Plain),
    ("ENABLE_PHONE_SIGNUP", "external_phone_enabled", Form::Plain),
    ("ENABLE_PHONE_AUTOCONFIRM", "sms_autoconfirm", Form::Plain),
];

/// Names, or beginnings of names that end in `*`, of what no field of a project stands for; the first that fits counts.
pub(super) const NOT_FIELDS: &[(&str, Why, &str)] = &[
    (
        "JWT_SECRET",
        Why::Elsewhere,
        "a secret is no configuration: `tenantry project create --jwt-secret` takes it over",
    ),
    (
        "JWT_KEYS",
        Why::Elsewhere,
        "keys are no configuration: `tenantry project create --signing-keys FILE` takes them over",
    ),
    (
        "JWT_KEY_ID",
        Why::Elsewhere,
        "a key brings its id: `tenantry project create --signing-keys FILE` takes keys over",
    ),
    ("JWT_JWKS", Why::Elsewhere, "a project publishes the keys it has"),
    ("ANON_KEY*", Why::Elsewhere, "a key is no configuration: one made from the JWT secret is accepted as it is"),
    (
        "SERVICE_ROLE_KEY*",
        Why::Elsewhere,
        "a key is no configuration: one made from the JWT secret is accepted as it is",
    ),
    ("SUPABASE_PUBLISHABLE_KEY", Why::Elsewhere, "make a new one with `tenantry api-keys create --type publishable`"),
    ("SUPABASE_SECRET_KEY", Why::Elsewhere, "make a new one with `tenantry api-keys create --type secret`"),
    ("OPERATOR_TOKEN", Why::Elsewhere, "operators have tokens of their own: `tenantry tokens create`"),
    ("SAML_PRIVATE_KEY*", Why::Elsewhere, "a key is no configuration, and is not taken over"),
    ("API_EXTERNAL_URL", Why::Elsewhere, "it belongs to the gateway: `tenantry serve --external-url`"),
    ("SUPABASE_PUBLIC_URL", Why::Elsewhere, "it belongs to the gateway: `tenantry serve --external-url`"),
    ("API_REQUEST_ID_HEADER", Why::Unsupported, "the gateway makes ids for requests itself"),
    ("API_*", Why::Elsewhere, "it belongs to the gateway: `tenantry serve --listen`"),
    ("HOST", Why::Elsewhere, "it belongs to the gateway: `tenantry serve --listen`"),
    ("PORT", Why::Elsewhere, "it belongs to the gateway: `tenantry serve --listen`"),
    ("DATABASE_URL", Why::Elsewhere, "`tenantry project create --database-url` gives a project its own database"),
    ("DB_*", Why::Elsewhere, "`tenantry project create --database-url` gives a project its own database"),
    ("POSTGRES_*", Why::Elsewhere, "`tenantry project create --database-url` gives a project its own database"),
    ("RATE_LIMIT_HEADER", Why::Elsewhere, "it belongs to the gateway: `tenantry serve --trusted-proxies`"),
    ("LOG_*", Why::Elsewhere, "it belongs to the gateway: RUST_LOG, `tenantry serve --log-format`"),
    ("TRACING_*", Why::Elsewhere, "it belongs to the gateway: OTEL_EXPORTER_OTLP_ENDPOINT"),
    ("METRICS_*", Why::Elsewhere, "the gateway answers /metrics"),
    ("PROFILER_*", Why::Unsupported, "the gateway has no profiler"),
    ("RELOADING_*", Why::Unsupported, "a change is live at once, without reloading"),
    ("INDEX_WORKER_*", Why::Unsupported, "the gateway keeps its indexes itself"),
    ("CORS_ALLOWED_HEADERS", Why::Unsupported, "every header that a browser asks for is allowed"),
    ("JWT_*", Why::Unsupported, "issuer, audience and roles are those of Supabase's clients and cannot be changed"),
    ("MAILER_TEMPLATE_*", Why::Unsupported, "templates are part of the configuration: none is fetched or cached"),
    ("MAILER_URLPATHS_*", Why::Unsupported, "links lead to the project's own /verify"),
    ("MAILER_EXTERNAL_HOSTS", Why::Unsupported, "links lead to the gateway's address or the project's own"),
    (
        "MAILER_EMAIL_*",
        Why::Unsupported,
        "addresses are checked by their form, and mail is always sent in the background",
    ),
    ("SMTP_LOGGING_ENABLED", Why::Unsupported, "`tenantry mail list` shows what could not be delivered"),
    ("RATE_LIMIT_*", Why::Unsupported, "there is no such limit"),
    ("SAML_*", Why::Unsupported, "there is no such setting"),
    ("MFA_*", Why::Unsupported, "there is no such setting"),
    ("PASSKEY_*", Why::Unsupported, "there is no such setting"),
    ("WEBAUTHN_*", Why::Unsupported, "there is no such setting"),
    ("PASSWORD_HIBP_*", Why::Elsewhere, "it belongs to the gateway: `tenantry serve --breached-passwords-file`"),
    ("SECURITY_*", Why::Unsupported, "there is no such setting"),
    ("SESSIONS_*", Why::Unsupported, "there is no such setting"),
    ("OAUTH_SERVER_*", Why::Unsupported, "there is no such setting"),
    ("CUSTOM_OAUTH_*", Why::Unsupported, "there is no such setting"),
    ("EXPERIMENTAL_*", Why::Unsupported, "there is no such setting"),
];

/// What a variable that is not set stands for in the auth server, where that is not what it stands for here.
pub(super) const DEFAULTS: &[(&str, &str, &str)] = &[
    ("MAILER_OTP_EXP", "mailer_otp_exp", "86400"),
    ("MAILER_OTP_LENGTH", "mailer_otp_length", "6"),
    ("SECURITY_REFRESH_TOKEN_REUSE_INTERVAL", "security_refresh_token_reuse_interval", "0"),
    ("SMS_MAX_FREQUENCY", "sms_max_frequency", "60"),
    ("MFA_PHONE_MAX_FREQUENCY", "mfa_phone_max_frequency", "60"),
];
