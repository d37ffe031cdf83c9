//! Public documents of a project (`contract/core.md` §11).

use serde_json::{Map, Value, json};

use crate::config::{Policy, SmsProvider};

/// The social providers the settings tell of, also those that cannot be configured.
const PROVIDERS: [&str; 23] = [
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
    "zoom",
];

/// `GET /settings` (§11.2), with `mfa_enabled` beside the contract's keys.
pub fn settings(policy: &Policy) -> Value {
    let mut external: Map<String, Value> =
        PROVIDERS.iter().map(|name| ((*name).to_owned(), policy.providers.contains(name).into())).collect();
    external.insert("anonymous_users".to_owned(), policy.external_anonymous_users_enabled.into());
    external.insert("email".to_owned(), policy.external_email_enabled.into());
    external.insert("phone".to_owned(), policy.external_phone_enabled.into());
    json!({
        "external": external,
        "disable_signup": policy.disable_signup,
        "mailer_autoconfirm": policy.mailer_autoconfirm,
        "phone_autoconfirm": policy.sms_autoconfirm,
        "sms_provider": policy.sms.provider.as_ref().map_or("", SmsProvider::name),
        "saml_enabled": policy.saml_enabled,
        "saml_private_key_next_configured": false,
        "passkeys_enabled": policy.passkey_enabled,
        "mfa_enabled": true,
    })
}

/// `GET /.well-known/openid-configuration` and `/.well-known/oauth-authorization-server` (§11.4; OpenID Connect
/// Discovery 1.0 §3, RFC 8414 §2).
pub fn openid_configuration(issuer: &str, policy: &Policy) -> Value {
    let base = issuer.trim_end_matches('/');
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/oauth/authorize"),
        "token_endpoint": format!("{base}/oauth/token"),
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "userinfo_endpoint": format!("{base}/oauth/userinfo"),
        "scopes_supported": ["openid", "profile", "email", "phone", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "HS256", "ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "claims_supported": [
            "sub", "aud", "iss", "exp", "iat", "auth_time", "nonce", "email", "email_verified", "phone_number",
            "phone_number_verified", "name", "picture", "preferred_username", "updated_at"
        ],
        "code_challenge_methods_supported": ["S256", "plain"],
    });
    let registers = policy.oauth_server_enabled && policy.oauth_server_allow_dynamic_registration;
    if let (true, Some(members)) = (registers, document.as_object_mut()) {
        members.insert("registration_endpoint".to_owned(), format!("{base}/oauth/clients/register").into());
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::policy;

    #[test]
    fn settings_have_every_key_of_the_contract() {
        let settings = settings(&policy());
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
        policy.providers.insert("gitlab");
        policy.providers.insert("x");
        let settings = settings(&policy);
        assert_eq!(settings["external"]["gitlab"], true);
        assert_eq!(settings["external"]["anonymous_users"], true);
        assert_eq!(settings["external"].get("x"), None);
        assert_eq!(settings["mailer_autoconfirm"], true);
    }

    #[test]
    fn the_issuer_is_verbatim_and_its_slashes_are_not_doubled() {
        let document = openid_configuration("https://p.example/auth/v1/", &policy());
        assert_eq!(document["issuer"], "https://p.example/auth/v1/");
        assert_eq!(document["token_endpoint"], "https://p.example/auth/v1/oauth/token");
        assert_eq!(document.get("registration_endpoint"), None);
    }

    #[test]
    fn registration_is_told_where_it_is_on() {
        let mut policy = Policy { oauth_server_allow_dynamic_registration: true, ..policy() };
        assert_eq!(openid_configuration("https://p", &policy).get("registration_endpoint"), None);
        policy.oauth_server_enabled = true;
        let document = openid_configuration("https://p", &policy);
        assert_eq!(document["registration_endpoint"], "https://p/oauth/clients/register");
    }
}
