//! A credential is made (W3C Web Authentication Level 3 §7.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::webauthn::RelyingParty;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::webauthn::attestation::{self, Subject};
use crate::webauthn::authenticator_data::{Attested, AuthenticatorData};
use crate::webauthn::cbor;
use crate::webauthn::client_data::ClientData;
use crate::webauthn::cose::PublicKey;
use crate::webauthn::credential::{Evidence, NewCredential};
use crate::webauthn::error::{CeremonyError, Malformed};
use crate::webauthn::response::{Base64Url, Posted};
use crate::webauthn::session::{SessionData, or_default};

/// Transports that are kept, at most.
const MAX_TRANSPORTS: usize = 16;

/// The answer to creation options.
#[derive(Clone, Debug)]
pub struct Registration {
    posted: Posted<Response>,
    client_data: ClientData,
    format: String,
    statement: ciborium::Value,
    data: AuthenticatorData,
    attested: Attested,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data: Base64Url,
    #[serde(rename = "attestationObject")]
    attestation: Base64Url,
    #[serde(skip_serializing_if = "Option::is_none")]
    transports: Option<Vec<String>>,
    #[serde(rename = "authenticatorData")]
    authenticator_data: Option<Base64Url>,
    #[serde(rename = "publicKey")]
    public_key: Option<Base64Url>,
    #[serde(rename = "publicKeyAlgorithm", default, deserialize_with = "or_default")]
    algorithm: i64,
}

impl Registration {
    /// Reads what a browser posted.
    ///
    /// # Errors
    /// Anything that no browser sends: of another shape, too long, or with bytes that cannot be read.
    pub fn parse(credential: &Value) -> Result<Self, Malformed> {
        const BROKEN: Malformed = Malformed("attestation object cannot be read");
        let mut posted = Posted::<Response>::parse(credential)?;
        posted.response.transports = posted.response.transports.map(usable);
        let client_data = ClientData::parse(posted.response.client_data.0.clone())?;
        let object = cbor::parse(&posted.response.attestation.0).ok_or(BROKEN)?;
        let format = cbor::get(&object, "fmt").and_then(ciborium::Value::as_text).ok_or(BROKEN)?;
        if format.is_empty() || format.len() > 32 || !format.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Malformed("attestation has no proper format"));
        }
        let statement = cbor::get(&object, "attStmt").filter(|statement| statement.is_map()).ok_or(BROKEN)?;
        let data = cbor::get(&object, "authData").and_then(ciborium::Value::as_bytes).ok_or(BROKEN)?;
        let data = AuthenticatorData::parse(data.clone())?;
        let attested = data.attested.clone().ok_or(Malformed("attestation is of no credential"))?;
        Ok(Self { format: format.to_owned(), statement: statement.clone(), posted, client_data, data, attested })
    }

    /// Checks the answer to the options that `session` was kept of. Whether the challenge is still open is for the
    /// caller to check.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn verify(&self, party: &RelyingParty, session: &SessionData) -> Result<NewCredential, CeremonyError> {
        // The challenge of an authentication makes no credential: nothing was offered with it.
        if session.cred_params.is_empty() {
            return Err(CeremonyError::Ceremony);
        }
        self.client_data.check("webauthn.create", party, session)?;
        self.data.check(party, session)?;
        if self.attested.credential_id != self.posted.id() {
            return Err(CeremonyError::Credential);
        }
        let key = PublicKey::parse(&self.attested.public_key).ok_or(CeremonyError::PublicKey)?;
        if !session.cred_params.iter().any(|offered| offered.alg == key.algorithm.identifier()) {
            return Err(CeremonyError::PublicKey);
        }
        let client_data_hash = self.client_data.hash();
        let subject = Subject { data: &self.data, attested: &self.attested, key: &key, client_data_hash };
        if !attestation::holds(&self.format, &self.statement, &subject) {
            return Err(CeremonyError::Attestation);
        }
        Ok(NewCredential {
            id: self.attested.credential_id.clone(),
            public_key: self.attested.public_key.clone(),
            aaguid: self.attested.aaguid,
            sign_count: self.data.sign_count,
            flags: self.data.flags(),
            attestation_format: self.format.clone(),
            transports: self.posted.response.transports.clone().unwrap_or_default(),
            attachment: self.posted.attachment().to_owned(),
            evidence: Evidence {
                client_data: self.client_data.raw.clone(),
                client_data_hash,
                authenticator_data: self.data.raw.clone(),
                algorithm: self.posted.response.algorithm,
                object: self.posted.response.attestation.0.clone(),
            },
        })
    }

    /// The answer as the reference shows it to its user (`credential_response` of `contract/mfa-passkeys-oauth.md` §1.3).
    pub fn shown(&self) -> Value {
        let mut attestation = json!({
            "fmt": self.format,
            "AuthData": self.data.shown(),
            "authData": STANDARD.encode(&self.data.raw),
        });
        let said = self.statement.as_map().is_some_and(|statement| !statement.is_empty());
        if let Some(attestation) = attestation.as_object_mut().filter(|_| said) {
            attestation.insert("attStmt".to_owned(), cbor::to_json(&self.statement));
        }
        self.posted.shown(json!({
            "Transports": self.posted.response.transports,
            "AttestationObject": attestation,
            "CollectedClientData": self.client_data.shown(),
        }))
    }
}

/// Transports are told to other authenticators later on: only what can be one is kept.
fn usable(transports: Vec<String>) -> Vec<String> {
    let is_word = |text: &String| {
        (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    transports.into_iter().filter(is_word).take(MAX_TRANSPORTS).collect()
}
