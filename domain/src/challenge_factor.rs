//! `POST /factors/{id}/challenge` (`contract/mfa-passkeys-oauth.md` §1.5).

use serde_json::Value;

use crate::config::MfaSettings;
use crate::factor::FactorType;
use crate::ids::ChallengeId;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::time::Timestamp;
use crate::user::Factor;

/// A challenge of a factor is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
    /// The path's id.
    pub factor: String,
    /// `channel` of the body, empty when absent. What is wrong with the body is told after the factor was found, and only
    /// where its kind reads one.
    pub channel: Result<String, Refusal>,
}

/// A challenge that can be answered for [`crate::factor::CHALLENGE_LIFE`].
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The row.
    pub id: ChallengeId,
    /// What the factor is.
    pub factor_type: FactorType,
    /// Its end, Unix seconds.
    pub expires_at: i64,
    /// What the authenticator is asked, for WebAuthn factors.
    pub webauthn: Option<Ceremony>,
}

/// A WebAuthn ceremony.
#[derive(Clone, Debug)]
pub enum Ceremony {
    /// The factor gets its credential: `PublicKeyCredentialCreationOptions` as JSON.
    Create(Value),
    /// The factor proves itself: `PublicKeyCredentialRequestOptions` as JSON.
    Request(Value),
}

/// Whether another message may go to the number of `factor`.
///
/// # Errors
/// The last one went out a moment ago.
pub fn check_pace(factor: &Factor, settings: &MfaSettings, now: Timestamp) -> Result<(), Refusal> {
    match Refusal::sms_cool_down(factor.last_challenged_at, settings.phone_max_frequency, now) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, factor, policy};

    #[test]
    fn messages_to_one_number_keep_their_distance() {
        let settings = MfaSettings { phone_max_frequency: 60, ..policy().mfa };
        let sent = |seconds| Factor { last_challenged_at: Some(at(seconds)), ..factor(true) };
        assert_eq!(check_pace(&factor(true), &settings, at(100)), Ok(()));
        assert_eq!(check_pace(&sent(100), &settings, at(120)), Err(Refusal::SmsCoolDown(40)));
        assert_eq!(check_pace(&sent(100), &settings, at(160)), Ok(()));
    }
}
