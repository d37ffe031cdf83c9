//! A credential proves itself (W3C Web Authentication Level 3 §7.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::webauthn::RelyingParty;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::webauthn::authenticator_data::AuthenticatorData;
use crate::webauthn::client_data::ClientData;
use crate::webauthn::cose::PublicKey;
use crate::webauthn::credential::{Credential, Used};
use crate::webauthn::error::{CeremonyError, Malformed};
use crate::webauthn::response::{Base64Url, Posted};
use crate::webauthn::session::SessionData;

/// The answer to request options.
#[derive(Clone, Debug)]
pub struct Assertion {
    posted: Posted<Response>,
    client_data: ClientData,
    data: AuthenticatorData,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data: Base64Url,
    #[serde(rename = "authenticatorData")]
    authenticator_data: Base64Url,
    signature: Base64Url,
    #[serde(rename = "userHandle", skip_serializing_if = "Option::is_none")]
    user_handle: Option<Base64Url>,
}

impl Assertion {
    /// Reads what a browser posted.
    ///
    /// # Errors
    /// Anything that no browser sends: of another shape, too long, or with bytes that cannot be read.
    pub fn parse(credential: &Value) -> Result<Self, Malformed> {
        let posted = Posted::<Response>::parse(credential)?;
        let client_data = ClientData::parse(posted.response.client_data.0.clone())?;
        let data = AuthenticatorData::parse(posted.response.authenticator_data.0.clone())?;
        Ok(Self { posted, client_data, data })
    }

    /// Which credential answered.
    pub fn credential_id(&self) -> &[u8] {
        self.posted.id()
    }

    /// Which user the credential was made for; authenticators need not tell.
    pub fn user_handle(&self) -> Option<&[u8]> {
        let handle = self.posted.response.user_handle.as_ref()?;
        (!handle.0.is_empty()).then_some(handle.0.as_slice())
    }

    /// Checks the answer to the options that `session` was kept of, with the `credential` that is known by the id that
    /// came. Whether the challenge is still open, and whose the credential is where `session` names no user, is for the
    /// caller to check; so is what a count means that has not grown.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn verify(
        &self,
        party: &RelyingParty,
        session: &SessionData,
        credential: &Credential,
    ) -> Result<Used, CeremonyError> {
        // The challenge of a registration proves no credential.
        if !session.cred_params.is_empty() {
            return Err(CeremonyError::Ceremony);
        }
        let allowed = &session.allowed_credentials;
        let asked = allowed.is_empty() || allowed.iter().any(|allowed| allowed.0 == self.credential_id());
        if !asked || credential.id != self.credential_id() {
            return Err(CeremonyError::Credential);
        }
        let user = session.user_id.0.as_slice();
        if !user.is_empty() && self.user_handle().is_some_and(|handle| handle != user) {
            return Err(CeremonyError::User);
        }
        self.client_data.check("webauthn.get", party, session)?;
        self.data.check(party, session)?;
        let flags = self.data.flags();
        if flags.backup_eligible != credential.backup_eligible {
            return Err(CeremonyError::Backup);
        }
        let key = PublicKey::parse(&credential.public_key).ok_or(CeremonyError::PublicKey)?;
        let message = [self.data.raw.as_slice(), &self.client_data.hash()].concat();
        if !key.verifies(&message, &self.posted.response.signature.0) {
            return Err(CeremonyError::Signature);
        }
        let (known, came) = (credential.sign_count, self.data.sign_count);
        Ok(Used {
            sign_count: known.max(came),
            counter_regressed: (known, came) != (0, 0) && came <= known,
            user_verified: flags.user_verified,
            backup_state: flags.backup_state,
        })
    }

    /// The answer as the reference shows it to its user (`credential_response` of `contract/mfa-passkeys-oauth.md` §1.3).
    pub fn shown(&self) -> Value {
        self.posted.shown(json!({
            "Signature": STANDARD.encode(&self.posted.response.signature.0),
            "UserHandle": self.user_handle().map(|handle| STANDARD.encode(handle)),
            "AuthenticatorData": self.data.shown(),
            "CollectedClientData": self.client_data.shown(),
        }))
    }
}
