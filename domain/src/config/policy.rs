//! The typed view of a configuration: what the flows read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use url::Url;

use crate::config::explicit::{Defaults, Explicit, default_value};
use crate::config::factors::{MfaSettings, WebauthnSettings, step_up};
use crate::config::fields::field;
use crate::config::format::{list, test_otps};
use crate::config::limits::RateLimits;
use crate::config::mail::{MailTemplates, notices};
use crate::config::providers::OauthSettings;
use crate::config::services::{CaptchaSettings, SmsProvider, hooks};
use crate::hook::{Point, Target};
use crate::password::PasswordRules;
use crate::project::Profile;
use crate::secret::Secret;
use crate::session::SessionLimits;
use crate::step_up::StepUp;
use crate::time::Timestamp;

/// The audience of new accounts and of requests that name none.
pub const AUDIENCE: &str = "authenticated";

/// The PostgreSQL role of new accounts.
pub const DEFAULT_ROLE: &str = "authenticated";

/// The `role` claims that open the admin endpoints.
pub const ADMIN_ROLES: [&str; 2] = ["service_role", "supabase_admin"];

/// The role of a user row that may change `app_metadata` of its own account.
pub const ADMIN_GROUP: &str = "admin";

/// How a project behaves.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Which column of defaults applies.
    pub profile: Profile,
    /// Where users return to when they ask for nothing better.
    pub site_url: String,
    /// Allowed redirect targets as written.
    pub uri_allow_list: Vec<String>,
    /// Targets are compared to the letter instead of by patterns and origin.
    pub redirect_exact_match: bool,
    /// No new accounts but by administrators.
    pub disable_signup: bool,
    /// Accounts by address.
    pub external_email_enabled: bool,
    /// Sign-ins by mailed link or code.
    pub external_email_magic_link_enabled: bool,
    /// The only addresses that get mail, lower case; empty = all.
    pub external_email_authorized_addresses: Vec<String>,
    /// Accounts by number.
    pub external_phone_enabled: bool,
    /// Accounts without either.
    pub external_anonymous_users_enabled: bool,
    /// Sign-ins at providers and with wallets.
    pub oauth: OauthSettings,
    /// Addresses count as proven at once.
    pub mailer_autoconfirm: bool,
    /// Numbers count as proven at once.
    pub sms_autoconfirm: bool,
    /// Life of mailed links and codes, seconds.
    pub mailer_otp_exp: i64,
    /// Life of invitations, seconds.
    pub mailer_invite_exp: i64,
    /// Digits of a mailed code.
    pub mailer_otp_length: usize,
    /// Both addresses confirm an address change.
    pub mailer_secure_email_change_enabled: bool,
    /// Provider sign-ins with an unverified address are let in.
    pub mailer_allow_unverified_email_sign_ins: bool,
    /// Links carry 256 random bits instead of a value derived from address and code.
    pub mailer_link_random: bool,
    /// A link opens a page with a button instead of being used up by a GET.
    pub mailer_link_confirm_page_enabled: bool,
    /// Wrong codes before a code is dead.
    pub otp_max_attempts: i32,
    /// Life of access tokens, seconds.
    pub jwt_exp: i64,
    /// Audience of new accounts.
    pub jwt_aud: String,
    /// Role of new accounts.
    pub default_role: String,
    /// `role` claims that open the admin endpoints.
    pub admin_roles: Vec<String>,
    /// `iss`, `aud`, `kid` and `session_id` of bearers are checked.
    pub strict_claims: bool,
    /// What passwords must be like.
    pub password: PasswordRules,
    /// New passwords are looked up among breached ones.
    pub password_hibp_enabled: bool,
    /// A password that cannot be looked up is refused.
    pub password_hibp_fail_closed: bool,
    /// New passwords are looked up in the list of common ones.
    pub password_blocklist_enabled: bool,
    /// A password change needs a fresh session or a nonce.
    pub security_update_password_require_reauthentication: bool,
    /// A password change needs the old password.
    pub security_update_password_require_current_password: bool,
    /// How long sessions live.
    pub session_limits: SessionLimits,
    /// Only the most recently used session of a user refreshes.
    pub sessions_single_per_user: bool,
    /// Groups within which that holds.
    pub sessions_tags: Vec<String>,
    /// Sessions of one user, at most: a sign-in beyond it ends the one used longest ago. 0 = no limit.
    pub sessions_max_per_user: usize,
    /// Reuse of an old refresh token is punished.
    pub refresh_token_rotation_enabled: bool,
    /// Time in which parallel refreshes count as one, seconds.
    pub refresh_token_reuse_interval: i64,
    /// Kind of refresh token of new sessions: 1 = stored rows, 2 = session-bound counters.
    pub refresh_token_algorithm_version: u8,
    /// The project's mail server; `None` = the development mailbox.
    pub smtp: Option<SmtpSettings>,
    /// Seconds between two mails to one user.
    pub smtp_max_frequency: i64,
    /// Subjects and bodies.
    pub templates: MailTemplates,
    /// Notices that are sent: `password_changed`, `email_changed`, ...
    pub notices: BTreeSet<&'static str>,
    /// SMS settings.
    pub sms: SmsSettings,
    /// Hooks that are on.
    pub hooks: BTreeMap<Point, Target>,
    /// The captcha, `None` when it is off.
    pub captcha: Option<CaptchaSettings>,
    /// Second factors.
    pub mfa: MfaSettings,
    /// Web Authentication, as a second factor and as passkeys.
    pub webauthn: WebauthnSettings,
    /// Operations that ask for a fresh second factor.
    pub step_up: StepUp,
    /// Accounts may have passkeys.
    pub passkey_enabled: bool,
    /// SAML is on.
    pub saml_enabled: bool,
    /// The project is an OAuth server.
    pub oauth_server_enabled: bool,
    /// Clients register themselves.
    pub oauth_server_allow_dynamic_registration: bool,
    /// Signed-in users may link identities.
    pub security_manual_linking_enabled: bool,
    /// Whose PKCE challenge is demanded.
    pub pkce_required: PkceRequired,
    /// How often things may be asked for.
    pub rate_limits: RateLimits,
    /// `Sb-Forwarded-For` names the client.
    pub security_sb_forwarded_for_enabled: bool,
    /// Known and unknown accounts get the same answers.
    pub enumeration_protection: bool,
    /// The audit log stays out of the database.
    pub audit_log_disable_postgres: bool,
    /// Days an audit row is kept; 0 = for ever.
    pub audit_log_retention_days: i64,
    /// Refused sign-ins are logged as well.
    pub audit_log_failures_enabled: bool,
    /// Which browser origins may read answers.
    pub cors_origins: CorsOrigins,
    /// They may send credentials.
    pub cors_allow_credentials: bool,
    /// `Strict-Transport-Security` in seconds, 0 = off.
    pub hsts_max_age: i64,
    /// API keys may stand in the query.
    pub apikey_in_query_enabled: bool,
    /// Secret keys are refused from browsers.
    pub block_secret_key_in_browser: bool,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq)]
