//! Public documents of a project (`contract/core.md` §11), keys in the contract's order.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::config::{Policy, SmsProvider};
use crate::provider::Builtin;

/// The ways of signing in that the settings tell of, also those that cannot be configured.
const EXTERNAL: [&str; 26] = [
    "anonymous_users",
    "apple",
    "azure",
    "bitbucket",
    "discord",
    "facebook",
    "snapchat",
    "figma",
    "fly",
    "github",
    "gitlab",
    "google",
    "keycloak",
    "kakao",
    "linkedin",
    "linkedin_oidc",
    "notion",
    "spotify",
    "slack",
    "slack_oidc",
    "workos",
    "twitch",
    "twitter",
    "email",
    "phone",
    "zoom",
];

/// A document that was asked for.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// `GET /settings`.
    Settings(Settings),
    /// `GET /health`.
    Health(Health),
    /// `GET /.well-known/jwks.json`.
    Jwks(Value),
    /// `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`.
    Openid(Box<OpenidConfiguration>),
}

/// `GET /health` (§11.1).
#[derive(Clone, Debug, serde::Serialize)]
pub struct Health {
    /// Of this server.
    pub version: &'static str,
    /// What clients know it as.
    pub name: &'static str,
    /// The same in a sentence.
    pub description: &'static str,
}

/// `GET /settings` (§11.2), with `mfa_enabled` beside the contract's keys.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Settings {
    external: External,
    disable_signup: bool,
    mailer_autoconfirm: bool,
    phone_autoconfirm: bool,
    sms_provider: &'static str,
    saml_enabled: bool,
    saml_private_key_next_configured: bool,
    passkeys_enabled: bool,
    mfa_enabled: bool,
}

/// Which of [`EXTERNAL`] are on.
#[derive(Clone, Debug)]
struct External([bool; EXTERNAL.len()]);

impl Serialize for External {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(EXTERNAL.len()))?;
        for (name, on) in EXTERNAL.iter().zip(self.0) {
            map.serialize_entry(name, &on)?;
        }
        map.end()
    }
}

/// Tells which ways of signing in the project offers.
pub fn settings(policy: &Policy) -> Settings {
    let external = EXTERNAL.map(|name| match name {
        "anonymous_users" => policy.external_anonymous_users_enabled,
        "email" => policy.external_email_enabled,
        "phone" => policy.external_phone_enabled,
        provider => Builtin::parse(provider).is_some_and(|provider| policy.oauth.providers.contains_key(&provider)),
    });
    Settings {
        external: External(external),
        disable_signup: policy.disable_signup,
        mailer_autoconfirm: policy.mailer_autoconfirm,
        phone_autoconfirm: policy.sms_autoconfirm,
        sms_provider: policy.sms.provider.as_ref().map_or("", SmsProvider::name),
        saml_enabled: policy.saml_enabled,
        saml_private_key_next_configured: false,
        passkeys_enabled: policy.passkey_enabled,
        mfa_enabled: true,
    }
}

/// `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server` (§11.4; OpenID Connect
/// Discovery 1.0 §3, RFC 8414 §2).
#[derive(Clone, Debug, serde::Serialize)]
pub struct OpenidConfiguration {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    scopes_supported: &'static [&'static str],
    response_types_supported: &'static [&'static str],
    response_modes_supported: &'static [&'static str],
    grant_types_supported: &'static [&'static str],
    subject_types_supported: &'static [&'static str],
    id_token_signing_alg_values_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    claims_supported: &'static [&'static str],
    code_challenge_methods_supported: &'static [&'static str],
}

