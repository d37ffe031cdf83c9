//! The kinds of second factors, and what all work on factors has in common (`contract/mfa-passkeys-oauth.md` §1).

use serde::Deserialize;
use uuid::Uuid;

use crate::ids::FactorId;
use crate::refusal::Refusal;
use crate::session::Aal;
use crate::user::Factor;

/// Seconds in which a challenge can be answered (mission row 10).
pub const CHALLENGE_LIFE: i64 = 300;

/// Seconds after which a factor that was neither proven nor ever challenged is dropped at the next enrolment.
pub const UNPROVEN_LIFE: i64 = 300;

/// A kind of second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FactorType {
    /// A code by time (RFC 6238).
    Totp,
    /// A code by SMS.
    Phone,
    /// A public-key credential (Web Authentication).
    WebAuthn,
}

impl FactorType {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Phone => "phone",
            Self::WebAuthn => "webauthn",
        }
    }

    /// Reads the name, to the letter.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Totp, Self::Phone, Self::WebAuthn].into_iter().find(|kind| kind.as_str() == name)
    }

    /// Such factors cannot be made.
    pub fn enroll_disabled(self) -> Refusal {
        match self {
            Self::Totp => Refusal::TotpEnrollDisabled,
            Self::Phone => Refusal::PhoneEnrollDisabled,
            Self::WebAuthn => Refusal::WebauthnEnrollDisabled,
        }
    }

    /// Such factors cannot be used.
    pub fn verify_disabled(self) -> Refusal {
        match self {
            Self::Totp => Refusal::TotpVerifyDisabled,
            Self::Phone => Refusal::PhoneVerifyDisabled,
            Self::WebAuthn => Refusal::WebauthnVerifyDisabled,
        }
    }

    /// The authentication method of a session that was raised with such a factor.
    pub fn method(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Phone => "mfa/phone",
            Self::WebAuthn => "mfa/webauthn",
        }
    }
}

/// Reads the id of a path, in any of the spellings of a UUID.
///
/// # Errors
/// Any other text.
pub fn parse_id(text: &str) -> Result<FactorId, Refusal> {
    Uuid::parse_str(text).map(FactorId).map_err(|_| Refusal::FactorIdMalformed)
}

/// Whether a session of `level` may bring a factor into the account that has `factors`: whoever has a verified one shows it
/// first. Asked when a factor is made, and again when it is proven: meanwhile another one may have been.
///
/// # Errors
/// The session shows one factor only.
pub fn may_add(factors: &[Factor], level: Aal) -> Result<(), Refusal> {
    let guarded = factors.iter().any(|factor| factor.verified);
    if guarded && level != Aal::Aal2 { Err(Refusal::EnrollNeedsAal2) } else { Ok(()) }
}

/// The authentication method of a session that was raised with a recovery code.
pub const RECOVERY_CODE: &str = "mfa/recovery_code";

/// The authentication method of a session that was opened with a passkey.
pub const PASSKEY: &str = "passkey";

/// Characters of a name, at most.
const NAME_LIMIT: usize = 255;

/// Checks a text that the user chose for the field `field`.
///
/// # Errors
/// Too long.
pub(crate) fn check_length(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.chars().count() > NAME_LIMIT { Err(Refusal::TextTooLong(field)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_uuid_names_a_factor() {
        let id = FactorId(Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8));
        for text in [
            "67e55044-10b1-426f-9247-bb680e5fe0c8",
            "67E55044-10B1-426F-9247-BB680E5FE0C8",
            "67e5504410b1426f9247bb680e5fe0c8",
            "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
            "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8",
        ] {
            assert_eq!(parse_id(text), Ok(id), "{text}");
        }
        for text in ["", "not-a-uuid", "67e55044-10b1-426f-9247-bb680e5fe0c", "67e55044-10b1-426f-9247-bb680e5fe0c8 "] {
            assert_eq!(parse_id(text), Err(Refusal::FactorIdMalformed), "{text}");
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert_eq!(check_length("friendly_name", &"é".repeat(255)), Ok(()));
        assert_eq!(check_length("friendly_name", &"é".repeat(256)), Err(Refusal::TextTooLong("friendly_name")));
    }
}
