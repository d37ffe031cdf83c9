//! The fields of a custom provider as they are sent (`contract/mfa-passkeys-oauth.md` §6.2 to §6.4).

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{Body, CustomProvider, PREFIX, Protocol};
use crate::refusal::{ProviderRefusal, Refusal};
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::user::Metadata;

/// Parameters of an authorization request that are the server's (§6.3).
const RESERVED_PARAMETERS: [&str; 9] = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "state",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "nonce",
];

/// Claims that no mapping writes.
const PROTECTED_CLAIMS: [&str; 13] = [
    "id",
    "aud",
    "role",
    "app_metadata",
    "created_at",
    "updated_at",
    "confirmed_at",
    "email_confirmed_at",
    "phone_confirmed_at",
    "email_verified",
    "phone_verified",
    "banned_until",
    "is_super_admin",
];

/// Whether a parameter of this name is the server's, in any case: a row that nobody here has checked may hold one.
pub fn is_reserved_parameter(name: &str) -> bool {
    RESERVED_PARAMETERS.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

const LONGEST_IDENTIFIER: usize = 50;
const LONGEST_NAME: usize = 100;
const LONGEST_CLIENT_ID: usize = 512;
const LONGEST_URL: usize = 2048;

/// What was sent, each field of its type. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    provider_type: String,
    identifier: String,
    name: String,
    client_id: String,
    client_secret: Secret<String>,
    acceptable_client_ids: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    pkce_enabled: Option<bool>,
    attribute_mapping: Option<Metadata>,
    custom_claims_allowlist: Option<Vec<String>>,
    authorization_params: Option<Metadata>,
    enabled: Option<bool>,
    email_optional: Option<bool>,
    issuer: String,
    discovery_url: Option<String>,
    skip_nonce_check: Option<bool>,
    authorization_url: String,
    token_url: String,
    userinfo_url: String,
    jwks_uri: Option<String>,
}

impl Fields {
    /// Reads the fields; unknown ones are ignored.
    ///
    /// # Errors
    /// A field of another type than it has.
    pub fn read(body: Body) -> Result<Self, Refusal> {
        let mut body = Reader(body);
        Ok(Self {
            provider_type: body.text("provider_type")?.unwrap_or_default(),
            identifier: body.text("identifier")?.unwrap_or_default(),
            name: body.text("name")?.unwrap_or_default(),
            client_id: body.text("client_id")?.unwrap_or_default(),
            client_secret: Secret::new(body.text("client_secret")?.unwrap_or_default()),
            acceptable_client_ids: body.texts("acceptable_client_ids")?,
            scopes: body.texts("scopes")?,
            pkce_enabled: body.flag("pkce_enabled")?,
            attribute_mapping: body.object("attribute_mapping")?,
            custom_claims_allowlist: body.texts("custom_claims_allowlist")?,
            authorization_params: body.object("authorization_params")?,
            enabled: body.flag("enabled")?,
            email_optional: body.flag("email_optional")?,
            issuer: body.text("issuer")?.unwrap_or_default(),
            discovery_url: body.text("discovery_url")?,
            skip_nonce_check: body.flag("skip_nonce_check")?,
            authorization_url: body.text("authorization_url")?.unwrap_or_default(),
            token_url: body.text("token_url")?.unwrap_or_default(),
            userinfo_url: body.text("userinfo_url")?.unwrap_or_default(),
            jwks_uri: body.text("jwks_uri")?,
        })
    }

    /// The provider that the fields describe, its secret in clear, its metadata not yet discovered.
    ///
    /// # Errors
    /// The first rule that does not hold, in the contract's order; then what the schema bounds.
    pub fn make(&self, id: Uuid, now: Timestamp) -> Result<CustomProvider, Refusal> {
        if !matches!(self.provider_type.as_str(), "oauth2" | "oidc") {
            return Err(invalid("provider_type must be either 'oauth2' or 'oidc'"));
        }
        required("identifier", &self.identifier)?;
        check_prefix(&self.identifier)?;
        required("name", &self.name)?;
        required("client_id", &self.client_id)?;
        required("client_secret", self.client_secret.expose())?;
        let protocol = self.protocol()?;
        self.check()?;
        check_identifier(&self.identifier)?;
        let mut provider = CustomProvider {
            id,
            identifier: self.identifier.clone(),
            name: String::new(),
            protocol,
            client_id: String::new(),
            client_secret: Secret::default(),
            acceptable_client_ids: Vec::new(),
            scopes: Vec::new(),
            pkce_enabled: true,
            attribute_mapping: Metadata::new(),
            custom_claims_allowlist: Vec::new(),
            authorization_params: BTreeMap::new(),
            enabled: true,
            email_optional: false,
            skip_nonce_check: false,
            created_at: now,
            updated_at: now,
        };
        if matches!(provider.protocol, Protocol::Oidc { .. }) {
            provider.scopes = with_openid(&[]);
        }
        self.apply(&mut provider, now);
        Ok(provider)
    }

