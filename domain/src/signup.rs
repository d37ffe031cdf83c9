//! `POST /signup` (`contract/core.md` §12).

use crate::captcha::Proof;
use crate::config::Policy;
use crate::ids::UserId;
use crate::pkce::Challenge;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::tokens::IssuedSession;
use crate::user::{Metadata, User};
use crate::{email, password, phone};

/// A sign-up as parsed from the body. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// Number, as typed.
    pub phone: String,
    /// Password; the field may be empty.
    pub password: Option<Secret<String>>,
    /// User metadata.
    pub data: Metadata,
    /// PKCE challenge, empty when absent.
    pub code_challenge: String,
    /// PKCE method, empty when absent.
    pub code_challenge_method: String,
    /// `channel`, with a number.
    pub channel: String,
    /// For the captcha check.
    pub captcha: Proof,
}

/// What a sign-up answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The account is confirmed: tokens.
    Session(Box<IssuedSession>),
    /// The account waits for confirmation, or (obfuscated) exists already: a bare user.
    User(Box<User>),
}

/// What a sign-up asks for, once its input is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// An account without contact.
    Anonymous,
    /// An account with an address.
    Email {
        /// In its stored spelling.
        email: String,
        /// Strong enough.
        password: Secret<String>,
        /// The challenge of a PKCE flow.
        challenge: Option<Challenge>,
    },
    /// An account with a number.
    Phone {
        /// In its stored spelling.
        phone: String,
        /// Strong enough.
        password: Secret<String>,
    },
}

/// Checks a sign-up in the contract's order (§12.1 steps 3 to 12).
///
/// # Errors
/// The first check that fails.
pub fn want(request: &Request, policy: &Policy) -> Result<Want, Refusal> {
    let (by_email, by_phone) = (!request.email.is_empty(), !request.phone.is_empty());
    if !by_email && !by_phone {
        return anonymous(policy);
    }
    if policy.disable_signup {
        return Err(Refusal::SignupDisabled);
    }
    let password = request.password.clone().filter(|password| !password.expose().is_empty());
    let password = password.ok_or(Refusal::SignupPasswordRequired)?;
    password::accept(password.expose(), &policy.password)?;
    if by_email && by_phone {
        return Err(Refusal::SignupOneContact);
    }
    if by_phone && !request.code_challenge.is_empty() {
        return Err(Refusal::PkceNotForPhone);
    }
    let challenge = Challenge::parse(&request.code_challenge, &request.code_challenge_method)?;
    if by_email {
        if !policy.external_email_enabled {
            return Err(Refusal::EmailSignupsDisabled);
        }
        return Ok(Want::Email { email: email::validate(&request.email)?, password, challenge });
    }
    if !policy.external_phone_enabled {
        return Err(Refusal::PhoneSignupsDisabled);
    }
    Ok(Want::Phone { phone: phone::validate(&request.phone)?, password })
}

fn anonymous(policy: &Policy) -> Result<Want, Refusal> {
    if !policy.external_anonymous_users_enabled {
        return Err(Refusal::AnonymousDisabled);
    }
    if policy.disable_signup {
        return Err(Refusal::SignupDisabled);
    }
    Ok(Want::Anonymous)
}

/// What the account that has the contact already means for a sign-up (§12.2, §12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Confirmed, and the project says so: refused.
    Taken,
    /// Confirmed, and the project does not say so: the answer is a user built from the request.
    Obfuscated,
    /// Not confirmed yet: another message, or the password decides where nothing needs to be confirmed.
    AwaitsConfirmation,
}

/// Judges the account that was found. Only a confirmation of the same contact counts: another contact proves nothing
/// about the one that signs up.
pub fn existing(user: &User, by_email: bool, policy: &Policy) -> Existing {
    let confirmed = if by_email { user.email_confirmed_at } else { user.phone_confirmed_at };
    if confirmed.is_none() {
        return Existing::AwaitsConfirmation;
    }
    if policy.mailer_autoconfirm || policy.sms_autoconfirm { Existing::Taken } else { Existing::Obfuscated }
}