pub struct SmtpSettings {
    /// Host name or address.
    pub host: String,
    /// Port, 587 when not set.
    pub port: u16,
    /// Login name.
    pub user: Option<String>,
    /// Password.
    pub pass: Option<Secret<String>>,
    /// The `From` address.
    pub admin_email: String,
    /// The `From` name, empty when none.
    pub sender_name: String,
    /// Where answers go, if not to `admin_email`.
    pub reply_to: Option<String>,
    /// Extra headers as JSON, empty when none.
    pub headers: String,
    /// Mail is not sent without TLS.
    pub tls_required: bool,
}

/// SMS settings that need no provider.
#[derive(Clone, Debug, PartialEq)]
pub struct SmsSettings {
    /// The chosen provider, `None` unless set explicitly.
    pub provider: Option<SmsProvider>,
    /// Life of a code, seconds.
    pub otp_exp: i64,
    /// Digits of a code.
    pub otp_length: usize,
    /// Seconds between two messages to one user.
    pub max_frequency: i64,
    /// The message.
    pub template: String,
    /// Numbers with a fixed code.
    pub test_otps: Vec<(String, String)>,
    /// When those end.
    pub test_otps_valid_until: Option<Timestamp>,
}

/// `security_pkce_required`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PkceRequired {
    /// Nobody's.
    Off,
    /// Of sign-ins at providers.
    Oauth,
    /// Of mail flows as well.
    All,
}

