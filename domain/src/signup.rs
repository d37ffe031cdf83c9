//! `POST /signup` (`contract/core.md` §12).

use crate::captcha::Proof;
use crate::config::Policy;
use crate::contact::Contact;
use crate::ids::{IdentityId, UserId};
use crate::pkce::Challenge;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::sms::Channel;
use crate::time::Timestamp;
use crate::tokens::IssuedSession;
use crate::user::{Identity, Metadata, User};
use crate::{email, phone};

/// Claims a client cannot set through its own metadata.
const RESERVED: [&str; 5] = ["sub", "email", "email_verified", "phone", "phone_verified"];

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
pub struct Wish {
    /// In its stored spelling.
    pub contact: Contact,
    /// The challenge of a PKCE flow, only with an address.
    pub challenge: Option<Challenge>,
    /// How a number is reached.
    pub channel: Channel,
}

impl Request {
    /// Neither address nor number: an account without contact.
    pub fn is_anonymous(&self) -> bool {
        self.email.is_empty() && self.phone.is_empty()
    }
}

/// The password of a sign-up with a contact (§12.1 steps 4 and 5); whether it is strong enough is the next question.
///
/// # Errors
/// Sign-ups are off, or there is none.
pub fn password(request: &Request, policy: &Policy) -> Result<Secret<String>, Refusal> {
    if policy.disable_signup {
        return Err(Refusal::SignupDisabled);
    }
    let password = request.password.clone().filter(|password| !password.expose().is_empty());
    password.ok_or(Refusal::SignupPasswordRequired)
}