/// The user a sign-up for a confirmed account answers (§7.5): nothing in it comes from that account. Applications know
/// it by its empty list of identities.
pub fn obfuscated(
    id: UserId,
    email: Option<&str>,
    phone: Option<&str>,
    data: Metadata,
    aud: &str,
    now: Timestamp,
) -> User {
    let provider = if email.is_some() { "email" } else { "phone" };
    let mut app_metadata = Metadata::new();
    app_metadata.insert("provider".to_owned(), provider.into());
    app_metadata.insert("providers".to_owned(), [provider].as_slice().into());
    User {
        id,
        aud: aud.to_owned(),
        role: String::new(),
        email: email.map(str::to_owned),
        phone: phone.map(str::to_owned),
        email_confirmed_at: None,
        phone_confirmed_at: None,
        confirmed_at: None,
        invited_at: None,
        confirmation_sent_at: Some(now),
        recovery_sent_at: None,
        email_change: String::new(),
        email_change_sent_at: None,
        email_change_confirm_status: 0,
        phone_change: String::new(),
        phone_change_sent_at: None,
        reauthentication_sent_at: None,
        last_sign_in_at: None,
        app_metadata,
        user_metadata: data,
        is_sso_user: false,
        is_anonymous: false,
        banned_until: None,
        deleted_at: None,
        created_at: now,
        updated_at: now,
        identities: Vec::new(),
        factors: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{at, policy, user};

    fn by_email() -> Request {
        Request { email: "A@B.co".to_owned(), password: Some(Secret::new("secret1".to_owned())), ..Request::default() }
    }

    fn open() -> Policy {
        Policy { external_phone_enabled: true, external_anonymous_users_enabled: true, ..policy() }
    }

    #[test]
    fn an_address_is_taken_in_its_stored_spelling() {
        let password = Secret::new("secret1".to_owned());
        let expected = Want::Email { email: "a@b.co".to_owned(), password, challenge: None };
        assert_eq!(want(&by_email(), &policy()), Ok(expected));
    }

    #[test]
    fn checks_come_in_the_contracts_order() {
        let short = Some(Secret::new("short".to_owned()));
        // Each request has every later fault as well.
        let mut request = Request {
            email: "nobody".to_owned(),
            phone: "x".to_owned(),
            password: None,
            code_challenge: "x".to_owned(),
            ..Request::default()
        };
        let closed = Policy { disable_signup: true, external_email_enabled: false, ..policy() };
        let mail_off = Policy { external_email_enabled: false, ..policy() };
        assert_eq!(want(&request, &closed), Err(Refusal::SignupDisabled));
        assert_eq!(want(&request, &mail_off), Err(Refusal::SignupPasswordRequired));
        request.password = short;
        assert!(matches!(want(&request, &mail_off), Err(Refusal::WeakPassword(_))));
        request.password = by_email().password;
        assert_eq!(want(&request, &mail_off), Err(Refusal::SignupOneContact));
        request.phone = String::new();
        assert_eq!(want(&request, &mail_off), Err(Refusal::PkceIncomplete));
        request.code_challenge = String::new();
        assert_eq!(want(&request, &mail_off), Err(Refusal::EmailSignupsDisabled));
        assert_eq!(want(&request, &policy()), Err(Refusal::EmailFormat));
    }

    #[test]
    fn a_number_takes_no_challenge() {
        let mut request = Request { email: String::new(), phone: "+1 555".to_owned(), ..by_email() };
        assert_eq!(want(&request, &policy()), Err(Refusal::PhoneSignupsDisabled));
        assert!(matches!(want(&request, &open()), Ok(Want::Phone { phone, .. }) if phone == "1555"));
        request.code_challenge = "x".to_owned();
        assert_eq!(want(&request, &open()), Err(Refusal::PkceNotForPhone));
    }

    #[test]
    fn without_contact_it_is_anonymous_where_that_is_on() {
        let closed = Policy { disable_signup: true, ..open() };
        assert_eq!(want(&Request::default(), &policy()), Err(Refusal::AnonymousDisabled));
        assert_eq!(want(&Request::default(), &closed), Err(Refusal::SignupDisabled));
        assert_eq!(want(&Request::default(), &open()), Ok(Want::Anonymous));
    }

    #[test]
    fn only_the_same_contacts_confirmation_makes_an_account_taken() {
        let auto = Policy { mailer_autoconfirm: true, ..policy() };
        let phone_auto = Policy { sms_autoconfirm: true, ..policy() };
        let by_phone_only = User { email_confirmed_at: None, phone_confirmed_at: Some(at(0)), ..user() };
        assert_eq!(existing(&user(), true, &policy()), Existing::Obfuscated);
        assert_eq!(existing(&user(), true, &auto), Existing::Taken);
        assert_eq!(existing(&user(), true, &phone_auto), Existing::Taken);
        assert_eq!(existing(&by_phone_only, true, &auto), Existing::AwaitsConfirmation);
        assert_eq!(existing(&by_phone_only, false, &auto), Existing::Taken);
    }

    #[test]
    fn the_obfuscated_user_holds_nothing_of_the_account() {
        let data: Metadata = serde_json::from_value(json!({"plan": "a"})).unwrap();
        let shown = obfuscated(user().id, Some("a@b.co"), None, data.clone(), "authenticated", at(9));
        assert_eq!((shown.role.as_str(), shown.email.as_deref(), shown.phone.as_deref()), ("", Some("a@b.co"), None));
        assert_eq!([shown.created_at, shown.updated_at], [at(9); 2]);
        assert_eq!(shown.confirmation_sent_at, Some(at(9)));
        assert_eq!(shown.user_metadata, data);
        assert!(shown.identities.is_empty() && shown.email_confirmed_at.is_none());
        assert_eq!(json!(shown.app_metadata), json!({"provider": "email", "providers": ["email"]}));
    }
}
