//! `POST /token?grant_type=password` (`contract/core.md` §13.1). Answers an `IssuedSession`.

use crate::config::Policy;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::user::User;
use crate::{email, phone};

/// A password sign-in as parsed from the body. Empty texts count as absent.
#[derive(Clone, Debug)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// Number, as typed.
    pub phone: String,
    /// Password.
    pub password: Secret<String>,
}

/// The account a sign-in is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By address, in its stored spelling.
    Email(String),
    /// By number, in its stored spelling.
    Phone(String),
}

impl Request {
    /// Whom to look up. Contacts are not validated here, only spelled as they are stored.
    ///
    /// # Errors
    /// Both contacts, neither, or one whose sign-ins are off.
    pub fn target(&self, policy: &Policy) -> Result<Target, Refusal> {
        match (self.email.is_empty(), self.phone.is_empty()) {
            (false, false) => Err(Refusal::LoginOneContact),
            (false, true) if !policy.external_email_enabled => Err(Refusal::EmailLoginsDisabled),
            (true, false) if !policy.external_phone_enabled => Err(Refusal::PhoneLoginsDisabled),
            (true, true) => Err(Refusal::LoginContactMissing),
            (false, true) => Ok(Target::Email(email::normalise(&self.email))),
            (true, false) => Ok(Target::Phone(phone::normalise(&self.phone))),
        }
    }
}

impl Target {
    /// Whether the contact that signs in is proven. Asked after the password was right.
    ///
    /// # Errors
    /// It is not.
    pub fn confirmed(&self, user: &User) -> Result<(), Refusal> {
        match self {
            Self::Email(_) if user.email_confirmed_at.is_none() => Err(Refusal::EmailNotConfirmed),
            Self::Phone(_) if user.phone_confirmed_at.is_none() => Err(Refusal::PhoneNotConfirmed),
            Self::Email(_) | Self::Phone(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, policy, user};

    fn target(email: &str, phone: &str, policy: &Policy) -> Result<Target, Refusal> {
        let password = Secret::default();
        Request { email: email.to_owned(), phone: phone.to_owned(), password }.target(policy)
    }

    #[test]
    fn exactly_one_contact_that_is_switched_on() {
        let open = Policy { external_phone_enabled: true, ..policy() };
        assert_eq!(target("A@B.co", "", &open), Ok(Target::Email("a@b.co".to_owned())));
        assert_eq!(target("", "+1 555", &open), Ok(Target::Phone("1555".to_owned())));
        assert_eq!(target("not an address", "", &open), Ok(Target::Email("not an address".to_owned())));
        let closed = Policy { external_email_enabled: false, external_phone_enabled: false, ..policy() };
        assert_eq!(target("a@b.co", "1555", &closed), Err(Refusal::LoginOneContact));
        assert_eq!(target("a@b.co", "", &closed), Err(Refusal::EmailLoginsDisabled));
        assert_eq!(target("", "1555", &closed), Err(Refusal::PhoneLoginsDisabled));
        assert_eq!(target("", "", &closed), Err(Refusal::LoginContactMissing));
    }

    #[test]
    fn the_contact_that_signs_in_must_be_proven() {
        let by_email = Target::Email("a@b.co".to_owned());
        let by_phone = Target::Phone("1555".to_owned());
        assert_eq!(by_email.confirmed(&user()), Ok(()));
        assert_eq!(by_phone.confirmed(&user()), Err(Refusal::PhoneNotConfirmed));
        let phone_only = User { email_confirmed_at: None, phone_confirmed_at: Some(at(0)), ..user() };
        assert_eq!(by_email.confirmed(&phone_only), Err(Refusal::EmailNotConfirmed));
        assert_eq!(by_phone.confirmed(&phone_only), Ok(()));
    }
}
