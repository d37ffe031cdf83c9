//! Settings of the providers that people sign in with (`contract/mfa-passkeys-oauth.md` §4.1, `contract/management.md` §1.4.11).

use std::collections::BTreeMap;

use crate::config::format::list;
use crate::config::policy::Reader;
use crate::provider::{Builtin, ClientKey, ProviderSettings};
use crate::secret::Secret;

/// How a project signs people in at other places.
#[derive(Clone, Debug, Default)]
pub struct OauthSettings {
    /// The built-in providers that are on.
    pub providers: BTreeMap<Builtin, ProviderSettings>,
    /// The realm of Keycloak, on or off: refusals name it.
    pub keycloak_realm: Option<String>,
    /// Scopes that clients may ask for; `None` = any.
    pub scopes_allowed: Option<Vec<String>>,
    /// The state is bound to the browser by a cookie.
    pub state_cookie: bool,
    /// A nonce is sent and demanded wherever there are ID tokens.
    pub nonce_required: bool,
    /// A verified address leads to the account that has it. Off: a new identity is a new account, or is refused.
    pub automatic_linking: bool,
    /// Linking domains by provider; providers without one share the default (§3.5).
    pub linking_domains: BTreeMap<String, String>,
    /// Issuers of which ID tokens are taken with the client id that the request names.
    pub id_token_issuers: Vec<String>,
    /// The project has providers of its own.
    pub custom_providers_enabled: bool,
    /// How many, at most; 0 = as many as it likes.
    pub custom_providers_max: u32,
    /// Sign-ins with Ethereum wallets.
    pub web3_ethereum: bool,
    /// Sign-ins with Solana wallets.
    pub web3_solana: bool,
    /// A signed message is good once.
    pub web3_single_use: bool,
}

impl OauthSettings {
    pub(crate) fn read(read: &Reader<'_>) -> Self {
        let scopes = read.text("external_scopes_allowed");
        let domains = read.text("external_linking_domains");
        Self {
            providers: Builtin::ALL
                .iter()
                .filter_map(|provider| Some((*provider, settings(*provider, read)?)))
                .collect(),
            keycloak_realm: url(Builtin::Keycloak, read),
            scopes_allowed: (!scopes.is_empty()).then(|| list(&scopes).map(str::to_owned).collect()),
            state_cookie: read.on("security_oauth_state_cookie_enabled"),
            nonce_required: read.on("security_oauth_nonce_required"),
            automatic_linking: read.on("security_automatic_linking_enabled"),
            linking_domains: list(&domains)
                .filter_map(|entry| entry.split_once('='))
                .map(|(provider, domain)| (provider.trim().to_owned(), domain.trim().to_owned()))
                .collect(),
            id_token_issuers: list(&read.text("external_id_token_issuers")).map(str::to_owned).collect(),
            custom_providers_enabled: read.on("custom_oauth_enabled"),
            custom_providers_max: read.limit("custom_oauth_max_providers"),
            web3_ethereum: read.on("external_web3_ethereum_enabled"),
            web3_solana: read.on("external_web3_solana_enabled"),
            web3_single_use: read.on("security_web3_single_use_enabled"),
        }
    }

    /// The linking domain of a provider: identities of one domain are joined by their verified addresses.
    pub fn linking_domain<'a>(&'a self, provider: &'a str) -> &'a str {
        if provider.starts_with("sso:") {
            return provider;
        }
        self.linking_domains.get(provider).map_or("default", String::as_str)
    }
}

/// The settings of a provider that is on.
fn settings(provider: Builtin, read: &Reader<'_>) -> Option<ProviderSettings> {
    let name = |suffix: &str| format!("external_{}_{suffix}", provider.name());
    if !read.on(&name("enabled")) {
        return None;
    }
    // Not every provider has every field.
    let text = |suffix: &str| read.text_if_any(&name(suffix));
    let on = |suffix: &str| read.on_if_any(&name(suffix));
    let further = text("additional_client_ids");
    let client_ids = list(&text("client_id")).chain(list(&further)).map(str::to_owned).collect();
    let private_key = text("private_key");
    let client_key = (!private_key.is_empty()).then(|| ClientKey {
        team_id: text("team_id"),
        key_id: text("key_id"),
        private_key: Secret::new(private_key),
    });
    Some(ProviderSettings {
        client_ids,
        secret: Secret::new(text("secret")),
        client_key,
        url: url(provider, read),
        email_optional: on("email_optional"),
        skip_nonce_check: on("skip_nonce_check"),
    })
}

/// What takes the place of a provider's own address.
fn url(provider: Builtin, read: &Reader<'_>) -> Option<String> {
    let url = read.text_if_any(&format!("external_{}_url", provider.name()));
    Some(url.trim_end_matches('/').to_owned()).filter(|url| !url.is_empty())
}
