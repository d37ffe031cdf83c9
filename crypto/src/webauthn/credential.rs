//! Credentials: what is kept of them and what their use tells.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::webauthn::options::Descriptor;

/// What an authenticator said of itself and its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Somebody touched it.
    pub user_present: bool,
    /// It knew its user, by a PIN or a finger.
    pub user_verified: bool,
    /// The credential may be copied to other devices. Never changes.
    pub backup_eligible: bool,
    /// The credential has been copied.
    pub backup_state: bool,
}

/// A credential that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCredential {
    /// Its id.
    pub id: Vec<u8>,
    /// Its public key, a COSE key.
    pub public_key: Vec<u8>,
    /// The model of the authenticator; zero where it does not tell.
    pub aaguid: Uuid,
    /// How often it has signed; zero where it does not count.
    pub sign_count: u32,
    /// What the authenticator said.
    pub flags: Flags,
    /// The form of the attestation statement, which is trusted for nothing.
    pub attestation_format: String,
    /// How it can be reached.
    pub transports: Vec<String>,
    /// `platform`, `cross-platform` or empty.
    pub attachment: String,
    pub(super) evidence: Evidence,
}

/// The bytes that a credential was made of, kept for those who want to look at them later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) client_data: Vec<u8>,
    pub(super) client_data_hash: [u8; 32],
    pub(super) authenticator_data: Vec<u8>,
    pub(super) algorithm: i64,
    pub(super) object: Vec<u8>,
}

impl NewCredential {
    /// The stored form of a second factor's credential (`contract/mfa-passkeys-oauth.md` §1.2).
    pub fn stored_json(&self) -> Value {
        let transports = (!self.transports.is_empty()).then_some(&self.transports);
        json!({
            "id": STANDARD.encode(&self.id),
            "publicKey": STANDARD.encode(&self.public_key),
            "attestationType": self.attestation_format,
            "transport": transports,
            "flags": {
                "userPresent": self.flags.user_present,
                "userVerified": self.flags.user_verified,
                "backupEligible": self.flags.backup_eligible,
                "backupState": self.flags.backup_state,
            },
            "authenticator": {
                "AAGUID": STANDARD.encode(self.aaguid.as_bytes()),
                "signCount": self.sign_count,
                "cloneWarning": false,
                "attachment": self.attachment,
            },
            "attestation": {
                "clientDataJSON": STANDARD.encode(&self.evidence.client_data),
                "clientDataHash": STANDARD.encode(self.evidence.client_data_hash),
                "authenticatorData": STANDARD.encode(&self.evidence.authenticator_data),
                "publicKeyAlgorithm": self.evidence.algorithm,
                "object": STANDARD.encode(&self.evidence.object),
            },
        })
    }
}

/// A credential as it is known when it proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its id.
    pub id: Vec<u8>,
    /// Its public key, a COSE key.
    pub public_key: Vec<u8>,
    /// How often it had signed when it was last seen.
    pub sign_count: u32,
    /// Whether it may be copied to other devices.
    pub backup_eligible: bool,
    /// How it can be reached.
    pub transports: Vec<String>,
}

impl Credential {
    /// Reads the stored form of a second factor's credential.
    pub fn from_stored_json(stored: &Value) -> Option<Self> {
        let bytes = |name: &str| STANDARD.decode(stored.get(name)?.as_str()?).ok().filter(|bytes| !bytes.is_empty());
        let transports = stored.get("transport").and_then(Value::as_array).into_iter().flatten();
        let count = stored.pointer("/authenticator/signCount").and_then(Value::as_u64);
        Some(Self {
            id: bytes("id")?,
            public_key: bytes("publicKey")?,
            sign_count: count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
            backup_eligible: stored.pointer("/flags/backupEligible").and_then(Value::as_bool).unwrap_or_default(),
            transports: transports.filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// How it is named in options.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { id: self.id.clone(), transports: self.transports.clone() }
    }
}

/// What the use of a credential told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// What is to be remembered: the count that came, or the known one where it had not grown.
    pub sign_count: u32,
    /// The count has not grown: there may be a copy of the key.
    pub counter_regressed: bool,
    /// It knew its user.
    pub user_verified: bool,
    /// The credential has been copied to other devices.
    pub backup_state: bool,
}

impl Used {
    /// The stored form of a second factor's credential after this use.
    pub fn stored_json(&self, stored: &Value) -> Value {
        let mut stored = stored.clone();
        let mut set = |pointer: &str, name: &str, value: Value| {
            if let Some(part) = stored.pointer_mut(pointer).and_then(Value::as_object_mut) {
                part.insert(name.to_owned(), value);
            }
        };
        set("/authenticator", "signCount", self.sign_count.into());
        if self.counter_regressed {
            set("/authenticator", "cloneWarning", true.into());
        }
        set("/flags", "backupState", self.backup_state.into());
        stored
    }
}
