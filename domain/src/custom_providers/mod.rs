//! Providers of the project's own: `/admin/custom-providers` (`contract/mfa-passkeys-oauth.md` §6).

mod discovery;
mod fields;

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::refusal::{ProviderRefusal, Refusal};
use crate::request::Bearer;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::user::Metadata;

pub use discovery::{document, metadata_missing, metadata_text, metadata_url};
pub use fields::{Fields, identifier, is_reserved_parameter};

/// What all names of custom providers begin with.
pub const PREFIX: &str = "custom:";

/// What the administrator sent: the object as it came. Each call reads it in the contract's order.
pub type Body = serde_json::Map<String, Value>;

/// `GET /admin/custom-providers`. Answers providers, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// The admin.
    pub bearer: Bearer,
    /// `type`, empty for both.
    pub provider_type: String,
}

/// `POST /admin/custom-providers`. Answers the provider.
#[derive(Clone, Debug)]
pub struct Create {
    /// The admin.
    pub bearer: Bearer,
    /// The fields.
    pub body: Result<Body, Refusal>,
}

/// `GET /admin/custom-providers/{identifier}`. Answers the provider.
#[derive(Clone, Debug)]
pub struct Get {
    /// The admin.
    pub bearer: Bearer,
    /// As it stands in the path.
    pub identifier: String,
}

/// `PUT /admin/custom-providers/{identifier}`. Answers the provider.
#[derive(Clone, Debug)]
pub struct Update {
    /// The admin.
    pub bearer: Bearer,
    /// As it stands in the path.
    pub identifier: String,
    /// The fields.
    pub body: Result<Body, Refusal>,
}

/// `DELETE /admin/custom-providers/{identifier}`. Answers nothing.
#[derive(Clone, Debug)]
pub struct Delete {
    /// The admin.
    pub bearer: Bearer,
    /// As it stands in the path.
    pub identifier: String,
}

/// What a custom provider speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OAuth 2.0 with an endpoint that tells who has signed in.
    Oauth2 {
        /// Where browsers go.
        authorization_url: String,
        /// Where codes are traded.
        token_url: String,
        /// Where the profile is.
        userinfo_url: String,
        /// Kept, not used.
        jwks_uri: Option<String>,
    },
    /// OpenID Connect.
    Oidc {
        /// The issuer identifier.
        issuer: String,
        /// Where its metadata is, if not at the standard place.
        discovery_url: Option<String>,
        /// The metadata as it was when the provider was set up, for show.
        discovery_document: Option<Value>,
    },
}

/// A provider of the project's own.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomProvider {
    /// The row.
    pub id: Uuid,
    /// `custom:` and a name.
    pub identifier: String,
    /// For people.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Our id there.
    pub client_id: String,
    /// Our secret there. Never shown.
    pub client_secret: Secret<String>,
    /// Further audiences of ID tokens.
    pub acceptable_client_ids: Vec<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// A challenge is sent.
    pub pkce_enabled: bool,
    /// Claims that stand for others (§6.4).
    pub attribute_mapping: Metadata,
    /// Claims that are kept as they are.
    pub custom_claims_allowlist: Vec<String>,
    /// Parameters of the provider's page.
    pub authorization_params: BTreeMap<String, String>,
    /// It may be used.
    pub enabled: bool,
    /// Who has no address may come in.
    pub email_optional: bool,
    /// The nonce of ID tokens is not compared.
    pub skip_nonce_check: bool,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// The protocol that a list is restricted to; `None` for both.
///
/// # Errors
/// Another word.
pub fn listed_type(word: &str) -> Result<Option<&'static str>, Refusal> {
    match word {
        "" => Ok(None),
        "oauth2" => Ok(Some("oauth2")),
        "oidc" => Ok(Some("oidc")),
        _ => {
            let why = "type must be either 'oauth2' or 'oidc'".to_owned();
            Err(ProviderRefusal::CustomProviderInvalid(why).into())
        }
    }
}
