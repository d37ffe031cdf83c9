//! `POST /factors/{id}/verify` (`contract/mfa-passkeys-oauth.md` §1.6). Answers an `IssuedSession`.

use std::net::IpAddr;

use serde_json::Value;
use uuid::Uuid;

use crate::config::MfaSettings;
use crate::factor::{CHALLENGE_LIFE, FactorType};
use crate::ids::ChallengeId;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::secret::Secret;
use crate::time::Timestamp;

/// The answer to a challenge.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
    /// The path's id.
    pub factor: String,
    /// The body; what is wrong with it is told after the factor was found.
    pub body: Result<Body, Refusal>,
}

/// The body of [`Request`].
#[derive(Clone, Debug)]
pub struct Body {
    /// The challenge; the nil UUID when absent.
    pub challenge: Uuid,
    /// The code, empty when absent.
    pub code: Secret<String>,
    /// The `webauthn` object, `None` when absent.
    pub webauthn: Option<WebAuthn>,
}

/// The `webauthn` object of [`Body`].
#[derive(Clone, Debug)]
pub struct WebAuthn {
    /// `create` or `request`; empty when absent.
    pub ceremony: String,
    /// What the authenticator answered; `None` when absent.
    pub credential_response: Option<Value>,
}

/// A WebAuthn ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceremony {
    /// The factor gets its credential.
    Create,
    /// The factor proves itself.
    Request,
}

impl Ceremony {
    /// The one that is due for a factor.
    pub fn due(verified: bool) -> Self {
        if verified { Self::Request } else { Self::Create }
    }

    /// The wire value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Request => "request",
        }
    }
}

/// The answer to a challenge, as far as it can be told apart from the challenge.
#[derive(Clone, Debug)]
pub enum Given {
    /// A code as typed.
    Code(Secret<String>),
    /// What an authenticator said in a ceremony.
    Credential(Ceremony, Value),
}

impl Body {
    /// What is given for a factor of `kind`.
    ///
    /// # Errors
    /// Nothing, such factors cannot be used, or the `webauthn` object lacks something.
    pub fn given(self, kind: FactorType, settings: &MfaSettings) -> Result<Given, Refusal> {
        let by_code = kind != FactorType::WebAuthn;
        if by_code && self.code.expose().is_empty() {
            return Err(Refusal::FactorCodeRequired);
        }
        if !settings.offer(kind).verify {
            return Err(if by_code { kind.verify_disabled() } else { Refusal::WebauthnAnswerDisabled });
        }
        if by_code {
            return Ok(Given::Code(self.code));
        }
        let webauthn = self.webauthn.ok_or(Refusal::WebauthnConfigRequired)?;
        let mut known = [Ceremony::Create, Ceremony::Request].into_iter();
        let ceremony = known.find(|ceremony| ceremony.as_str() == webauthn.ceremony);
        let ceremony = ceremony.ok_or(Refusal::WebauthnTypeInvalid)?;
        let answer = webauthn.credential_response.ok_or(Refusal::CredentialResponseRequired)?;
        Ok(Given::Credential(ceremony, answer))
    }
}

/// A challenge as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The row.
    pub id: ChallengeId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it was answered.
    pub answered: bool,
    /// The address it was made for.
    pub ip: Option<&'a str>,
}

/// Whether a challenge can be answered from `ip` at `now`.
///
/// # Errors
/// Answered before, made for another address, or too old. What is too old can be dropped.
pub fn check_challenge(asked: Asked<'_>, ip: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
    let address = |text: Option<&str>| text.and_then(|text| text.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical());
    if asked.answered || address(asked.ip) != address(ip) {
        return Err(Refusal::FactorChallengeAddress);
    }
    if now > asked.created_at.plus_seconds(CHALLENGE_LIFE) {
        return Err(Refusal::FactorChallengeExpired(asked.id));
    }
    Ok(())
}

/// The refusal of a code that does not hold.
pub fn wrong_code(kind: FactorType) -> Refusal {
    match kind {
        FactorType::Totp => Refusal::TotpInvalid,
        FactorType::Phone => Refusal::PhoneCodeInvalid,
        FactorType::WebAuthn => Refusal::WebauthnFactorInvalid,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{at, policy};

    fn body(code: &str, webauthn: Option<WebAuthn>) -> Body {
        Body { challenge: Uuid::nil(), code: Secret::new(code.to_owned()), webauthn }
    }

    fn all() -> MfaSettings {
        let mut settings = policy().mfa;
        for offer in [&mut settings.totp, &mut settings.phone, &mut settings.webauthn] {
            offer.verify = true;
        }
        settings
    }

    #[test]
    fn codes_are_for_totp_and_phones() {
        let refused = |kind| body("", None).given(kind, &all()).err();
        assert_eq!(refused(FactorType::Totp), Some(Refusal::FactorCodeRequired));
        assert_eq!(refused(FactorType::Phone), Some(Refusal::FactorCodeRequired));
        assert_eq!(refused(FactorType::WebAuthn), Some(Refusal::WebauthnConfigRequired));
        assert!(matches!(body("1", None).given(FactorType::Totp, &all()), Ok(Given::Code(_))));
    }

    #[test]
    fn what_is_switched_off_is_told_after_the_missing_code() {
        let mut settings = all();
        settings.totp.verify = false;
        settings.webauthn.verify = false;
        let refused = |code, kind| body(code, None).given(kind, &settings).err();
        assert_eq!(refused("", FactorType::Totp), Some(Refusal::FactorCodeRequired));
        assert_eq!(refused("1", FactorType::Totp), Some(Refusal::TotpVerifyDisabled));
        assert_eq!(refused("", FactorType::WebAuthn), Some(Refusal::WebauthnAnswerDisabled));
    }

    #[test]
    fn a_ceremony_is_named_and_answered() {
        let given = |ceremony: &str, answer: Option<Value>| {
            let webauthn = WebAuthn { ceremony: ceremony.to_owned(), credential_response: answer };
            body("", Some(webauthn)).given(FactorType::WebAuthn, &all())
        };
        assert_eq!(given("other", None).err(), Some(Refusal::WebauthnTypeInvalid));
        assert_eq!(given("create", None).err(), Some(Refusal::CredentialResponseRequired));
        assert!(matches!(given("request", Some(json!({}))), Ok(Given::Credential(Ceremony::Request, _))));
    }

    #[test]
    fn a_challenge_is_answered_once_in_time_and_from_its_address() {
        let asked =
            Asked { id: ChallengeId(Uuid::nil()), created_at: at(1000), answered: false, ip: Some("2001:db8::1") };
        let check = |asked, ip, now| check_challenge(asked, ip, at(now));
        assert_eq!(check(asked, Some("2001:DB8:0::1"), 1300), Ok(()));
        assert_eq!(check(asked, Some("2001:db8::1"), 1301), Err(Refusal::FactorChallengeExpired(asked.id)));
        assert_eq!(check(asked, Some("2001:db8::2"), 1000), Err(Refusal::FactorChallengeAddress));
        assert_eq!(check(asked, None, 1000), Err(Refusal::FactorChallengeAddress));
        let answered = Asked { answered: true, ..asked };
        assert_eq!(check(answered, Some("2001:db8::1"), 2000), Err(Refusal::FactorChallengeAddress));
        assert_eq!(check(Asked { ip: None, ..asked }, None, 1000), Ok(()));
    }
}
