//! What browsers post: a `PublicKeyCredential` as JSON, bytes as base64url (W3C Web Authentication Level 3 §5.1.8).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::bytes::{base64url, from_base64url_lenient};
use crate::webauthn::authenticator_data::MAX_ID;
use crate::webauthn::error::Malformed;

/// Characters of a credential, at most. The largest attestations have some 10,000.
const MAX_LENGTH: usize = 65_536;

/// A credential with the response of one ceremony.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Posted<R> {
    id: Base64Url,
    #[serde(rename = "rawId")]
    raw_id: Base64Url,
    #[serde(rename = "type")]
    kind: String,
    pub(super) response: R,
    #[serde(rename = "clientExtensionResults")]
    extensions: Option<Map<String, Value>>,
    #[serde(rename = "authenticatorAttachment")]
    attachment: Option<String>,
}

impl<R: for<'de> Deserialize<'de> + Serialize> Posted<R> {
    pub(super) fn parse(credential: &Value) -> Result<Self, Malformed> {
        if credential.to_string().len() > MAX_LENGTH {
            return Err(Malformed("it is too long"));
        }
        let posted = Self::deserialize(credential).map_err(|_| Malformed("it is not what browsers send"))?;
        if posted.kind != "public-key" {
            return Err(Malformed("it is no public key"));
        }
        if posted.id != posted.raw_id || posted.id.0.is_empty() || posted.id.0.len() > MAX_ID {
            return Err(Malformed("its id is empty, too long or contradicts itself"));
        }
        Ok(posted)
    }

    pub(super) fn id(&self) -> &[u8] {
        &self.id.0
    }

    /// `platform`, `cross-platform` or empty.
    pub(super) fn attachment(&self) -> &str {
        let known = self.attachment.as_deref().filter(|text| matches!(*text, "platform" | "cross-platform"));
        known.unwrap_or_default()
    }

    /// The whole of it as the reference shows it, around the `response` that was read.
    pub(super) fn shown(&self, response: Value) -> Value {
        let id = base64url(self.id());
        let mut raw = json!({ "id": id, "rawId": id, "type": self.kind, "response": self.response });
        let mut shown = json!({
            "ID": id,
            "Type": self.kind,
            "rawId": STANDARD.encode(self.id()),
            "Response": response,
        });
        for part in [&mut raw, &mut shown] {
            let Some(part) = part.as_object_mut() else { continue };
            if !self.attachment().is_empty() {
                part.insert("authenticatorAttachment".to_owned(), self.attachment().into());
            }
            if let Some(extensions) = self.extensions.as_ref().filter(|extensions| !extensions.is_empty()) {
                part.insert("clientExtensionResults".to_owned(), extensions.clone().into());
            }
        }
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("Raw".to_owned(), raw);
        }
        storable(shown)
    }
}

/// Bytes as base64url, padded or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base64Url(pub(super) Vec<u8>);

impl Serialize for Base64Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = from_base64url_lenient(text.trim_end_matches('='));
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("not base64url"))
    }
}

/// The value with what no database can hold, NUL characters, replaced: texts inside of CBOR and client data have passed
/// no other check.
fn storable(value: Value) -> Value {
    let clean = |text: String| if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text };
    match value {
        Value::String(text) => clean(text).into(),
        Value::Array(items) => items.into_iter().map(storable).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (clean(key), storable(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}