/// Checks the rest of a sign-up with a contact in the contract's order (§12.1 steps 7 to 12).
///
/// # Errors
/// The first check that fails.
pub fn wish(request: &Request, policy: &Policy) -> Result<Wish, Refusal> {
    let by_phone = !request.phone.is_empty();
    if by_phone && !request.email.is_empty() {
        return Err(Refusal::SignupOneContact);
    }
    let channel = if by_phone { Channel::parse(&request.channel, policy)? } else { Channel::default() };
    if by_phone && !request.code_challenge.is_empty() {
        return Err(Refusal::PkceNotForPhone);
    }
    let challenge = Challenge::parse(&request.code_challenge, &request.code_challenge_method)?;
    if by_phone {
        if !policy.external_phone_enabled {
            return Err(Refusal::PhoneSignupsDisabled);
        }
        return Ok(Wish { contact: Contact::Phone(phone::validate(&request.phone)?), challenge: None, channel });
    }
    if !policy.external_email_enabled {
        return Err(Refusal::EmailSignupsDisabled);
    }
    Ok(Wish { contact: Contact::Email(email::validate(&request.email)?), challenge, channel })
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
/// about the one that signs up. An account that has the address only by an identity of another provider is not the one
/// that could be confirmed.
pub fn existing(user: &User, contact: &Contact, policy: &Policy) -> Existing {
    let waits = match contact {
        Contact::Email(email) => user.email.as_ref() == Some(email) && user.email_confirmed_at.is_none(),
        Contact::Phone(phone) => user.phone.as_ref() == Some(phone) && user.phone_confirmed_at.is_none(),
    };
    if waits {
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
        email: email.map(str::to_owned),
        phone: phone.map(str::to_owned),
        confirmation_sent_at: Some(now),
        app_metadata,
        user_metadata: data,
        ..User::new(id, aud, "", now)
    }
}

/// The user a sign-up answers where nobody is to learn whether the account was there before
/// (`security/advisor.md` §1.11): built from the request alone, whatever happened.
pub fn uniform(
    id: UserId,
    identity: IdentityId,
    contact: &Contact,
    data: Metadata,
    aud: &str,
    role: &str,
    now: Timestamp,
) -> User {
    let shown = obfuscated(id, contact.email(), contact.phone(), data.clone(), aud, now);
    let claims = identity_claims(id, contact, &data);
    let identity = Identity {
        id: identity,
        user_id: id,
        provider: contact.provider().to_owned(),
        provider_id: id.to_string(),
        data: claims.clone(),
        last_sign_in_at: Some(now),
        created_at: now,
        updated_at: now,
    };
    User { role: role.to_owned(), user_metadata: without_nulls(claims), identities: vec![identity], ..shown }
}

/// The `user_metadata` of an account whose identity has these claims (§12.2).
pub fn without_nulls(mut claims: Metadata) -> Metadata {
    claims.retain(|_, value| !value.is_null());
    claims
}

/// The claims of the identity a sign-up with `contact` makes: what was given, but for the claims that we alone set (§12.2).
pub fn identity_claims(id: UserId, contact: &Contact, data: &Metadata) -> Metadata {
    let mut claims = data.clone();
    claims.retain(|key, _| !RESERVED.contains(&key.as_str()));
    claims.insert("sub".to_owned(), id.to_string().into());
    if let Some(email) = contact.email() {
        claims.insert("email".to_owned(), email.into());
    }
    claims.insert("email_verified".to_owned(), false.into());
    claims.insert("phone_verified".to_owned(), false.into());
    claims
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
        Policy { external_phone_enabled: true, ..policy() }
    }

    #[test]
    fn an_address_is_taken_in_its_stored_spelling() {
        let contact = Contact::Email("a@b.co".to_owned());
        let expected = Wish { contact, challenge: None, channel: Channel::Sms };
        assert_eq!(wish(&by_email(), &policy()), Ok(expected));
        assert_eq!(password(&by_email(), &policy()), Ok(Secret::new("secret1".to_owned())));
    }

    #[test]
    fn checks_come_in_the_contracts_order() {
        // Each request has every later fault as well.
        let mut request = Request {
            email: "nobody".to_owned(),
            phone: "x".to_owned(),
            password: None,
            channel: "pigeon".to_owned(),
            code_challenge: "x".to_owned(),
            ..Request::default()
        };
        let closed = Policy { disable_signup: true, external_email_enabled: false, ..policy() };
        let mail_off = Policy { external_email_enabled: false, ..policy() };
        assert_eq!(password(&request, &closed), Err(Refusal::SignupDisabled));
        assert_eq!(password(&request, &mail_off), Err(Refusal::SignupPasswordRequired));
        request.password = Some(Secret::new(String::new()));
        assert_eq!(password(&request, &mail_off), Err(Refusal::SignupPasswordRequired));
        assert_eq!(wish(&request, &mail_off), Err(Refusal::SignupOneContact));
        request.phone = String::new();
        assert_eq!(wish(&request, &mail_off), Err(Refusal::PkceIncomplete));
        request.code_challenge = String::new();
        assert_eq!(wish(&request, &mail_off), Err(Refusal::EmailSignupsDisabled));
        assert_eq!(wish(&request, &policy()), Err(Refusal::EmailFormat));
    }

    #[test]
    fn a_number_takes_a_channel_and_no_challenge() {
        let mut request = Request {
            email: String::new(),
            phone: "+1 555".to_owned(),
            channel: "pigeon".to_owned(),
            code_challenge: "x".to_owned(),
            ..by_email()
        };
        assert_eq!(wish(&request, &policy()), Err(Refusal::SmsChannel));
        request.channel = "sms".to_owned();
        assert_eq!(wish(&request, &policy()), Err(Refusal::PkceNotForPhone));
        request.code_challenge = String::new();
        assert_eq!(wish(&request, &policy()), Err(Refusal::PhoneSignupsDisabled));
        assert_eq!(wish(&request, &open()).map(|wish| wish.contact), Ok(Contact::Phone("1555".to_owned())));
    }

    #[test]
    fn claims_of_the_account_are_not_the_clients_to_set() {
        let data =
            json!({ "plan": "a", "none": null, "sub": "x", "email": "b@b.co", "email_verified": true, "phone": 7 });
        let data: Metadata = serde_json::from_value(data).unwrap();
        let id = user().id;
        let by_email = identity_claims(id, &Contact::Email("a@b.co".to_owned()), &data);
        let expected = json!({
            "plan": "a", "none": null, "sub": id, "email": "a@b.co", "email_verified": false, "phone_verified": false
        });
        assert_eq!(json!(by_email), expected);
        assert!(!without_nulls(by_email).contains_key("none"));
        let by_phone = identity_claims(id, &Contact::Phone("1555".to_owned()), &data);
        assert_eq!(
            json!(by_phone),
            json!({ "plan": "a", "none": null, "sub": id, "email_verified": false, "phone_verified": false })
        );
    }

    #[test]
    fn the_uniform_user_looks_like_a_new_one() {
        let data: Metadata = serde_json::from_value(json!({ "plan": "a" })).unwrap();
        let contact = Contact::Email("a@b.co".to_owned());
        let id = user().id;
        let shown = uniform(id, IdentityId(id.0), &contact, data, "authenticated", "authenticated", at(9));
        assert_eq!((shown.role.as_str(), shown.identities.len()), ("authenticated", 1));
        assert_eq!(json!(shown.user_metadata["plan"]), json!("a"));
        assert_eq!(shown.identities[0].data, shown.user_metadata);
        assert_eq!([shown.created_at, shown.updated_at, shown.identities[0].created_at], [at(9); 3]);
    }

    #[test]
    fn only_the_same_contacts_confirmation_makes_an_account_taken() {
        let auto = Policy { mailer_autoconfirm: true, ..policy() };
        let phone_auto = Policy { sms_autoconfirm: true, ..policy() };
        let email = Contact::Email("a@b.co".to_owned());
        let phone = Contact::Phone("1555".to_owned());
        let by_phone_only = User {
            email_confirmed_at: None,
            phone: Some("1555".to_owned()),
            phone_confirmed_at: Some(at(0)),
            ..user()
        };
        assert_eq!(existing(&user(), &email, &policy()), Existing::Obfuscated);
        assert_eq!(existing(&user(), &email, &auto), Existing::Taken);
        assert_eq!(existing(&user(), &email, &phone_auto), Existing::Taken);
        assert_eq!(existing(&by_phone_only, &email, &auto), Existing::AwaitsConfirmation);
        assert_eq!(existing(&by_phone_only, &phone, &auto), Existing::Taken);
        let by_identity = User { email: None, email_confirmed_at: None, ..user() };
        assert_eq!(existing(&by_identity, &email, &policy()), Existing::Obfuscated);
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
