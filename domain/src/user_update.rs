//! `PUT /user` (`contract/core.md` §16.2). Answers a `User`.

use crate::config::Policy;
use crate::config::policy::ADMIN_GROUP;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::secret::Secret;
use crate::session::{Aal, AmrEntry, Session};
use crate::time::Timestamp;
use crate::user::{Metadata, User};
use crate::{email, password, phone};

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

/// What a change asks for, once rows 1 to 5 of the contract's checks have passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The new address in its stored spelling, where it is another than the account's.
    pub email: Option<String>,
    /// The new number in its stored spelling, where it is another than the account's.
    pub phone: Option<String>,
    /// The mailed nonce must be given and right: asked after the contacts were found to be free.
    pub needs_nonce: bool,
}

/// Checks a change in the contract's order, rows 1 to 5. Whether a contact is free, the nonce and the old password are
/// right, and the new one is new takes reading and hashing and is the caller's.
///
/// # Errors
/// The first check that fails.
pub fn check(
    request: &Request,
    user: &User,
    session: Option<&Session>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let email = changed(&request.email, user.email.as_deref(), email::validate)?;
    let phone = changed(&request.phone, user.phone.as_deref(), phone::validate)?;
    let changes_contact = email.is_some() || phone.is_some();
    if let Some(password) = &request.password {
        password::accept(password.expose(), &policy.password)?;
    }
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
    Ok(Plan { email, phone, needs_nonce: request.password.is_some() && needs_nonce(session, policy, now) })
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

/// Whether a password change needs a mailed nonce: the project asks for one, and the session is not fresh.
fn needs_nonce(session: Option<&Session>, policy: &Policy, now: Timestamp) -> bool {
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
        check(request, user, Some(&session()), &policy(), at(100)).map(drop)
    }

    #[test]
    fn formats_come_first() {
        let admin_only = Some(Metadata::new());
        let bad_email = Request { email: "x".to_owned(), app_metadata: admin_only.clone(), ..request() };
        assert_eq!(judged(&bad_email, &user()), Err(Refusal::EmailFormat));
        let bad_phone = Request { phone: "x".to_owned(), app_metadata: admin_only.clone(), ..request() };
        assert_eq!(judged(&bad_phone, &user()), Err(Refusal::PhoneFormat));
        let empty = Request { password: Some(Secret::default()), app_metadata: admin_only, ..request() };
        assert!(matches!(judged(&empty, &user()), Err(Refusal::WeakPassword(_))));
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
        assert_eq!(check(&new_password(), &enrolled, None, &policy(), at(0)), Err(Refusal::UpdateNeedsAal2));
        assert_eq!(judged(&Request { data: Some(Metadata::new()), ..request() }, &enrolled), Ok(()));
        let mut raised = session();
        raised.amr.push(amr_entry("totp", 10));
        assert_eq!(check(&new_password(), &enrolled, Some(&raised), &policy(), at(100)).map(drop), Ok(()));
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
        let plan = check(&other, &user(), Some(&session()), &policy(), at(100)).unwrap();
        assert_eq!((plan.email.as_deref(), plan.phone), (Some("c@d.co"), None));
    }

    #[test]
    fn an_old_session_needs_a_nonce_where_the_project_asks() {
        let asking = Policy { security_update_password_require_reauthentication: true, ..policy() };
        let judged = |request: &Request, session: Option<&Session>, seconds: i64| {
            check(request, &user(), session, &asking, at(seconds))
        };
        let needs = |request: Request, session: Option<Session>, seconds| {
            judged(&request, session.as_ref(), seconds).unwrap().needs_nonce
        };
        assert!(!needs(new_password(), Some(session()), FRESH));
        assert!(needs(new_password(), Some(session()), FRESH + 1));
        assert!(needs(new_password(), None, 0));
        assert!(!needs(request(), None, 0));
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
