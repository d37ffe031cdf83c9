//! `POST /factors` (`contract/mfa-passkeys-oauth.md` §1.4).

use url::Url;

use crate::config::{MAX_VERIFIED, MfaSettings, Policy};
use crate::factor::{FactorType, check_length, may_add};
use crate::ids::FactorId;
use crate::phone;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::secret::Secret;
use crate::session::Aal;
use crate::user::Factor;

/// A new factor is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
    /// The body; what is wrong with it is told after the bearer was let in.
    pub body: Result<Body, Refusal>,
}

/// The body of [`Request`].
#[derive(Clone, Debug)]
pub struct Body {
    /// `totp`, `phone` or `webauthn`.
    pub factor_type: String,
    /// The user's name for it, empty when absent.
    pub friendly_name: String,
    /// Who issues the codes, for TOTP; empty when absent.
    pub issuer: String,
    /// The number, for phones; empty when absent.
    pub phone: String,
}

/// A factor that waits for its first proof.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// The row.
    pub id: FactorId,
    /// The user's name for it.
    pub friendly_name: String,
    /// What its kind adds.
    pub details: Details,
}

/// What is told of a new factor besides its id and name.
#[derive(Clone, Debug)]
pub enum Details {
    /// What an authenticator app reads. Shown once.
    Totp {
        /// An SVG document of `uri`.
        qr_code: Secret<String>,
        /// Base32 without padding.
        secret: Secret<String>,
        /// `otpauth://totp/...`.
        uri: Secret<String>,
    },
    /// The number as it was sent.
    Phone(String),
    /// Nothing: the credential comes with the first challenge.
    WebAuthn,
}

impl Details {
    /// The kind of the factor.
    pub fn factor_type(&self) -> FactorType {
        match self {
            Self::Totp { .. } => FactorType::Totp,
            Self::Phone(_) => FactorType::Phone,
            Self::WebAuthn => FactorType::WebAuthn,
        }
    }
}

/// A factor that may be wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Codes by time.
    Totp {
        /// Who issues them.
        issuer: String,
    },
    /// Codes by SMS.
    Phone {
        /// The number as it is stored.
        number: String,
    },
    /// A public-key credential.
    WebAuthn,
}

impl Wanted {
    /// The kind of the factor.
    pub fn factor_type(&self) -> FactorType {
        match self {
            Self::Totp { .. } => FactorType::Totp,
            Self::Phone { .. } => FactorType::Phone,
            Self::WebAuthn => FactorType::WebAuthn,
        }
    }

    /// The number of a phone.
    pub fn number(&self) -> Option<&str> {
        match self {
            Self::Phone { number } => Some(number),
            Self::Totp { .. } | Self::WebAuthn => None,
        }
    }
}

impl Body {
    /// What is wanted, as far as that can be told without the user's other factors.
    ///
    /// # Errors
    /// No such kind, one that the project does not offer, or one that lacks something.
    pub fn wanted(&self, policy: &Policy) -> Result<Wanted, Refusal> {
        let kind = FactorType::parse(&self.factor_type).ok_or(Refusal::FactorTypeInvalid)?;
        if !policy.mfa.offer(kind).enroll {
            return Err(kind.enroll_disabled());
        }
        check_length("friendly_name", &self.friendly_name)?;
        match kind {
            FactorType::Totp if self.issuer.is_empty() => Ok(Wanted::Totp { issuer: site(&policy.site_url)? }),
            FactorType::Totp => {
                check_length("issuer", &self.issuer)?;
                Ok(Wanted::Totp { issuer: self.issuer.clone() })
            }
            FactorType::Phone if self.phone.is_empty() => Err(Refusal::FactorPhoneRequired),
            FactorType::Phone => Ok(Wanted::Phone { number: phone::validate(&self.phone)? }),
            FactorType::WebAuthn => Ok(Wanted::WebAuthn),
        }
    }
}

