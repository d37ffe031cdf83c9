//! Providers that people of a project sign in with, and whether they can be used.

use domain::custom_providers::{CustomProvider, PREFIX, Protocol};
use domain::ids::ProjectRef;
use domain::provider::{Builtin, Connection};

use super::{Error, Management, Result};
use crate::connection;
use crate::context::Tenant;
use crate::source::{ControlSource, TenantSource};

/// A provider as a project uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderView {
    /// The name in requests and in identities.
    pub name: String,
    /// `builtin`, `oauth2`, `oidc`.
    pub kind: &'static str,
    /// People may use it.
    pub enabled: bool,
    /// Our id there.
    pub client_id: String,
    /// What is to be registered there.
    pub redirect_uri: String,
    /// A client secret is set, or a key that makes them.
    pub has_secret: bool,
}

/// What was found when a provider was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderTest {
    /// Its name.
    pub provider: String,
    /// Nothing failed.
    pub healthy: bool,
    /// What was looked at.
    pub checks: Vec<CheckView>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckView {
    /// What: `settings`, `discovery`, `keys`, `secret`, `redirect`.
    pub name: String,
    /// `ok`, `failed`; `warning` where it cannot be known from here.
    pub state: &'static str,
    /// For the operator.
    pub detail: String,
}

impl Management {
    /// The built-in providers that are on, by name, then those of the project's own, newest first.
    pub async fn providers(&self, project: &ProjectRef) -> Result<Vec<ProviderView>> {
        let tenant = self.tenant(project).await?;
        let redirect_uri = tenant.callback_uri();
        let builtin = tenant.policy.oauth.providers.iter().map(|(provider, settings)| ProviderView {
            name: provider.name().to_owned(),
            kind: "builtin",
            enabled: true,
            client_id: settings.client_ids.first().cloned().unwrap_or_default(),
            redirect_uri: redirect_uri.clone(),
            has_secret: !settings.secret.expose().is_empty() || settings.client_key.is_some(),
        });
        let own = tenant.store.list_custom_providers(None).await?;
        let switch = tenant.policy.oauth.custom_providers_enabled;
        let own = own.into_iter().map(|provider| ProviderView {
            kind: kind(&provider),
            enabled: provider.enabled && switch,
            redirect_uri: redirect_uri.clone(),
            has_secret: !provider.client_secret.expose().is_empty(),
            client_id: provider.client_id,
            name: provider.identifier,
        });
        Ok(builtin.chain(own).collect())
    }

    /// Looks whether a provider can be used, as far as can be known without a person who signs in. One of the project's own may be
    /// tried before it is enabled.
    pub async fn test_provider(&self, project: &ProjectRef, name: &str) -> Result<ProviderTest> {
        let tenant = self.tenant(project).await?;
        let name = name.to_ascii_lowercase();
        let mut checks = Vec::new();
        match self.connected(&tenant, &name).await? {
            Ok(connection) => {
                checks.push(check("settings", Some(true), "everything that is needed is set".to_owned()));
                let examined = self.providers.examine(&connection).await;
                checks.extend(examined.into_iter().map(|found| check(found.name, found.passed, found.detail)));
            }
            Err(why) => checks.push(check("settings", Some(false), why)),
        }
        let healthy = checks.iter().all(|check| check.state != "failed");
        Ok(ProviderTest { provider: name, healthy, checks })
    }

    async fn connected(&self, tenant: &Tenant, name: &str) -> Result<std::result::Result<Connection, String>> {
        if !name.starts_with(PREFIX) {
            Builtin::parse(name).ok_or(Error::NotFound)?;
            return Ok(connection::of(tenant, name).await?);
        }
        let provider = tenant.store.read_custom_provider(name).await?.ok_or(Error::NotFound)?;
        Ok(Ok(connection::custom(tenant, provider)?))
    }

    /// The project as it is served.
    pub(super) async fn tenant(&self, project: &ProjectRef) -> Result<Tenant> {
        let source = ControlSource {
            control: self.control.clone(),
            master_key: self.master_key.clone(),
            defaults: self.defaults.clone(),
            urls: self.urls.clone(),
            databases: self.databases.clone(),
        };
        source.load(project).await?.ok_or(Error::NotFound)
    }
}

fn kind(provider: &CustomProvider) -> &'static str {
    match provider.protocol {
        Protocol::Oauth2 { .. } => "oauth2",
        Protocol::Oidc { .. } => "oidc",
    }
}

fn check(name: &str, passed: Option<bool>, detail: String) -> CheckView {
    let state = match passed {
        Some(true) => "ok",
        Some(false) => "failed",
        None => "warning",
    };
    CheckView { name: name.to_owned(), state, detail }
}