    fn protocol(&self) -> Result<Protocol, Refusal> {
        if self.provider_type == "oidc" {
            if self.issuer.is_empty() {
                return Err(invalid("issuer is required for OIDC providers"));
            }
            return Ok(Protocol::Oidc { issuer: self.issuer.clone(), discovery_url: None, discovery_document: None });
        }
        for (name, url) in [
            ("authorization_url", &self.authorization_url),
            ("token_url", &self.token_url),
            ("userinfo_url", &self.userinfo_url),
        ] {
            if url.is_empty() {
                return Err(invalid(format!("{name} is required for OAuth2 providers")));
            }
        }
        Ok(Protocol::Oauth2 {
            authorization_url: self.authorization_url.clone(),
            token_url: self.token_url.clone(),
            userinfo_url: self.userinfo_url.clone(),
            jwks_uri: None,
        })
    }

    /// What holds for new and changed providers alike.
    ///
    /// # Errors
    /// The first rule that does not hold, in the contract's order; then what the schema bounds.
    pub fn check(&self) -> Result<(), Refusal> {
        for (key, value) in self.authorization_params.iter().flatten() {
            if RESERVED_PARAMETERS.contains(&key.as_str()) {
                return Err(invalid(format!("Cannot override reserved OAuth parameter: {key}")));
            }
            if !value.is_string() {
                return Err(invalid(format!("Authorization parameter \"{key}\" must be a string")));
            }
        }
        let mapped = self.attribute_mapping.iter().flat_map(Metadata::keys);
        if let Some(key) = mapped.into_iter().find(|key| PROTECTED_CLAIMS.contains(&key.as_str())) {
            return Err(invalid(format!("Cannot map to protected system field: {key}")));
        }
        if self.custom_claims_allowlist.iter().flatten().any(|claim| claim.trim().is_empty()) {
            return Err(invalid("custom_claims_allowlist entries must be non-empty strings"));
        }
        bounded("name", &self.name, LONGEST_NAME)?;
        bounded("client_id", &self.client_id, LONGEST_CLIENT_ID)?;
        for (name, url) in [
            ("issuer", self.issuer.as_str()),
            ("discovery_url", self.discovery_url.as_deref().unwrap_or_default()),
            ("authorization_url", &self.authorization_url),
            ("token_url", &self.token_url),
            ("userinfo_url", &self.userinfo_url),
            ("jwks_uri", self.jwks_uri.as_deref().unwrap_or_default()),
        ] {
            bounded(name, url, LONGEST_URL)?;
        }
        Ok(())
    }

    /// The URLs that were sent and that a provider of this protocol is reached at, in the order they are looked at.
    pub fn urls(&self, protocol: &Protocol) -> Vec<&str> {
        let urls: Vec<&str> = match protocol {
            Protocol::Oauth2 { .. } => vec![
                &self.authorization_url,
                &self.token_url,
                &self.userinfo_url,
                self.jwks_uri.as_deref().unwrap_or_default(),
            ],
            Protocol::Oidc { .. } => vec![&self.issuer, self.discovery_url.as_deref().unwrap_or_default()],
        };
        urls.into_iter().filter(|url| !url.is_empty()).collect()
    }

    /// Whether the metadata of a provider of this protocol must be fetched for the fields.
    pub fn discovers(&self, protocol: &Protocol) -> bool {
        matches!(protocol, Protocol::Oidc { .. }) && (!self.issuer.is_empty() || self.discovery_url.is_some())
    }

    /// Writes the fields into `provider`: texts that are not empty, everything else that is there.
    pub fn apply(&self, provider: &mut CustomProvider, now: Timestamp) {
        replace(&mut provider.name, &self.name);
        replace(&mut provider.client_id, &self.client_id);
        if !self.client_secret.expose().is_empty() {
            provider.client_secret = self.client_secret.clone();
        }
        take(&mut provider.acceptable_client_ids, &self.acceptable_client_ids);
        take(&mut provider.pkce_enabled, &self.pkce_enabled);
        take(&mut provider.attribute_mapping, &self.attribute_mapping);
        take(&mut provider.custom_claims_allowlist, &self.custom_claims_allowlist);
        take(&mut provider.enabled, &self.enabled);
        take(&mut provider.email_optional, &self.email_optional);
        if let Some(parameters) = &self.authorization_params {
            let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
            provider.authorization_params = parameters.iter().filter_map(text).collect();
        }
        match &mut provider.protocol {
            Protocol::Oauth2 { authorization_url, token_url, userinfo_url, jwks_uri } => {
                replace(authorization_url, &self.authorization_url);
                replace(token_url, &self.token_url);
                replace(userinfo_url, &self.userinfo_url);
                replace_optional(jwks_uri, self.jwks_uri.as_ref());
                take(&mut provider.scopes, &self.scopes);
            }
            Protocol::Oidc { issuer, discovery_url, .. } => {
                replace(issuer, &self.issuer);
                replace_optional(discovery_url, self.discovery_url.as_ref());
                take(&mut provider.skip_nonce_check, &self.skip_nonce_check);
                if let Some(scopes) = &self.scopes {
                    provider.scopes = with_openid(scopes);
                }
            }
        }
        provider.updated_at = now;
    }

