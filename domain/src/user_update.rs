//! `PUT /user` (`contract/core.md` §16.2). Answers a `User`.

use crate::config::Policy;
use crate::config::policy::ADMIN_GROUP;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::secret::Secret;
use crate::session::{Aal, AmrEntry, Session};
use crate::sms::Channel;
use crate::time::Timestamp;
use crate::user::{Metadata, User};
use crate::{email, phone};

/// A change of one's own account as parsed from the body.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
    /// New address, empty when absent.
    pub email: String,
    /// New number, empty when absent.
    pub phone: String,
    /// New password; `None` = untouched, empty = too short.
    pub password: Option<Secret<String>>,
    /// The old password, where the project asks for it.
    pub current_password: Option<Secret<String>>,
    /// The mailed nonce, empty when absent.
    pub nonce: Secret<String>,
    /// Merged into `user_metadata`; `null` values delete keys.
    pub data: Option<Metadata>,
    /// Merged into `app_metadata`, for admin users only.
    pub app_metadata: Option<Metadata>,
    /// PKCE challenge for an address change, empty when absent.
    pub code_challenge: String,
    /// PKCE method for an address change, empty when absent.
    pub code_challenge_method: String,
    /// `channel` for a change of number.
    pub channel: String,
}

/// How old a session may be to change the password without a nonce, in seconds.
const FRESH: i64 = 86_400;

/// The contacts that a change asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contacts {
    /// The new address in its stored spelling, where it is another than the account's.
    pub email: Option<String>,
    /// The new number in its stored spelling, where it is another than the account's.
    pub phone: Option<String>,
    /// How a code gets to the new number.
    pub channel: Channel,
}

/// Reads the contacts of a change: row 1 of the contract's checks, but for the strength of the password.
///
/// # Errors
/// Not an address, not a number, no such channel.
pub fn contacts(request: &Request, user: &User, policy: &Policy) -> Result<Contacts, Refusal> {
    let email = changed(&request.email, user.email.as_deref(), email::validate)?;
    let phone = changed(&request.phone, user.phone.as_deref(), phone::validate)?;
    let channel = match request.phone.is_empty() {
        true => Channel::default(),
        false => Channel::parse(&request.channel, policy)?,
    };
    Ok(Contacts { email, phone, channel })
}

/// Checks whether the bearer may ask for the change: rows 2 to 5 of the contract's checks. Whether a contact is free, the
/// proof is fresh, the old password right and the new one new takes reading and hashing and is the caller's.
///
/// # Errors
/// The first check that fails.
pub fn check(
    request: &Request,
    contacts: &Contacts,
    user: &User,
    session: Option<&Session>,
    policy: &Policy,
) -> Result<(), Refusal> {
    let changes_contact = contacts.email.is_some() || contacts.phone.is_some();
    if request.app_metadata.is_some() && (user.aud != policy.jwt_aud || user.role != ADMIN_GROUP) {
        return Err(Refusal::AppMetadataNeedsAdmin);
    }
    let raised = session.is_some_and(|session| Aal::of(&session.amr) == Aal::Aal2);
    if user.has_verified_factor() && !raised && (request.password.is_some() || changes_contact) {
        return Err(Refusal::UpdateNeedsAal2);
    }
    if user.is_anonymous && request.password.is_some() && request.email.is_empty() && request.phone.is_empty() {
        return Err(Refusal::AnonymousPassword);
    }
    let sso_managed = request.password.is_some() || changes_contact || !request.nonce.expose().is_empty();
    if user.is_sso_user && sso_managed {
        return Err(Refusal::UserSsoManaged);
    }
    Ok(())
}

/// The contact in its stored spelling, where one is given and it is another than the account's.
fn changed(
    given: &str,
    current: Option<&str>,
    validate: fn(&str) -> Result<String, Refusal>,
) -> Result<Option<String>, Refusal> {
    if given.is_empty() {
        return Ok(None);
    }
    let contact = validate(given)?;
    Ok((current != Some(contact.as_str())).then_some(contact))
}

/// Whether a password change, or the end of the account, needs a fresh proof: the project asks for one, and the session is
/// not fresh itself (§16.2 row 8).
pub fn needs_fresh_proof(session: Option<&Session>, policy: &Policy, now: Timestamp) -> bool {
    let fresh = session.is_some_and(|session| now <= session.created_at.plus_seconds(FRESH));
    policy.security_update_password_require_reauthentication && !fresh
}