/// Which browser origins may read answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every one.
    Any,
    /// These, as browsers send them.
    Listed(BTreeSet<String>),
}

impl Policy {
    /// The view of the values in force. A stored value that is not of its field's type counts as not set.
    pub fn from_explicit(explicit: &Explicit, defaults: &Defaults) -> Self {
        let read = Reader { explicit, defaults };
        let site_url = read.text("site_url");
        let uri_allow_list: Vec<String> = list(&read.text("uri_allow_list")).map(str::to_owned).collect();
        let mailer_otp_exp = or_when_zero(read.int("mailer_otp_exp"), 86_400);
        let cors_origins = cors_origins(
            &read.text("security_cors_allowed_origins"),
            &site_url,
            &uri_allow_list,
            &read.text("webauthn_rp_origins"),
        );
        let jwt_exp = or_when_zero(read.int("jwt_exp"), or_when_zero(read.default_int("jwt_exp"), 3600));
        Self {
            profile: explicit.profile(),
            redirect_exact_match: read.on("security_redirect_exact_match_enabled"),
            disable_signup: read.on("disable_signup"),
            external_email_enabled: read.on("external_email_enabled"),
            external_email_magic_link_enabled: read.on("external_email_magic_link_enabled"),
            external_email_authorized_addresses: list(&read.text("external_email_authorized_addresses"))
                .map(str::to_ascii_lowercase)
                .collect(),
            external_phone_enabled: read.on("external_phone_enabled"),
            external_anonymous_users_enabled: read.on("external_anonymous_users_enabled"),
            oauth: OauthSettings::read(&read),
            mailer_autoconfirm: read.on("mailer_autoconfirm"),
            sms_autoconfirm: read.on("sms_autoconfirm"),
            mailer_otp_exp,
            mailer_invite_exp: or_when_zero(read.int("mailer_invite_exp"), mailer_otp_exp),
            mailer_otp_length: otp_length(read.int("mailer_otp_length")),
            mailer_secure_email_change_enabled: read.on("mailer_secure_email_change_enabled"),
            mailer_allow_unverified_email_sign_ins: read.on("mailer_allow_unverified_email_sign_ins"),
            mailer_link_random: read.text("mailer_link_token_mode") == "random",
            mailer_link_confirm_page_enabled: read.on("mailer_link_confirm_page_enabled"),
            otp_max_attempts: i32::try_from(read.int("security_otp_max_attempts")).unwrap_or(i32::MAX),
            jwt_exp,
            jwt_aud: AUDIENCE.to_owned(),
            default_role: DEFAULT_ROLE.to_owned(),
            admin_roles: ADMIN_ROLES.map(str::to_owned).to_vec(),
            strict_claims: read.on("security_jwt_strict_claims_enabled"),
            password: PasswordRules::new(
                read.int("password_min_length"),
                &read.text("password_required_characters"),
                explicit.profile(),
            ),
            password_hibp_enabled: read.on("password_hibp_enabled"),
            password_hibp_fail_closed: read.on("password_hibp_fail_closed"),
            password_blocklist_enabled: read.on("password_blocklist_enabled"),
            security_update_password_require_reauthentication: read
                .on("security_update_password_require_reauthentication"),
            security_update_password_require_current_password: read
                .on("security_update_password_require_current_password"),
            session_limits: SessionLimits {
                timebox: hours(read.number("sessions_timebox")),
                inactivity: hours(read.number("sessions_inactivity_timeout")),
                low_aal: read.seconds("sessions_allow_low_aal"),
            },
            sessions_single_per_user: read.on("sessions_single_per_user"),
            sessions_tags: list(&read.text("sessions_tags")).map(str::to_owned).collect(),
            sessions_max_per_user: usize::try_from(read.limit("sessions_max_per_user")).unwrap_or(usize::MAX),
            refresh_token_rotation_enabled: read.on("refresh_token_rotation_enabled"),
            refresh_token_reuse_interval: read.int("security_refresh_token_reuse_interval"),
            refresh_token_algorithm_version: if read.int("security_refresh_token_algorithm_version") == 1 {
                1
            } else {
                2
            },
            smtp: read.smtp(&site_url),
            smtp_max_frequency: or_when_zero(read.int("smtp_max_frequency"), 60),
            templates: MailTemplates::from_explicit(explicit),
            notices: notices(|name| read.on(name)),
            sms: read.sms(),
            hooks: hooks(&read),
            captcha: CaptchaSettings::read(&read, || hosts(&cors_origins)),
            mfa: MfaSettings::read(&read),
            webauthn: WebauthnSettings::read(&read),
            step_up: step_up(&read),
            passkey_enabled: read.on("passkey_enabled"),
            saml_enabled: read.on("saml_enabled"),
            oauth_server_enabled: read.on("oauth_server_enabled"),
            oauth_server_allow_dynamic_registration: read.on("oauth_server_allow_dynamic_registration"),
            security_manual_linking_enabled: read.on("security_manual_linking_enabled"),
            pkce_required: match read.text("security_pkce_required").as_str() {
                "all" => PkceRequired::All,
                "oauth" => PkceRequired::Oauth,
                _ => PkceRequired::Off,
            },
            rate_limits: RateLimits::read(&read),
            security_sb_forwarded_for_enabled: read.on("security_sb_forwarded_for_enabled"),
            enumeration_protection: read.on("security_enumeration_protection_enabled"),
            audit_log_disable_postgres: read.on("audit_log_disable_postgres"),
            audit_log_retention_days: read.int("audit_log_retention_days"),
            audit_log_failures_enabled: read.on("audit_log_failures_enabled"),
            cors_origins,
            cors_allow_credentials: read.on("security_cors_allow_credentials"),
            hsts_max_age: read.int("security_hsts_max_age"),
            apikey_in_query_enabled: read.on("security_apikey_in_query_enabled"),
            block_secret_key_in_browser: read.on("security_block_secret_key_in_browser"),
            site_url,
            uri_allow_list,
        }
    }
}

