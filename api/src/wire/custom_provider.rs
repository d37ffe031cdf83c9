//! Custom providers as JSON (`contract/mfa-passkeys-oauth.md` §6.2). The client secret goes in and never comes out.

use std::collections::BTreeMap;

use domain::custom_providers::{CustomProvider, Protocol};
use domain::time::Timestamp;
use domain::user::Metadata;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A provider object, keys in the contract's order.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    id: Uuid,
    provider_type: &'static str,
    identifier: &'a str,
    name: &'a str,
    client_id: &'a str,
    acceptable_client_ids: &'a [String],
    scopes: &'a [String],
    pkce_enabled: bool,
    attribute_mapping: &'a Metadata,
    custom_claims_allowlist: &'a [String],
    authorization_params: &'a BTreeMap<String, String>,
    enabled: bool,
    email_optional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery_url: Option<&'a str>,
    skip_nonce_check: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery_document: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    userinfo_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<&'a str>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> Shown<'a> {
    /// `provider` as an administrator sees it.
    pub(crate) fn of(provider: &'a CustomProvider) -> Self {
        let shown = Self {
            id: provider.id,
            provider_type: "oauth2",
            identifier: &provider.identifier,
            name: &provider.name,
            client_id: &provider.client_id,
            acceptable_client_ids: &provider.acceptable_client_ids,
            scopes: &provider.scopes,
            pkce_enabled: provider.pkce_enabled,
            attribute_mapping: &provider.attribute_mapping,
            custom_claims_allowlist: &provider.custom_claims_allowlist,
            authorization_params: &provider.authorization_params,
            enabled: provider.enabled,
            email_optional: provider.email_optional,
            issuer: None,
            discovery_url: None,
            skip_nonce_check: provider.skip_nonce_check,
            discovery_document: None,
            authorization_url: None,
            token_url: None,
            userinfo_url: None,
            jwks_uri: None,
            created_at: provider.created_at,
            updated_at: provider.updated_at,
        };
        match &provider.protocol {
            Protocol::Oauth2 { authorization_url, token_url, userinfo_url, jwks_uri } => Self {
                authorization_url: Some(authorization_url),
                token_url: Some(token_url),
                userinfo_url: Some(userinfo_url),
                jwks_uri: jwks_uri.as_deref(),
                ..shown
            },
            Protocol::Oidc { issuer, discovery_url, discovery_document } => Self {
                provider_type: "oidc",
                issuer: Some(issuer),
                discovery_url: discovery_url.as_deref(),
                discovery_document: discovery_document.as_ref(),
                ..shown
            },
        }
    }
}

/// The list of them.
#[derive(Serialize)]
pub(crate) struct Listed<'a> {
    providers: Vec<Shown<'a>>,
}

impl<'a> Listed<'a> {
    /// `providers` in their order.
    pub(crate) fn of(providers: &'a [CustomProvider]) -> Self {
        Self { providers: providers.iter().map(Shown::of).collect() }
    }
}
