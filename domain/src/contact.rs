//! The contact an account is found by and signs in with.

use crate::refusal::Refusal;
use crate::user::User;

/// An address or a number, in its stored spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// A lower-case address.
    Email(String),
    /// E.164 digits without `+`.
    Phone(String),
}

impl Contact {
    /// The identity provider of accounts that sign in with it.
    pub fn provider(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Phone(_) => "phone",
        }
    }

    /// The address or the number.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(contact) | Self::Phone(contact) => contact,
        }
    }

    /// The address, if it is one.
    pub fn email(&self) -> Option<&str> {
        match self {
            Self::Email(email) => Some(email),
            Self::Phone(_) => None,
        }
    }

    /// The number, if it is one.
    pub fn phone(&self) -> Option<&str> {
        match self {
            Self::Email(_) => None,
            Self::Phone(phone) => Some(phone),
        }
    }

    /// Whether the contact that signs in is proven. Asked after the password was right (`contract/core.md` §13.1 step 9).
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

/// Whether a project that writes to `listed` addresses only (lower case; none = to all) writes to `email`. What stands
/// behind a `+` is a label of the owner's (`contract/core.md` §18.1).
pub fn is_authorised(email: &str, listed: &[String]) -> bool {
    let email = crate::email::normalise(email);
    let without_label = email.split_once('@').map(|(local, domain)| {
        let name = local.split_once('+').map_or(local, |(name, _)| name);
        format!("{name}@{domain}")
    });
    listed.is_empty() || listed.contains(&email) || without_label.is_some_and(|bare| listed.contains(&bare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, user};

    #[test]
    fn a_listed_address_gets_mail_under_every_label() {
        let listed = ["a@b.co".to_owned(), "c+d@b.co".to_owned()];
        for (email, authorised) in [
            ("a@b.co", true),
            ("A@B.co", true),
            ("a+x@b.co", true),
            ("a+x+y@b.co", true),
            ("c+d@b.co", true),
            ("c@b.co", false),
            ("a@b.co.uk", false),
            ("a@x+b.co", false),
            ("nobody", false),
        ] {
            assert_eq!(is_authorised(email, &listed), authorised, "{email}");
            assert!(is_authorised(email, &[]));
        }
    }

    #[test]
    fn the_contact_that_signs_in_must_be_proven() {
        let by_email = Contact::Email("a@b.co".to_owned());
        let by_phone = Contact::Phone("1555".to_owned());
        assert_eq!(by_email.confirmed(&user()), Ok(()));
        assert_eq!(by_phone.confirmed(&user()), Err(Refusal::PhoneNotConfirmed));
        let phone_only = User { email_confirmed_at: None, phone_confirmed_at: Some(at(0)), ..user() };
        assert_eq!(by_email.confirmed(&phone_only), Err(Refusal::EmailNotConfirmed));
        assert_eq!(by_phone.confirmed(&phone_only), Ok(()));
    }
}
