//! What the browser says of a ceremony (W3C Web Authentication Level 3 §5.8.1).

use domain::webauthn::RelyingParty;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::digest::constant_time_eq;
use crate::webauthn::error::{CeremonyError, Malformed};
use crate::webauthn::session::SessionData;

/// The client data, and the very bytes of them that are signed.
#[derive(Clone, Debug)]
pub(super) struct ClientData {
    pub(super) raw: Vec<u8>,
    said: Said,
}

#[derive(Clone, Debug, Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin")]
    cross_origin: Option<bool>,
    #[serde(rename = "topOrigin")]
    top_origin: Option<String>,
}

impl ClientData {
    pub(super) fn parse(raw: Vec<u8>) -> Result<Self, Malformed> {
        let said = serde_json::from_slice(&raw).map_err(|_| Malformed("client data are not what browsers send"))?;
        Ok(Self { raw, said })
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.raw).into()
    }

    /// Whether the browser performed `kind` with the challenge of `session` for a page of `party`. A page in a frame of
    /// another site counts: whether it may be framed is for its own headers to say.
    pub(super) fn check(&self, kind: &str, party: &RelyingParty, session: &SessionData) -> Result<(), CeremonyError> {
        if self.said.kind != kind {
            return Err(CeremonyError::Ceremony);
        }
        let challenge = session.challenge.as_bytes();
        if challenge.is_empty() || !constant_time_eq(self.said.challenge.as_bytes(), challenge) {
            return Err(CeremonyError::Challenge);
        }
        if !party.allows(&self.said.origin) {
            return Err(CeremonyError::Origin);
        }
        Ok(())
    }

    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({ "type": self.said.kind, "challenge": self.said.challenge, "origin": self.said.origin });
        if let Some(shown) = shown.as_object_mut() {
            if self.said.cross_origin == Some(true) {
                shown.insert("crossOrigin".to_owned(), true.into());
            }
            if let Some(top) = self.said.top_origin.as_deref().filter(|top| !top.is_empty()) {
                shown.insert("topOrigin".to_owned(), top.into());
            }
        }
        shown
    }
}
