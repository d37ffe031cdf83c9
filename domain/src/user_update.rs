//! `PUT /user` (`contract/core.md` §16.2). Answers a `User`.

use crate::config::Policy;
use crate::config::policy::ADMIN_GROUP;
use crate::project::Profile;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::secret::Secret;
use crate::session::{Aal, AmrEntry, Session};
use crate::sms::Channel;
use crate::step_up::{self, Operation, Verdict};
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

impl Request {
    /// Whether it is about how the user comes in or what he may do, not only about what he tells of himself.
    pub fn changes_more_than_data(&self) -> bool {
        !self.email.is_empty() || !self.phone.is_empty() || self.password.is_some() || self.app_metadata.is_some()
    }
}

/// How old a session may be to change the password without a nonce in compat, in seconds.
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

/// Checks whether the bearer may ask for the change: rows 2 to 5 of the contract's checks, and after row 3 whether a second
/// factor was used lately, where the project asks for that. Whether a contact is free, another proof right, the old password
/// right and the new one new takes reading and hashing and is the caller's.
///
/// # Errors
/// The first check that fails.
pub fn check(
    request: &Request,
    contacts: &Contacts,
    user: &User,
    session: Option<&Session>,
    policy: &Policy,
    now: Timestamp,
) -> Result<(), Refusal> {
    let changes_contact = contacts.email.is_some() || contacts.phone.is_some();
    if request.app_metadata.is_some() && (user.aud != policy.jwt_aud || user.role != ADMIN_GROUP) {
        return Err(Refusal::AppMetadataNeedsAdmin);
    }
    let raised = session.is_some_and(|session| session.level() == Aal::Aal2);
    if user.has_verified_factor() && !raised && (request.password.is_some() || changes_contact) {
        return Err(Refusal::UpdateNeedsAal2);
    }
    for operation in operations(request, contacts) {
        if let Verdict::Refused(refusal) = step_up::judge(operation, user, session, policy, now) {
            return Err(refusal);
        }
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

/// What a change asks a step-up for.
fn operations(request: &Request, contacts: &Contacts) -> impl Iterator<Item = Operation> {
    let asked = [
        (Operation::PasswordChange, request.password.is_some()),
        (Operation::EmailChange, contacts.email.is_some()),
        (Operation::PhoneChange, contacts.phone.is_some()),
    ];
    asked.into_iter().filter_map(|(operation, asked)| asked.then_some(operation))
}

/// A proof that a change takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Whether the old password is one; a nonce always is.
    pub by_password: bool,
    /// The answer to who shows none.
    pub refusal: Refusal,
}

/// The proof a change takes (row 8, and the project's step-up), if any: one for all that it changes, which [`check`] has let
/// through.
pub fn proof(
    request: &Request,
    contacts: &Contacts,
    user: &User,
    session: Option<&Session>,
    policy: &Policy,
    now: Timestamp,
) -> Option<Proof> {
    if request.password.is_some() && needs_reauthentication(session, policy, now) {
        let by_password = policy.profile == Profile::Shield;
        return Some(Proof { by_password, refusal: Refusal::ReauthenticationNeeded });
    }
    operations(request, contacts).find_map(|operation| match step_up::judge(operation, user, session, policy, now) {
        Verdict::NeedsProof(refusal) => Some(Proof { by_password: true, refusal }),
        Verdict::Granted | Verdict::Refused(_) => None,
    })
}

/// Whether a password change needs a reauthentication: the project asks for one, and the session is not fresh itself (§16.2
/// row 8). What is fresh in shield is what is fresh for a step-up (`security/advisor.md` §1.7).
fn needs_reauthentication(session: Option<&Session>, policy: &Policy, now: Timestamp) -> bool {
    let fresh = match policy.profile {
        Profile::Compat => session.is_some_and(|session| now <= session.created_at.plus_seconds(FRESH)),
        Profile::Shield => step_up::is_fresh_sign_in(session, policy, now),
    };
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
    use crate::step_up::StepUp;

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
        check(request, &contacts(request, user, &policy())?, user, session, &policy(), at(0))
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
        assert!(!needs_reauthentication(Some(&session()), &asking, at(FRESH)));
        assert!(needs_reauthentication(Some(&session()), &asking, at(FRESH + 1)));
        assert!(needs_reauthentication(None, &asking, at(0)));
        assert!(!needs_reauthentication(None, &policy(), at(0)));
    }

    fn shield(operations: impl IntoIterator<Item = Operation>) -> Policy {
        let step_up = StepUp { operations: operations.into_iter().collect(), max_age: 600 };
        Policy { profile: Profile::Shield, step_up, ..policy() }
    }

    #[test]
    fn in_shield_a_proof_is_as_fresh_as_for_a_step_up() {
        let asking = Policy { security_update_password_require_reauthentication: true, ..shield([]) };
        assert!(!needs_reauthentication(Some(&session()), &asking, at(599)));
        assert!(needs_reauthentication(Some(&session()), &asking, at(600)));
        let mut raised = session();
        raised.amr.insert(0, amr_entry("totp", 5000));
        assert!(!needs_reauthentication(Some(&raised), &asking, at(5599)));
    }

    #[test]
    fn one_proof_serves_all_that_changes() {
        let all = Request { email: "c@d.co".to_owned(), phone: "15550000001".to_owned(), ..new_password() };
        let asked = |request: &Request, policy: &Policy, second| {
            let contacts = contacts(request, &user(), policy).unwrap();
            proof(request, &contacts, &user(), Some(&session()), policy, at(second))
                .map(|proof| (proof.refusal, proof.by_password))
        };
        let password = Some((Refusal::ReauthenticationNeeded, true));
        let email = Some((Refusal::FreshSignInNeeded("Email update"), true));
        let phone = Some((Refusal::FreshSignInNeeded("Phone update"), true));
        let only_phone = Request { phone: all.phone.clone(), ..request() };
        let only_data = Request { data: Some(Metadata::new()), ..request() };
        let (email_step, phone_step) = (shield([Operation::EmailChange]), shield([Operation::PhoneChange]));
        assert_eq!(asked(&all, &shield([Operation::PasswordChange, Operation::EmailChange]), 600), password);
        assert_eq!(asked(&all, &email_step, 600), email);
        assert_eq!(asked(&all, &phone_step, 600), phone);
        assert_eq!(asked(&only_phone, &email_step, 600), None);
        assert_eq!(asked(&only_data, &shield(Operation::ALL), 600), None);
        assert_eq!(asked(&all, &shield(Operation::ALL), 599), None);
        // The contract's rule alone takes no password in compat.
        let compat = Policy { security_update_password_require_reauthentication: true, ..policy() };
        assert_eq!(asked(&all, &compat, FRESH), None);
        assert_eq!(asked(&all, &compat, FRESH + 1), Some((Refusal::ReauthenticationNeeded, false)));
        let both = Policy { step_up: email_step.step_up.clone(), ..compat };
        assert_eq!(asked(&all, &both, FRESH), email);
        assert_eq!(asked(&all, &both, FRESH + 1), Some((Refusal::ReauthenticationNeeded, false)));
    }

    #[test]
    fn a_stale_second_factor_is_told_after_a_missing_one() {
        let policy = shield([Operation::EmailChange]);
        let enrolled = User { factors: vec![factor(true)], ..user() };
        let email = Request { email: "c@d.co".to_owned(), ..request() };
        let judged = |request: &Request, session: &Session, second| {
            let contacts = contacts(request, &enrolled, &policy).unwrap();
            check(request, &contacts, &enrolled, Some(session), &policy, at(second))
        };
        let mut raised = session();
        raised.amr.push(amr_entry("totp", 0));
        assert_eq!(judged(&email, &session(), 600), Err(Refusal::UpdateNeedsAal2));
        assert_eq!(judged(&email, &raised, 600), Err(Refusal::StepUpNeededToUpdate));
        assert_eq!(judged(&email, &raised, 599), Ok(()));
        assert_eq!(judged(&new_password(), &raised, 600), Ok(()));
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
