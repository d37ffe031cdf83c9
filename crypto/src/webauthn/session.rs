//! What is kept of a ceremony between its options and its answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::config::UserVerification;
use domain::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What is kept with a challenge, in the form that the reference writes and reads (`contract/mfa-passkeys-oauth.md`
/// §1.2). That it has not expired is for the caller to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionData {
    /// The challenge as base64url.
    pub challenge: String,
    /// The relying party's id.
    #[serde(rename = "rpId", default)]
    pub rp_id: String,
    /// The user handle; empty when any user may answer.
    #[serde(default)]
    pub user_id: Bytes,
    /// The credentials that were asked for; any when empty.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub allowed_credentials: Vec<Bytes>,
    /// When it ends.
    pub expires: Timestamp,
    /// `required` when the authenticator must know its user.
    #[serde(rename = "userVerification", default)]
    pub user_verification: String,
    /// Extensions that were asked for. We ask for none and look at none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub extensions: Value,
    /// The key types that were offered; empty in an authentication, and never in a registration.
    #[serde(rename = "credParams", default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub cred_params: Vec<CredentialParameter>,
    /// How the browser was to ask. We leave that to the page.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mediation: String,
}

/// A type of key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialParameter {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its number in the COSE registry.
    pub alg: i64,
}

impl SessionData {
    /// Reads the stored form.
    pub fn from_stored_json(stored: &Value) -> Option<Self> {
        Self::deserialize(stored).ok()
    }

    /// The stored form.
    pub fn stored_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The same as the project wants it now: a verification that is required since the challenge was given is required of
    /// its answer, too.
    #[must_use]
    pub fn under(mut self, verification: UserVerification) -> Self {
        if verification == UserVerification::Required {
            verification.as_str().clone_into(&mut self.user_verification);
        }
        self
    }

    pub(super) fn requires_user_verification(&self) -> bool {
        self.user_verification == UserVerification::Required.as_str()
    }
}

/// Bytes that are stored as base64 with padding. No bytes are written as `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            serializer.serialize_none()
        } else {
            serializer.serialize_str(&STANDARD.encode(&self.0))
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
