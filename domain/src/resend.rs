//! `POST /resend` (`contract/core.md` §14.5). Answers [`crate::sms::Sent`].

use crate::captcha::Proof;
use crate::config::Policy;
use crate::contact::Contact;
use crate::pkce::Challenge;
use crate::refusal::Refusal;
use crate::user::User;
use crate::{email, phone};

/// A message is asked for once more. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `type`: `signup`, `email_change`, `sms` or `phone_change`.
    pub kind: String,
    /// Current address, as typed.
    pub email: String,
    /// Current number, as typed.
    pub phone: String,
    /// PKCE challenge.
    pub code_challenge: String,
    /// PKCE method.
    pub code_challenge_method: String,
    /// For the captcha check.
    pub captcha: Proof,
}

/// Which message goes out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The confirmation of an address.
    SignUp,
    /// The links of a change of address.
    EmailChange,
    /// The code of a number that signs up.
    Sms,
    /// The code of a change of number.
    PhoneChange,
}

/// A request that is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which message.
    pub kind: Kind,
    /// Whose, by what the account has now.
    pub contact: Contact,
    /// The challenge of a PKCE flow.
    pub challenge: Option<Challenge>,
}

/// Checks a request in the contract's order.
///
/// # Errors
/// The first check that fails.
pub fn check(request: &Request, policy: &Policy) -> Result<Wish, Refusal> {
    let challenge = Challenge::parse(&request.code_challenge, &request.code_challenge_method)?;
    let kind = match request.kind.as_str() {
        "signup" => Kind::SignUp,
        "email_change" => Kind::EmailChange,
        "sms" => Kind::Sms,
        "phone_change" => Kind::PhoneChange,
        _ => return Err(Refusal::ResendType),
    };
    match (kind, request.email.is_empty(), request.phone.is_empty()) {
        (Kind::SignUp, true, _) => return Err(Refusal::ResendEmailRequired),
        (Kind::Sms, _, true) => return Err(Refusal::ResendPhoneRequired),
        (_, false, false) => return Err(Refusal::ResendOneContact),
        (_, true, true) => return Err(Refusal::ResendContactMissing),
        _ => {}
    }
    let contact = if request.email.is_empty() {
        if !policy.external_phone_enabled {
            return Err(Refusal::ResendPhoneDisabled);
        }
        Contact::Phone(phone::validate(&request.phone)?)
    } else {
        if !policy.external_email_enabled {
            return Err(Refusal::RecoverEmailDisabled);
        }
        Contact::Email(email::validate(&request.email)?)
    };
    Ok(Wish { kind, contact, challenge })
}

impl Kind {
    /// Whether `user` waits for this message; if not, nothing is sent and nothing is said.
    pub fn is_awaited(self, user: &User) -> bool {
        match self {
            Self::SignUp => user.email.is_some() && user.email_confirmed_at.is_none(),
            Self::Sms => user.phone.is_some() && user.phone_confirmed_at.is_none(),
            Self::EmailChange => !user.email_change.is_empty(),
            Self::PhoneChange => !user.phone_change.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::user;

    fn request(kind: &str, email: &str, phone: &str) -> Request {
        let [kind, email, phone] = [kind, email, phone].map(str::to_owned);
        Request { kind, email, phone, ..Request::default() }
    }

    #[test]
    fn checks_come_in_the_contracts_order() {
        let open = Policy { external_phone_enabled: true, ..crate::fixtures::policy() };
        let closed = Policy { external_email_enabled: false, external_phone_enabled: false, ..open.clone() };
        let email = || Contact::Email("a@b.co".to_owned());
        let phone = || Contact::Phone("1555".to_owned());
        let pkce = Request { code_challenge: "x".to_owned(), ..request("", "", "") };
        assert_eq!(check(&pkce, &open), Err(Refusal::PkceIncomplete));
        for (kind, typed_email, typed_phone, answer) in [
            ("", "a@b.co", "", Err(Refusal::ResendType)),
            ("recovery", "a@b.co", "", Err(Refusal::ResendType)),
            ("signup", "", "1555", Err(Refusal::ResendEmailRequired)),
            ("signup", "", "", Err(Refusal::ResendEmailRequired)),
            ("sms", "a@b.co", "", Err(Refusal::ResendPhoneRequired)),
            ("signup", "a@b.co", "1555", Err(Refusal::ResendOneContact)),
            ("email_change", "", "", Err(Refusal::ResendContactMissing)),
            ("signup", "nope", "", Err(Refusal::EmailFormat)),
            ("sms", "", "+0", Err(Refusal::PhoneFormat)),
            ("signup", "A@b.co", "", Ok((Kind::SignUp, email()))),
            ("sms", "", "+1 555", Ok((Kind::Sms, phone()))),
            ("email_change", "", "1555", Ok((Kind::EmailChange, phone()))),
            ("phone_change", "a@b.co", "", Ok((Kind::PhoneChange, email()))),
        ] {
            let answered = check(&request(kind, typed_email, typed_phone), &open);
            assert_eq!(answered.map(|wish| (wish.kind, wish.contact)), answer, "{kind} {typed_email} {typed_phone}");
        }
        assert_eq!(check(&request("signup", "nope", ""), &closed), Err(Refusal::RecoverEmailDisabled));
        assert_eq!(check(&request("sms", "", "+0"), &closed), Err(Refusal::ResendPhoneDisabled));
    }

    #[test]
    fn only_what_is_awaited_goes_out() {
        let unconfirmed = User { email_confirmed_at: None, ..user() };
        let changing = User { email_change: "c@b.co".to_owned(), phone_change: "1556".to_owned(), ..user() };
        let by_phone = User { phone: Some("1555".to_owned()), ..user() };
        assert!(Kind::SignUp.is_awaited(&unconfirmed) && !Kind::SignUp.is_awaited(&user()));
        assert!(Kind::Sms.is_awaited(&by_phone) && !Kind::Sms.is_awaited(&user()));
        assert!(Kind::EmailChange.is_awaited(&changing) && !Kind::EmailChange.is_awaited(&user()));
        assert!(Kind::PhoneChange.is_awaited(&changing) && !Kind::PhoneChange.is_awaited(&user()));
    }
}