    /// Whether nonces are to be compared no more.
    pub fn skips_nonces(&self) -> bool {
        self.skip_nonce_check == Some(true)
    }

    /// The secret that was sent, `None` where there is none.
    pub fn client_secret(&self) -> Option<&Secret<String>> {
        Some(&self.client_secret).filter(|secret| !secret.expose().is_empty())
    }
}

/// The identifier that a path names, with its percent-encoding undone.
///
/// # Errors
/// It has not the prefix of all of them.
pub fn identifier(path: &str) -> Result<String, Refusal> {
    let identifier = decoded(path).unwrap_or_else(|| path.to_owned());
    check_prefix(&identifier)?;
    Ok(identifier)
}

fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Scopes without which there is no ID token.
fn with_openid(scopes: &[String]) -> Vec<String> {
    let missing = (!scopes.iter().any(|scope| scope == "openid")).then(|| "openid".to_owned());
    missing.into_iter().chain(scopes.iter().cloned()).collect()
}

fn replace(target: &mut String, given: &str) {
    if !given.is_empty() {
        given.clone_into(target);
    }
}

fn replace_optional(target: &mut Option<String>, given: Option<&String>) {
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        *target = Some(given.clone());
    }
}

fn take<T: Clone>(target: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        target.clone_from(given);
    }
}

fn required(name: &str, text: &str) -> Result<(), Refusal> {
    if text.is_empty() { Err(invalid(format!("{name} is required"))) } else { Ok(()) }
}

fn bounded(name: &str, text: &str, longest: usize) -> Result<(), Refusal> {
    if text.chars().count() <= longest {
        return Ok(());
    }
    Err(invalid(format!("{name} must have at most {longest} characters")))
}

fn check_prefix(identifier: &str) -> Result<(), Refusal> {
    if identifier.starts_with(PREFIX) {
        return Ok(());
    }
    Err(invalid(format!("identifier must start with '{PREFIX}' prefix, e.g. '{PREFIX}{identifier}'")))
}

/// The form that the schema demands.
fn check_identifier(identifier: &str) -> Result<(), Refusal> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| letter(byte) || matches!(byte, b':' | b'-');
    let sound = identifier.len() <= LONGEST_IDENTIFIER
        && identifier.bytes().all(inner)
        && identifier.bytes().next_back().is_some_and(letter);
    if sound {
        return Ok(());
    }
    Err(invalid(format!(
        "identifier must have at most {LONGEST_IDENTIFIER} lower-case letters, digits, colons and hyphens, and end in a letter or digit"
    )))
}

fn invalid(why: impl Into<String>) -> Refusal {
    ProviderRefusal::CustomProviderInvalid(why.into()).into()
}

/// Takes fields out of a body: names in any case, `null` is absent.
struct Reader(Body);

impl Reader {
    fn any(&mut self, name: &str) -> Option<Value> {
        let key = self.0.keys().rfind(|key| key.eq_ignore_ascii_case(name)).cloned()?;
        self.0.remove(&key).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.any(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(name, "a string")),
        }
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.any(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(wrong_type(name, "a boolean")),
        }
    }

    fn object(&mut self, name: &str) -> Result<Option<Metadata>, Refusal> {
        match self.any(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(wrong_type(name, "an object")),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let wrong = || wrong_type(name, "a list of strings");
        let text = |value| if let Value::String(text) = value { Ok(text) } else { Err(wrong()) };
        match self.any(name) {
            None => Ok(None),
            Some(Value::Array(list)) => list.into_iter().map(text).collect::<Result<_, _>>().map(Some),
            Some(_) => Err(wrong()),
        }
    }
}

fn wrong_type(name: &str, wanted: &str) -> Refusal {
    Refusal::BadJson(format!("field {name} must be {wanted}"))
}

#[cfg(test)]
mod tests;