fn or_when_zero(value: i64, otherwise: i64) -> i64 {
    if value == 0 { otherwise } else { value }
}

/// Lengths outside 6 to 10 count as 6 (`contract/core.md` §9).
pub(crate) fn otp_length(length: i64) -> usize {
    usize::try_from(length).ok().filter(|length| (6..=10).contains(length)).unwrap_or(6)
}

/// Hours with fractions; 0 = no limit. Kept in milliseconds, as projects set limits of a few seconds.
fn hours(hours: f64) -> Option<TimeDelta> {
    let millis = hours * 3_600_000.0;
    (millis > 0.0).then(|| TimeDelta::try_milliseconds(millis as i64).unwrap_or(TimeDelta::MAX))
}

/// The origin of a URL as browsers send it; `None` where it has none to compare.
fn origin(url: &str) -> Option<String> {
    let origin = Url::parse(url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// The hosts of the origins that are listed one by one.
fn hosts(origins: &CorsOrigins) -> Vec<String> {
    let CorsOrigins::Listed(origins) = origins else { return Vec::new() };
    origins.iter().filter_map(|origin| Url::parse(origin).ok()?.host_str().map(str::to_owned)).collect()
}

fn cors_origins(setting: &str, site_url: &str, allow_list: &[String], rp_origins: &str) -> CorsOrigins {
    let mut listed = BTreeSet::new();
    for part in list(setting) {
        match part {
            "*" => return CorsOrigins::Any,
            "derived" => {
                listed.extend(origin(site_url));
                let exact = |entry: &&String| entry.starts_with("https://") && !entry.contains(['*', '[', '{', '\\']);
                listed.extend(allow_list.iter().filter(exact).filter_map(|entry| origin(entry)));
                listed.extend(list(rp_origins).filter_map(origin));
            }
            part => listed.extend(origin(part).or_else(|| Some(part.trim_end_matches('/').to_owned()))),
        }
    }
    CorsOrigins::Listed(listed)
}

/// Reads values in force by field name. A name that is no field reads as off; a test walks all of them.
pub(crate) struct Reader<'a> {
    explicit: &'a Explicit,
    defaults: &'a Defaults,
}

impl Reader<'_> {
    fn default(&self, name: &str) -> Value {
        debug_assert!(field(name).is_some(), "{name} is no field");
        field(name).map_or(Value::Null, |field| default_value(field, self.explicit, self.defaults))
    }

    fn get<T>(&self, name: &str, cast: impl Fn(&Value) -> Option<T>) -> Option<T> {
        self.explicit.get(name).and_then(&cast).or_else(|| cast(&self.default(name)))
    }

    pub(crate) fn on(&self, name: &str) -> bool {
        self.get(name, Value::as_bool).unwrap_or(false)
    }

    fn int(&self, name: &str) -> i64 {
        self.get(name, Value::as_i64).unwrap_or(0)
    }

    fn default_int(&self, name: &str) -> i64 {
        self.default(name).as_i64().unwrap_or(0)
    }

    fn number(&self, name: &str) -> f64 {
        self.get(name, Value::as_f64).unwrap_or(0.0)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name, |value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// As [`Self::on`], off where there is no such field.
    pub(crate) fn on_if_any(&self, name: &str) -> bool {
        field(name).is_some() && self.on(name)
    }

    /// As [`Self::text`], empty where there is no such field.
    pub(crate) fn text_if_any(&self, name: &str) -> String {
        field(name).map(|_| self.text(name)).unwrap_or_default()
    }

    fn some_text(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    pub(crate) fn limit(&self, name: &str) -> u32 {
        u32::try_from(self.int(name)).unwrap_or(u32::MAX)
    }

    fn seconds(&self, name: &str) -> Option<TimeDelta> {
        Some(self.int(name)).filter(|seconds| *seconds > 0).and_then(TimeDelta::try_seconds)
    }

    fn smtp(&self, site_url: &str) -> Option<SmtpSettings> {
        let host = self.some_text("smtp_host")?;
        let user = self.some_text("smtp_user");
        let site = Url::parse(site_url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let fallback = || {
            let user = user.clone().filter(|user| user.contains('@'));
            user.unwrap_or_else(|| format!("noreply@{}", site.unwrap_or_else(|| host.clone())))
        };
        Some(SmtpSettings {
            port: self.text("smtp_port").parse().unwrap_or(587),
            pass: self.some_text("smtp_pass").map(Secret::new),
            admin_email: self.some_text("smtp_admin_email").unwrap_or_else(fallback),
            sender_name: self.text("smtp_sender_name"),
            reply_to: self.some_text("smtp_reply_to"),
            headers: self.text("smtp_headers"),
            tls_required: self.on("smtp_tls_required"),
            host,
            user,
        })
    }

    fn sms(&self) -> SmsSettings {
        let until = DateTime::parse_from_rfc3339(&self.text("sms_test_otp_valid_until")).ok();
        SmsSettings {
            // The default provider has no credentials: without a choice there is none.
            provider: self.explicit.text("sms_provider").and_then(|name| SmsProvider::read(name, self)),
            otp_exp: or_when_zero(self.int("sms_otp_exp"), 60),
            otp_length: otp_length(self.int("sms_otp_length")),
            max_frequency: or_when_zero(self.int("sms_max_frequency"), 60),
            template: self.text("sms_template"),
            test_otps: test_otps(&self.text("sms_test_otp")).unwrap_or_default(),
            test_otps_valid_until: until.map(|at| Timestamp::new(at.with_timezone(&Utc))),
        }
    }
}