/// Whether a user who has a password must give it to set another one: the project asks for it, and the session was not
/// opened by a message to the user.
pub fn needs_current_password(session: Option<&Session>, policy: &Policy) -> bool {
    let by_message = |entry: &AmrEntry| matches!(entry.method.as_str(), "otp" | "magiclink" | "recovery");
    let proven = session.is_some_and(|session| session.amr.iter().any(by_message));
    policy.security_update_password_require_current_password && !proven
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{amr_entry, at, factor, policy, session, user};
    use crate::request::Bearer;

    fn request() -> Request {
        Request {
            bearer: Bearer(None),
            email: String::new(),
            phone: String::new(),
            password: None,
            current_password: None,
            nonce: Secret::default(),
            data: None,
            app_metadata: None,
            code_challenge: String::new(),
            code_challenge_method: String::new(),
            channel: String::new(),
        }
    }

    fn new_password() -> Request {
        Request { password: Some(Secret::new("secret2".to_owned())), ..request() }
    }

    fn judged(request: &Request, user: &User) -> Result<(), Refusal> {
        judged_in(Some(&session()), request, user)
    }

    fn judged_in(session: Option<&Session>, request: &Request, user: &User) -> Result<(), Refusal> {
        check(request, &contacts(request, user, &policy())?, user, session, &policy())
    }

    #[test]
    fn formats_come_first() {
        let admin_only = Some(Metadata::new());
        let bad_email = Request { email: "x".to_owned(), app_metadata: admin_only.clone(), ..request() };
        assert_eq!(judged(&bad_email, &user()), Err(Refusal::EmailFormat));
        let bad_phone = Request { phone: "x".to_owned(), app_metadata: admin_only.clone(), ..request() };
        assert_eq!(judged(&bad_phone, &user()), Err(Refusal::PhoneFormat));
        let pigeon = Request { channel: "pigeon".to_owned(), app_metadata: admin_only, ..request() };
        assert_eq!(judged(&pigeon, &user()), Err(Refusal::AppMetadataNeedsAdmin));
        let pigeon = Request { phone: "15550000001".to_owned(), ..pigeon };
        assert_eq!(judged(&pigeon, &user()), Err(Refusal::SmsChannel));
    }

    #[test]
    fn app_metadata_is_for_the_admin_group() {
        let change = Request { app_metadata: Some(Metadata::new()), ..request() };
        assert_eq!(judged(&change, &user()), Err(Refusal::AppMetadataNeedsAdmin));
        assert_eq!(judged(&change, &User { role: "admin".to_owned(), ..user() }), Ok(()));
        let elsewhere = User { role: "admin".to_owned(), aud: "other".to_owned(), ..user() };
        assert_eq!(judged(&change, &elsewhere), Err(Refusal::AppMetadataNeedsAdmin));
    }

    #[test]
    fn a_user_with_a_second_factor_must_have_used_it() {
        let enrolled = User { factors: vec![factor(true)], ..user() };
        assert_eq!(judged(&new_password(), &enrolled), Err(Refusal::UpdateNeedsAal2));
        assert_eq!(judged_in(None, &new_password(), &enrolled), Err(Refusal::UpdateNeedsAal2));
        assert_eq!(judged(&Request { data: Some(Metadata::new()), ..request() }, &enrolled), Ok(()));
        let mut raised = session();
        raised.amr.push(amr_entry("totp", 10));
        assert_eq!(judged_in(Some(&raised), &new_password(), &enrolled), Ok(()));
        assert_eq!(judged(&new_password(), &User { factors: vec![factor(false)], ..user() }), Ok(()));
    }

    #[test]
    fn accounts_without_a_way_to_use_a_password_get_none() {
        assert_eq!(
            judged(&new_password(), &User { is_anonymous: true, email: None, ..user() }),
            Err(Refusal::AnonymousPassword)
        );
        assert_eq!(judged(&new_password(), &User { is_sso_user: true, ..user() }), Err(Refusal::UserSsoManaged));
        let with_nonce = Request { nonce: Secret::new("1".to_owned()), ..request() };
        assert_eq!(judged(&with_nonce, &User { is_sso_user: true, ..user() }), Err(Refusal::UserSsoManaged));
    }

    #[test]
    fn the_same_contact_is_no_change() {
        assert_eq!(judged(&Request { email: "A@B.CO".to_owned(), ..request() }, &user()), Ok(()));
        let other = Request { email: "C@d.co".to_owned(), ..request() };
        let contacts = contacts(&other, &user(), &policy()).unwrap();
        assert_eq!((contacts.email.as_deref(), contacts.phone), (Some("c@d.co"), None));
    }

    #[test]
    fn an_old_session_needs_a_fresh_proof_where_the_project_asks() {
        let asking = Policy { security_update_password_require_reauthentication: true, ..policy() };
        assert!(!needs_fresh_proof(Some(&session()), &asking, at(FRESH)));
        assert!(needs_fresh_proof(Some(&session()), &asking, at(FRESH + 1)));
        assert!(needs_fresh_proof(None, &asking, at(0)));
        assert!(!needs_fresh_proof(None, &policy(), at(0)));
    }

    #[test]
    fn a_session_opened_by_a_message_needs_no_old_password() {
        let asking = Policy { security_update_password_require_current_password: true, ..policy() };
        let mut by_code = session();
        by_code.amr.push(amr_entry("otp", 1));
        assert!(needs_current_password(Some(&session()), &asking));
        assert!(needs_current_password(None, &asking));
        assert!(!needs_current_password(Some(&by_code), &asking));
        assert!(!needs_current_password(Some(&session()), &policy()));
    }
}
