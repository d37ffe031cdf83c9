//! `POST /token?grant_type=password` (`contract/core.md` §13.1). Answers an `IssuedSession`.

use crate::captcha::Proof;
use crate::config::Policy;
use crate::contact::Contact;
use crate::refusal::Refusal;
use crate::secret::Secret;
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
    /// For the captcha check.
    pub captcha: Proof,
}

impl Request {
    /// Whom to look up. Contacts are not validated here, only spelled as they are stored.
    ///
    /// # Errors
    /// Both contacts, neither, or one whose sign-ins are off.
    pub fn contact(&self, policy: &Policy) -> Result<Contact, Refusal> {
        match (self.email.is_empty(), self.phone.is_empty()) {
            (false, false) => Err(Refusal::LoginOneContact),
            (false, true) if !policy.external_email_enabled => Err(Refusal::EmailLoginsDisabled),
            (true, false) if !policy.external_phone_enabled => Err(Refusal::PhoneLoginsDisabled),
            (true, true) => Err(Refusal::LoginContactMissing),
            (false, true) => Ok(Contact::Email(email::normalise(&self.email))),
            (true, false) => Ok(Contact::Phone(phone::normalise(&self.phone))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::policy;

    fn contact(email: &str, phone: &str, policy: &Policy) -> Result<Contact, Refusal> {
        let password = Secret::default();
        Request { email: email.to_owned(), phone: phone.to_owned(), password, captcha: Proof::default() }
            .contact(policy)
    }

    #[test]
    fn exactly_one_contact_that_is_switched_on() {
        let open = Policy { external_phone_enabled: true, ..policy() };
        assert_eq!(contact("A@B.co", "", &open), Ok(Contact::Email("a@b.co".to_owned())));
        assert_eq!(contact("", "+1 555", &open), Ok(Contact::Phone("1555".to_owned())));
        assert_eq!(contact("not an address", "", &open), Ok(Contact::Email("not an address".to_owned())));
        let closed = Policy { external_email_enabled: false, external_phone_enabled: false, ..policy() };
        assert_eq!(contact("a@b.co", "1555", &closed), Err(Refusal::LoginOneContact));
        assert_eq!(contact("a@b.co", "", &closed), Err(Refusal::EmailLoginsDisabled));
        assert_eq!(contact("", "1555", &closed), Err(Refusal::PhoneLoginsDisabled));
        assert_eq!(contact("", "", &closed), Err(Refusal::LoginContactMissing));
    }
}
