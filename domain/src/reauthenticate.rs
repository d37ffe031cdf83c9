//! `GET /reauthenticate` (`contract/core.md` §16.3). Answers [`crate::sms::Sent`].

use crate::contact::Contact;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::user::User;

/// A nonce for a sensitive change is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
}

/// Where the nonce goes: the address where there is one, else the number.
///
/// # Errors
/// Neither, or it is not proven.
pub fn contact(user: &User) -> Result<Contact, Refusal> {
    match (&user.email, &user.phone) {
        (Some(_), _) if user.email_confirmed_at.is_none() => Err(Refusal::ReauthenticationEmailNotConfirmed),
        (Some(email), _) => Ok(Contact::Email(email.clone())),
        (None, Some(_)) if user.phone_confirmed_at.is_none() => Err(Refusal::ReauthenticationPhoneNotConfirmed),
        (None, Some(phone)) => Ok(Contact::Phone(phone.clone())),
        (None, None) => Err(Refusal::ReauthenticationContactMissing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, user};

    #[test]
    fn the_address_comes_first_and_must_be_proven() {
        let (email, phone) = (Some("a@b.co".to_owned()), Some("1555".to_owned()));
        for (email, email_proven, phone, phone_proven, answer) in [
            (&email, true, &phone, true, Ok(Contact::Email("a@b.co".to_owned()))),
            (&email, false, &phone, true, Err(Refusal::ReauthenticationEmailNotConfirmed)),
            (&None, false, &phone, true, Ok(Contact::Phone("1555".to_owned()))),
            (&None, false, &phone, false, Err(Refusal::ReauthenticationPhoneNotConfirmed)),
            (&None, false, &None, false, Err(Refusal::ReauthenticationContactMissing)),
        ] {
            let user = User {
                email: email.clone(),
                email_confirmed_at: email_proven.then_some(at(0)),
                phone: phone.clone(),
                phone_confirmed_at: phone_proven.then_some(at(0)),
                ..user()
            };
            assert_eq!(contact(&user), answer);
        }
    }
}