/// Host and port of the site: who issues codes unless the request says so.
fn site(site_url: &str) -> Result<String, Refusal> {
    let url = Url::parse(site_url).map_err(|_| Refusal::FactorSiteUrl)?;
    let host = url.host_str().ok_or(Refusal::FactorSiteUrl)?;
    Ok(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Whether a user may add `wanted` under the name `name`, in a session of the stored level `level`. `factors` are those he
/// has; unproven ones of the same number have gone.
///
/// # Errors
/// A number or name that another factor has, as many factors as may be, or the second factor is due.
pub fn admit(
    wanted: &Wanted,
    name: &str,
    factors: &[Factor],
    level: Aal,
    settings: &MfaSettings,
) -> Result<(), Refusal> {
    let taken = |number: &str| factors.iter().any(|factor| factor.phone.as_deref() == Some(number));
    if wanted.number().is_some_and(taken) {
        return Err(Refusal::FactorPhoneExists);
    }
    if factors.iter().any(|factor| factor.friendly_name == name) {
        return Err(Refusal::FactorNameConflict(name.to_owned()));
    }
    let verified = factors.iter().filter(|factor| factor.verified).count();
    if factors.len() >= settings.max_enrolled || verified >= MAX_VERIFIED {
        return Err(Refusal::TooManyFactors);
    }
    may_add(factors, level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{factor, policy};

    fn body(factor_type: &str) -> Body {
        Body {
            factor_type: factor_type.to_owned(),
            friendly_name: String::new(),
            issuer: String::new(),
            phone: String::new(),
        }
    }

    fn offering_all() -> Policy {
        let mut policy = policy();
        for offer in [&mut policy.mfa.totp, &mut policy.mfa.phone, &mut policy.mfa.webauthn] {
            offer.enroll = true;
        }
        policy
    }

    #[test]
    fn kinds_are_read_to_the_letter_and_must_be_offered() {
        for unknown in ["", "TOTP", "carrier_pigeon", "recovery_code"] {
            assert_eq!(body(unknown).wanted(&offering_all()), Err(Refusal::FactorTypeInvalid), "{unknown}");
        }
        assert_eq!(body("phone").wanted(&policy()), Err(Refusal::PhoneEnrollDisabled));
        assert_eq!(body("webauthn").wanted(&offering_all()), Ok(Wanted::WebAuthn));
    }

    #[test]
    fn the_site_issues_codes_unless_the_request_names_somebody() {
        let policy = Policy { site_url: "https://app.example.com:8443/welcome?x=1".to_owned(), ..offering_all() };
        assert_eq!(body("totp").wanted(&policy), Ok(Wanted::Totp { issuer: "app.example.com:8443".to_owned() }));
        let named = Body { issuer: "Example App".to_owned(), ..body("totp") };
        assert_eq!(named.wanted(&policy), Ok(Wanted::Totp { issuer: "Example App".to_owned() }));
        let nowhere = Policy { site_url: "mailto:x".to_owned(), ..offering_all() };
        assert_eq!(body("totp").wanted(&nowhere), Err(Refusal::FactorSiteUrl));
        let long = Body { issuer: "x".repeat(256), ..body("totp") };
        assert_eq!(long.wanted(&policy), Err(Refusal::TextTooLong("issuer")));
        let long = Body { friendly_name: "x".repeat(256), ..body("totp") };
        assert_eq!(long.wanted(&policy), Err(Refusal::TextTooLong("friendly_name")));
    }

    #[test]
    fn numbers_are_stored_in_one_spelling() {
        let of = |number: &str| Body { phone: number.to_owned(), ..body("phone") }.wanted(&offering_all());
        assert_eq!(of("+1 555 0000001"), Ok(Wanted::Phone { number: "15550000001".to_owned() }));
        assert_eq!(of(""), Err(Refusal::FactorPhoneRequired));
        assert_eq!(of("0155512345"), Err(Refusal::PhoneFormat));
    }

    fn named(name: &str, verified: bool) -> Factor {
        Factor { friendly_name: name.to_owned(), ..factor(verified) }
    }

    #[test]
    fn names_are_unique_the_empty_one_too() {
        let settings = offering_all().mfa;
        let check = |name, factors: &[Factor]| admit(&Wanted::WebAuthn, name, factors, Aal::Aal2, &settings);
        assert_eq!(check("a", &[named("b", true)]), Ok(()));
        assert_eq!(check("b", &[named("b", false)]), Err(Refusal::FactorNameConflict("b".to_owned())));
        assert_eq!(check("", &[named("", false)]), Err(Refusal::FactorNameConflict(String::new())));
    }

    #[test]
    fn limits_count_all_factors_and_the_verified_ones() {
        let settings = MfaSettings { max_enrolled: 3, ..offering_all().mfa };
        let some = |count: usize| (0..count).map(|n| named(&n.to_string(), false)).collect::<Vec<_>>();
        assert_eq!(admit(&Wanted::WebAuthn, "x", &some(2), Aal::Aal1, &settings), Ok(()));
        assert_eq!(admit(&Wanted::WebAuthn, "x", &some(3), Aal::Aal1, &settings), Err(Refusal::TooManyFactors));
        let proven: Vec<_> = (0..MAX_VERIFIED).map(|n| named(&n.to_string(), true)).collect();
        let settings = MfaSettings { max_enrolled: 30, ..settings };
        assert_eq!(admit(&Wanted::WebAuthn, "x", &proven, Aal::Aal2, &settings), Err(Refusal::TooManyFactors));
    }

    #[test]
    fn a_further_factor_needs_the_one_that_is_there() {
        let settings = offering_all().mfa;
        let check = |factor, level| admit(&Wanted::WebAuthn, "x", &[factor], level, &settings);
        assert_eq!(check(named("a", true), Aal::Aal1), Err(Refusal::EnrollNeedsAal2));
        assert_eq!(check(named("a", true), Aal::Aal2), Ok(()));
        assert_eq!(check(named("a", false), Aal::Aal1), Ok(()));
    }

    #[test]
    fn one_number_has_one_factor() {
        let settings = offering_all().mfa;
        let wanted = Wanted::Phone { number: "15550000001".to_owned() };
        let same = Factor { phone: Some("15550000001".to_owned()), ..named("a", true) };
        assert_eq!(admit(&wanted, "a", &[same], Aal::Aal1, &settings), Err(Refusal::FactorPhoneExists));
    }
}
