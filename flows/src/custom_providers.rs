//! `/admin/custom-providers` (`contract/mfa-passkeys-oauth.md` §6). What takes its time, names and metadata, is asked for while
//! no connection is held.

use domain::address::{self, Place};
use domain::custom_providers::{
    Create, CustomProvider, Delete, Fields, Get, List, Protocol, Update, document, identifier, listed_type,
    metadata_url,
};
use domain::provider::Issuer;
use domain::refusal::ProviderRefusal;
use domain::request::Bearer;
use domain::secret::Secret;
use outbound::providers::{ProviderError, ProviderTransport};
use serde_json::Value;
use storage::{StoreError, Tx};

use crate::authenticate;
use crate::context::{Context, Tenant};
use crate::error::{Error, Result};

/// All of them, or those of one protocol.
pub async fn list_custom_providers(ctx: &Context, request: List) -> Result<Vec<CustomProvider>> {
    admit(ctx, &request.bearer).await?;
    let listed = listed_type(&request.provider_type)?;
    Ok(ctx.store().list_custom_providers(listed).await?)
}

/// Adds one.
pub async fn create_custom_provider(ctx: &Context, request: Create) -> Result<CustomProvider> {
    admit(ctx, &request.bearer).await?;
    let fields = Fields::read(request.body?)?;
    let mut provider = fields.make(ctx.entropy().uuid(), ctx.now)?;
    check_nonces(ctx, &fields)?;
    check_quota(ctx, &mut ctx.store().begin().await?).await?;
    check_urls(ctx, &fields.urls(&provider.protocol)).await?;
    if ctx.store().read_custom_provider(&provider.identifier).await?.is_some() {
        return Err(ProviderRefusal::CustomProviderExists.into());
    }
    if let Some(found) = discover(ctx, &provider).await? {
        keep(&mut provider, found);
    }
    seal(ctx, &mut provider);
    let mut tx = ctx.store().begin().await?;
    tx.custom_providers().lock_all().await?;
    check_quota(ctx, &mut tx).await?;
    match tx.custom_providers().insert(&provider).await {
        Err(StoreError::Conflict) => return Err(ProviderRefusal::CustomProviderExists.into()),
        inserted => inserted?,
    }
    tx.commit().await?;
    Ok(provider)
}

/// One of them.
pub async fn get_custom_provider(ctx: &Context, request: Get) -> Result<CustomProvider> {
    admit(ctx, &request.bearer).await?;
    read(ctx, &identifier(&request.identifier)?).await
}

/// Changes one.
pub async fn update_custom_provider(ctx: &Context, request: Update) -> Result<CustomProvider> {
    admit(ctx, &request.bearer).await?;
    let identifier = identifier(&request.identifier)?;
    let fields = Fields::read(request.body?)?;
    fields.check()?;
    check_nonces(ctx, &fields)?;
    let mut wanted = read(ctx, &identifier).await?;
    check_urls(ctx, &fields.urls(&wanted.protocol)).await?;
    let found = if fields.discovers(&wanted.protocol) {
        fields.apply(&mut wanted, ctx.now);
        discover(ctx, &wanted).await?
    } else {
        None
    };
    let mut tx = ctx.store().begin().await?;
    // Whoever changed other fields meanwhile keeps his change.
    let locked = tx.custom_providers().lock(&identifier).await?;
    let mut provider = locked.ok_or(ProviderRefusal::CustomProviderNotFound)?;
    fields.apply(&mut provider, ctx.now);
    if fields.client_secret().is_some() {
        seal(ctx, &mut provider);
    }
    if let Some(found) = found {
        keep(&mut provider, found);
    }
    if !tx.custom_providers().update(&provider).await? {
        return Err(ProviderRefusal::CustomProviderNotFound.into());
    }
    tx.commit().await?;
    Ok(provider)
}

/// Removes one.
pub async fn delete_custom_provider(ctx: &Context, request: Delete) -> Result<()> {
    admit(ctx, &request.bearer).await?;
    let identifier = identifier(&request.identifier)?;
    let mut tx = ctx.store().begin().await?;
    if !tx.custom_providers().delete(&identifier).await? {
        return Err(ProviderRefusal::CustomProviderNotFound.into());
    }
    tx.commit().await?;
    Ok(())
}

