//! Signing in with a passkey (`contract/mfa-passkeys-oauth.md` §2.4, §2.5).

use crate::captcha::Proof;
use crate::config::Policy;
use crate::passkeys::Ceremony;
use crate::project::Profile;
use crate::refusal::{PasskeyRefusal, Refusal};
use crate::session::Aal;
use crate::time::Timestamp;
use crate::user::User;

/// `POST /passkeys/authentication/options`. Answers a `passkey_registration::Challenge`.
#[derive(Clone, Debug)]
pub struct Options {
    /// What there is for the captcha check.
    pub captcha: Proof,
}

/// `POST /passkeys/authentication/verify`. Answers an `IssuedSession`.
#[derive(Clone, Debug)]
pub struct Verify {
    /// The body; what is wrong with it is told after the project's switch was looked at.
    pub body: Result<Ceremony, Refusal>,
}

/// Whether the owner of a passkey that proved itself may have a session. An account that was deleted is not told from one that
/// never was.
pub fn admit(user: &User, now: Timestamp) -> Result<(), Refusal> {
    let unproven = |contact: &Option<String>, proven: Option<Timestamp>| {
        contact.as_deref().is_some_and(|contact| !contact.is_empty()) && proven.is_none()
    };
    if user.deleted_at.is_some() {
        return Err(PasskeyRefusal::Invalid.into());
    }
    if unproven(&user.email, user.email_confirmed_at) {
        return Err(PasskeyRefusal::EmailNotConfirmed.into());
    }
    if unproven(&user.phone, user.phone_confirmed_at) {
        return Err(PasskeyRefusal::PhoneNotConfirmed.into());
    }
    if user.is_banned(now) {
        return Err(Refusal::BearerUserBanned);
    }
    Ok(())
}

/// The level of the session that a passkey opens (`security/advisor.md` §1.5): raised only where the authenticator knew its
/// user, which makes it two factors in one.
pub fn level(policy: &Policy, user_verified: bool) -> Aal {
    if user_verified { policy.webauthn.passkey_level } else { Aal::Aal1 }
}

/// Whether a passkey may sign in although its count of signatures has not grown, so that there may be a copy of its key
/// (`security/reference-weaknesses.md`).
pub fn takes_counter_regress(policy: &Policy) -> bool {
    policy.profile == Profile::Compat
}

#[cfg(test)]
mod tests {
    use super::{admit, level, takes_counter_regress};
    use crate::fixtures::{at, policy, user};
    use crate::project::Profile;
    use crate::refusal::{PasskeyRefusal, Refusal};
    use crate::session::Aal;
    use crate::user::User;

    #[test]
    fn contacts_come_before_the_ban_and_a_deleted_account_is_unknown() {
        let mut user = User { banned_until: Some(at(100)), phone: Some("15550100".to_owned()), ..user() };
        user.email_confirmed_at = None;
        assert_eq!(admit(&user, at(50)), Err(PasskeyRefusal::EmailNotConfirmed.into()));
        user.email_confirmed_at = Some(at(0));
        assert_eq!(admit(&user, at(50)), Err(PasskeyRefusal::PhoneNotConfirmed.into()));
        user.phone_confirmed_at = Some(at(0));
        assert_eq!(admit(&user, at(50)), Err(Refusal::BearerUserBanned));
        assert_eq!(admit(&user, at(100)), Ok(()));
        user.deleted_at = Some(at(0));
        user.email_confirmed_at = None;
        assert_eq!(admit(&user, at(50)), Err(PasskeyRefusal::Invalid.into()));
    }

    #[test]
    fn contacts_that_are_not_there_need_no_proof() {
        let user = User { email: Some(String::new()), phone: None, email_confirmed_at: None, ..user() };
        assert_eq!(admit(&user, at(0)), Ok(()));
    }

    #[test]
    fn only_an_authenticator_that_knew_its_user_raises_the_level() {
        let mut policy = policy();
        assert_eq!(level(&policy, true), Aal::Aal1);
        policy.webauthn.passkey_level = Aal::Aal2;
        assert_eq!(level(&policy, true), Aal::Aal2);
        assert_eq!(level(&policy, false), Aal::Aal1);
    }

    #[test]
    fn a_count_that_runs_backwards_signs_in_where_the_reference_lets_it() {
        let mut policy = policy();
        assert!(takes_counter_regress(&policy));
        policy.profile = Profile::Shield;
        assert!(!takes_counter_regress(&policy));
    }
}