/// What clients of `issuer` look up.
pub fn openid_configuration(issuer: &str, policy: &Policy) -> OpenidConfiguration {
    let base = issuer.trim_end_matches('/');
    let registers = policy.oauth_server_enabled && policy.oauth_server_allow_dynamic_registration;
    OpenidConfiguration {
        issuer: issuer.to_owned(),
        authorization_endpoint: format!("{base}/oauth/authorize"),
        token_endpoint: format!("{base}/oauth/token"),
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        userinfo_endpoint: format!("{base}/oauth/userinfo"),
        registration_endpoint: registers.then(|| format!("{base}/oauth/clients/register")),
        scopes_supported: &["openid", "profile", "email", "phone", "offline_access"],
        response_types_supported: &["code"],
        response_modes_supported: &["query"],
        grant_types_supported: &["authorization_code", "refresh_token"],
        subject_types_supported: &["public"],
        id_token_signing_alg_values_supported: &["RS256", "HS256", "ES256"],
        token_endpoint_auth_methods_supported: &["client_secret_basic", "client_secret_post", "none"],
        claims_supported: &[
            "sub",
            "aud",
            "iss",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "email",
            "email_verified",
            "phone_number",
            "phone_number_verified",
            "name",
            "picture",
            "preferred_username",
            "updated_at",
        ],
        code_challenge_methods_supported: &["S256", "plain"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::policy;
    use crate::provider::ProviderSettings;

    fn shown(document: impl Serialize) -> Value {
        serde_json::to_value(document).unwrap()
    }

    #[test]
    fn keys_stand_in_the_contracts_order() {
        let settings = serde_json::to_string(&settings(&policy())).unwrap();
        let start = r#"{"external":{"anonymous_users":false,"apple":false,"azure":false,"bitbucket":false,"#;
        let end = r#""email":true,"phone":false,"zoom":false},"disable_signup":false,"mailer_autoconfirm":false,"#;
        assert!(settings.starts_with(start) && settings.contains(end), "{settings}");
        assert!(settings.ends_with(r#""passkeys_enabled":false,"mfa_enabled":true}"#), "{settings}");
        let openid = serde_json::to_string(&openid_configuration("https://p", &policy())).unwrap();
        let start = r#"{"issuer":"https://p","authorization_endpoint":"https://p/oauth/authorize","token_endpoint":"#;
        assert!(openid.starts_with(start), "{openid}");
        assert!(openid.ends_with(r#""code_challenge_methods_supported":["S256","plain"]}"#), "{openid}");
    }

    #[test]
    fn settings_have_every_key_of_the_contract() {
        let settings = shown(settings(&policy()));
        let external = settings["external"].as_object().unwrap();
        assert_eq!(external.len(), 26);
        assert!(external.iter().all(|(name, on)| on.as_bool() == Some(name == "email")), "{external:?}");
        assert_eq!(settings["sms_provider"], "");
        assert_eq!(settings["mfa_enabled"], true);
        assert_eq!(settings.as_object().unwrap().len(), 9);
    }

    #[test]
    fn settings_show_the_switches() {
        let mut policy = Policy { mailer_autoconfirm: true, external_anonymous_users_enabled: true, ..policy() };
        policy.oauth.providers.insert(Builtin::Gitlab, ProviderSettings::default());
        policy.oauth.providers.insert(Builtin::X, ProviderSettings::default());
        let settings = shown(settings(&policy));
        assert_eq!(settings["external"]["gitlab"], true);
        assert_eq!(settings["external"]["anonymous_users"], true);
        assert_eq!(settings["external"].get("x"), None);
        assert_eq!(settings["mailer_autoconfirm"], true);
    }

    #[test]
    fn the_issuer_is_verbatim_and_its_slashes_are_not_doubled() {
        let document = shown(openid_configuration("https://p.example/auth/v1/", &policy()));
        assert_eq!(document["issuer"], "https://p.example/auth/v1/");
        assert_eq!(document["token_endpoint"], "https://p.example/auth/v1/oauth/token");
        assert_eq!(document.get("registration_endpoint"), None);
    }

    #[test]
    fn registration_is_told_where_it_is_on() {
        let mut policy = Policy { oauth_server_allow_dynamic_registration: true, ..policy() };
        assert_eq!(shown(openid_configuration("https://p", &policy)).get("registration_endpoint"), None);
        policy.oauth_server_enabled = true;
        let document = shown(openid_configuration("https://p", &policy));
        assert_eq!(document["registration_endpoint"], "https://p/oauth/clients/register");
    }
}
