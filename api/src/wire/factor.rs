//! Second factors as their owner meets them when they are made and used (`contract/mfa-passkeys-oauth.md` §1.4, §1.5, §1.7).

use domain::challenge_factor::{self, Ceremony};
use domain::enroll_factor::{self, Details};
use domain::ids::{ChallengeId, FactorId};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A new factor.
#[derive(Serialize)]
pub(crate) struct Enrolled<'a> {
    id: FactorId,
    r#type: &'static str,
    friendly_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    totp: Option<Totp<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
}

#[derive(Serialize)]
struct Totp<'a> {
    qr_code: &'a str,
    secret: &'a str,
    uri: &'a str,
}

impl<'a> Enrolled<'a> {
    /// What is told of `enrolled`.
    pub(crate) fn of(enrolled: &'a enroll_factor::Enrolled) -> Self {
        let (totp, phone) = match &enrolled.details {
            Details::Totp { qr_code, secret, uri } => {
                (Some(Totp { qr_code: qr_code.expose(), secret: secret.expose(), uri: uri.expose() }), None)
            }
            Details::Phone(phone) => (None, Some(phone.as_str())),
            Details::WebAuthn => (None, None),
        };
        let r#type = enrolled.details.factor_type().as_str();
        Self { id: enrolled.id, r#type, friendly_name: &enrolled.friendly_name, totp, phone }
    }
}

/// A challenge of a factor.
#[derive(Serialize)]
pub(crate) struct Challenge<'a> {
    id: ChallengeId,
    r#type: &'static str,
    expires_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    webauthn: Option<WebAuthn<'a>>,
}

#[derive(Serialize)]
struct WebAuthn<'a> {
    r#type: &'static str,
    credential_options: CredentialOptions<'a>,
}

#[derive(Serialize)]
struct CredentialOptions<'a> {
    #[serde(rename = "publicKey")]
    public_key: &'a Value,
}

impl<'a> Challenge<'a> {
    /// What is told of `challenge`.
    pub(crate) fn of(challenge: &'a challenge_factor::Challenge) -> Self {
        let webauthn = challenge.webauthn.as_ref().map(|ceremony| {
            let (r#type, public_key) = match ceremony {
                Ceremony::Create(options) => ("create", options),
                Ceremony::Request(options) => ("request", options),
            };
            WebAuthn { r#type, credential_options: CredentialOptions { public_key } }
        });
        let challenge_factor::Challenge { id, factor_type, expires_at, .. } = *challenge;
        Self { id, r#type: factor_type.as_str(), expires_at, webauthn }
    }
}

/// A factor, or a set of recovery codes, that is gone.
#[derive(Serialize)]
pub(crate) struct Gone {
    /// Which one.
    pub(crate) id: Uuid,
}

#[cfg(test)]
mod tests {
    use domain::factor::FactorType;
    use domain::secret::Secret;
    use serde_json::json;

    use super::*;
    use crate::output::json;

    fn text(value: &impl Serialize) -> String {
        String::from_utf8(json::encode(value).unwrap()).unwrap()
    }

    fn enrolled(details: Details) -> String {
        let (id, friendly_name) = (FactorId(Uuid::nil()), "my <phone>".to_owned());
        text(&Enrolled::of(&enroll_factor::Enrolled { id, friendly_name, details }))
    }

    #[test]
    fn a_new_factor_shows_what_its_kind_needs() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let totp =
            Details::Totp { qr_code: secret("<svg/>"), secret: secret("ABC"), uri: secret("otpauth://totp/a?b&c") };
        insta::assert_snapshot!(enrolled(totp), @r#"{"id":"00000000-0000-0000-0000-000000000000","type":"totp","friendly_name":"my \u003cphone\u003e","totp":{"qr_code":"\u003csvg/\u003e","secret":"ABC","uri":"otpauth://totp/a?b\u0026c"}}"#);
        insta::assert_snapshot!(enrolled(Details::Phone("+1 555".to_owned())), @r#"{"id":"00000000-0000-0000-0000-000000000000","type":"phone","friendly_name":"my \u003cphone\u003e","phone":"+1 555"}"#);
        insta::assert_snapshot!(enrolled(Details::WebAuthn), @r#"{"id":"00000000-0000-0000-0000-000000000000","type":"webauthn","friendly_name":"my \u003cphone\u003e"}"#);
    }

    #[test]
    fn a_challenge_holds_the_ceremony_of_an_authenticator() {
        let challenge = |factor_type, webauthn| {
            let id = ChallengeId(Uuid::nil());
            text(&Challenge::of(&challenge_factor::Challenge { id, factor_type, expires_at: 1_700_000_300, webauthn }))
        };
        insta::assert_snapshot!(challenge(FactorType::Totp, None), @r#"{"id":"00000000-0000-0000-0000-000000000000","type":"totp","expires_at":1700000300}"#);
        let create = Ceremony::Create(json!({"challenge": "abc"}));
        insta::assert_snapshot!(challenge(FactorType::WebAuthn, Some(create)), @r#"{"id":"00000000-0000-0000-0000-000000000000","type":"webauthn","expires_at":1700000300,"webauthn":{"type":"create","credential_options":{"publicKey":{"challenge":"abc"}}}}"#);
        let request = Ceremony::Request(json!({"challenge": "abc"}));
        assert!(challenge(FactorType::WebAuthn, Some(request)).contains(r#""webauthn":{"type":"request","#));
    }
}
