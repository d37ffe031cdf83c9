//! Passkeys, and what an authenticator is asked about them (`contract/mfa-passkeys-oauth.md` §2).

use domain::ids::{ChallengeId, PasskeyId};
use domain::time::Timestamp;
use domain::{passkey_registration, passkeys};
use serde::Serialize;
use serde_json::Value;

/// A passkey as its owner and the project's admins see it.
#[derive(Serialize)]
pub(crate) struct Passkey<'a> {
    id: PasskeyId,
    #[serde(skip_serializing_if = "str::is_empty")]
    friendly_name: &'a str,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
}

impl<'a> Passkey<'a> {
    /// The shape of `passkey`.
    pub(crate) fn of(passkey: &'a passkeys::Passkey) -> Self {
        let passkeys::Passkey { id, created_at, last_used_at, .. } = *passkey;
        Self { id, friendly_name: &passkey.friendly_name, created_at, last_used_at }
    }
}

/// What a browser asks an authenticator, in either ceremony.
#[derive(Serialize)]
pub(crate) struct Challenge<'a> {
    challenge_id: ChallengeId,
    options: &'a Value,
    expires_at: i64,
}

impl<'a> Challenge<'a> {
    /// The shape of `challenge`.
    pub(crate) fn of(challenge: &'a passkey_registration::Challenge) -> Self {
        Self { challenge_id: challenge.id, options: &challenge.options, expires_at: challenge.expires_at }
    }
}
