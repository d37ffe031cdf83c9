//! A provider as a project uses it: what the project has set for a name (`contract/mfa-passkeys-oauth.md` §3.2, §6.6).

use domain::config::policy::PkceRequired;
use domain::custom_providers::{CustomProvider, PREFIX};
use domain::provider::{Builtin, Connection, Kind, ProviderSettings};
use storage::Tx;

use crate::context::{Context, Tenant};
use crate::custom_providers;
use crate::error::Result;

/// Why no provider of the project's own can be used.
const DISABLED: &str = "custom OAuth providers are disabled";

/// The provider that `name` stands for in any case, or why it cannot be used, in the words of the contract.
pub(crate) async fn of(tenant: &Tenant, name: &str) -> Result<std::result::Result<Connection, String>> {
    let name = name.to_ascii_lowercase();
    if name.starts_with(PREFIX) {
        return own(tenant, &name).await;
    }
    Ok(builtin(tenant, &name))
}

/// Whether the provider that a flow went to can still be used, inside `tx`; else why not.
pub(crate) async fn is_usable(ctx: &Context, tx: &mut Tx, name: &str) -> Result<std::result::Result<(), String>> {
    if !name.starts_with(PREFIX) {
        return Ok(builtin(&ctx.tenant, name).map(drop));
    }
    let found = match ctx.policy().oauth.custom_providers_enabled {
        true => tx.custom_providers().lock(name).await?,
        false => return Ok(Err(DISABLED.to_owned())),
    };
    Ok(enabled(name, found).map(drop))
}

/// One of the project's own, whether or not it is enabled.
pub(crate) fn custom(tenant: &Tenant, provider: CustomProvider) -> Result<Connection> {
    let secret = custom_providers::open_secret(tenant, &provider)?;
    let settings = ProviderSettings {
        client_ids: std::iter::once(&provider.client_id).chain(&provider.acceptable_client_ids).cloned().collect(),
        secret,
        client_key: None,
        url: None,
        email_optional: provider.email_optional,
        skip_nonce_check: provider.skip_nonce_check,
    };
    Ok(connection(tenant, provider.identifier.clone(), Kind::Custom(Box::new(provider)), settings))
}

async fn own(tenant: &Tenant, name: &str) -> Result<std::result::Result<Connection, String>> {
    if !tenant.policy.oauth.custom_providers_enabled {
        return Ok(Err(DISABLED.to_owned()));
    }
    let found = tenant.store.read_custom_provider(name).await?;
    match enabled(name, found) {
        Ok(provider) => custom(tenant, provider).map(Ok),
        Err(reason) => Ok(Err(reason)),
    }
}

fn enabled(name: &str, found: Option<CustomProvider>) -> std::result::Result<CustomProvider, String> {
    let provider = found.ok_or_else(|| format!("custom provider {name} not found"))?;
    if provider.enabled { Ok(provider) } else { Err(format!("custom provider {name} is disabled")) }
}

fn builtin(tenant: &Tenant, name: &str) -> std::result::Result<Connection, String> {
    let provider = Builtin::parse(name).ok_or_else(|| format!("Provider {name} could not be found"))?;
    let settings = tenant.policy.oauth.providers.get(&provider).ok_or("provider is not enabled")?;
    if settings.client_ids.is_empty() {
        return Err("missing OAuth client ID".to_owned());
    }
    if settings.secret.expose().is_empty() && settings.client_key.is_none() {
        return Err("missing OAuth secret".to_owned());
    }
    if provider == Builtin::Keycloak && settings.url.is_none() {
        return Err("unable to find URL for the Keycloak provider".to_owned());
    }
    Ok(connection(tenant, name.to_owned(), Kind::Builtin(provider), settings.clone()))
}

fn connection(tenant: &Tenant, name: String, kind: Kind, settings: ProviderSettings) -> Connection {
    let policy = &tenant.policy;
    Connection {
        name,
        kind,
        settings,
        redirect_uri: format!("{}/callback", tenant.base_url),
        strict: policy.oauth.nonce_required || policy.pkce_required != PkceRequired::Off,
    }
}