/// The secret of a custom provider in clear. Rows of an adopted database hold it so.
pub(crate) fn open_secret(tenant: &Tenant, provider: &CustomProvider) -> Result<Secret<String>> {
    let stored = provider.client_secret.expose();
    match tenant.project_key.open(&purpose(&provider.identifier), stored) {
        Ok(plain) => String::from_utf8(plain).map(Secret::new).map_err(Error::fault),
        Err(error) if crypto::seal::is_sealed(stored) => Err(Error::fault(error)),
        Err(_) => Ok(provider.client_secret.clone()),
    }
}

/// Whether a place is on the public internet: every address of its name.
///
/// # Errors
/// The contract's text (§6.5).
pub(crate) async fn check_place(
    providers: &dyn ProviderTransport,
    place: &Place,
) -> std::result::Result<(), &'static str> {
    const UNRESOLVED: &str = "Unable to resolve hostname";
    let addresses = match place {
        Place::Address(address) => vec![*address],
        Place::Name(host) => providers.resolve(host).await.map_err(|_| UNRESOLVED)?,
    };
    if addresses.is_empty() {
        return Err(UNRESOLVED);
    }
    addresses.into_iter().find_map(address::judge).map_or(Ok(()), Err)
}

/// Administrators, where the project has providers of its own.
async fn admit(ctx: &Context, bearer: &Bearer) -> Result<()> {
    authenticate::admin(ctx, bearer).await?;
    if ctx.policy().oauth.custom_providers_enabled {
        return Ok(());
    }
    Err(ProviderRefusal::CustomProvidersOff.into())
}

async fn read(ctx: &Context, identifier: &str) -> Result<CustomProvider> {
    let found = ctx.store().read_custom_provider(identifier).await?;
    found.ok_or_else(|| ProviderRefusal::CustomProviderNotFound.into())
}

async fn check_quota(ctx: &Context, tx: &mut Tx) -> Result<()> {
    let most = u64::from(ctx.policy().oauth.custom_providers_max);
    if most > 0 && tx.custom_providers().count().await? >= most {
        return Err(ProviderRefusal::CustomProviderQuota.into());
    }
    Ok(())
}

/// Where the project wants nonces, none is left uncompared.
fn check_nonces(ctx: &Context, fields: &Fields) -> Result<()> {
    if ctx.policy().oauth.nonce_required && fields.skips_nonces() {
        return Err(ProviderRefusal::CustomProviderInvalid("skip_nonce_check must be false (OAU-03)".to_owned()).into());
    }
    Ok(())
}

async fn check_urls(ctx: &Context, urls: &[&str]) -> Result<()> {
    for url in urls {
        let checked = match address::place(url) {
            Ok(place) => check_place(&*ctx.services.providers, &place).await,
            Err(why) => Err(why),
        };
        checked.map_err(|why| ProviderRefusal::CustomProviderInvalid(why.to_owned()))?;
    }
    Ok(())
}

/// The metadata of an OpenID provider, and that all it names is on the public internet.
async fn discover(ctx: &Context, provider: &CustomProvider) -> Result<Option<Value>> {
    let Protocol::Oidc { issuer, discovery_url, .. } = &provider.protocol else { return Ok(None) };
    let url = metadata_url(issuer, discovery_url.as_deref());
    let asked = Issuer { issuer: issuer.clone(), discovery_url: discovery_url.clone(), foreign: true };
    let found = ctx.services.providers.discover(&asked).await.map_err(|error| {
        ProviderRefusal::CustomProviderInvalid(match error {
            ProviderError::Discovery(why) => why,
            other => format!("OIDC discovery from \"{url}\" failed: {other}"),
        })
    })?;
    let kept = document(issuer, &url, &found)?;
    let names = ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"];
    let endpoints: Vec<&str> = names.into_iter().filter_map(|name| kept.get(name)?.as_str()).collect();
    check_urls(ctx, &endpoints).await?;
    Ok(Some(kept))
}

fn keep(provider: &mut CustomProvider, found: Value) {
    if let Protocol::Oidc { discovery_document, .. } = &mut provider.protocol {
        *discovery_document = Some(found);
    }
}

fn seal(ctx: &Context, provider: &mut CustomProvider) {
    let plain = provider.client_secret.expose().as_bytes();
    let sealed = ctx.tenant.project_key.seal(&purpose(&provider.identifier), plain, ctx.entropy());
    provider.client_secret = Secret::new(sealed);
}

fn purpose(identifier: &str) -> String {
    format!("custom provider {identifier}")
}
