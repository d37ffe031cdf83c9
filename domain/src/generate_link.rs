//! `POST /admin/generate_link` (`contract/core.md` §17.8).

use crate::config::Policy;
use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::secret::Secret;
use crate::user::{Metadata, User};

/// A link is made for an administrator to deliver. Empty texts count as absent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The admin's token.
    pub bearer: Bearer,
    /// `type`: `signup`, `invite`, `magiclink`, `recovery`, `email_change_current` or `email_change_new`.
    pub kind: String,
    /// Address, as typed.
    pub email: String,
    /// The new address of a change.
    pub new_email: String,
    /// The password of a new account.
    pub password: Secret<String>,
    /// Metadata.
    pub data: Option<Metadata>,
    /// Where the link leads in the end; counts before the request's own candidates.
    pub redirect_to: String,
}

/// The link, beside the user it is for.
#[derive(Clone, Debug)]
pub struct Link {
    /// The user as he is now.
    pub user: User,
    /// What a mail would have linked to.
    pub action_link: Secret<String>,
    /// What can be typed instead.
    pub email_otp: Secret<String>,
    /// What stands in the link.
    pub hashed_token: Secret<String>,
    /// `type` for a verification with code or hash.
    pub verification_type: String,
    /// Where the link leads in the end.
    pub redirect_to: String,
}

/// What is made a link for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The confirmation of an account; makes one where there is none.
    SignUp,
    /// The same for an account without password.
    Invite,
    /// A sign-in.
    MagicLink,
    /// A sign-in after which the password is set.
    Recovery,
    /// A change of address, the side of the current one.
    EmailChangeCurrent,
    /// A change of address, the side of the new one.
    EmailChangeNew,
}

impl Kind {
    /// The word in `type` and `verification_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "signup",
            Self::Invite => "invite",
            Self::MagicLink => "magiclink",
            Self::Recovery => "recovery",
            Self::EmailChangeCurrent => "email_change_current",
            Self::EmailChangeNew => "email_change_new",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [
            Self::SignUp,
            Self::Invite,
            Self::MagicLink,
            Self::Recovery,
            Self::EmailChangeCurrent,
            Self::EmailChangeNew,
        ];
        all.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What is made for `found`, the account with the address. A magic link for nobody is a sign-up.
///
/// # Errors
/// The first check of the table that fails (§17.8).
pub fn decide(kind: &str, found: Option<&User>, policy: &Policy) -> Result<Kind, Refusal> {
    let kind = Kind::parse(kind).ok_or_else(|| Refusal::LinkTypeInvalid(kind.to_owned()))?;
    let confirmed = found.is_some_and(|user| user.email_confirmed_at.is_some());
    match (kind, found) {
        (Kind::SignUp | Kind::Invite, _) if confirmed => Err(Refusal::InviteEmailExists),
        (Kind::MagicLink, None) => Ok(Kind::SignUp),
        (Kind::Recovery | Kind::EmailChangeCurrent | Kind::EmailChangeNew, None) => Err(Refusal::LinkUserNotFound),
        (Kind::EmailChangeCurrent, Some(_)) if !policy.mailer_secure_email_change_enabled => {
            Err(Refusal::LinkSecureChangeOff)
        }
        (kind, _) => Ok(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{policy, user};

    #[test]
    fn every_type_for_every_account() {
        let unconfirmed = User { email_confirmed_at: None, ..user() };
        let (confirmed, waiting) = (Some(&user()), Some(&unconfirmed));
        for (kind, found, answer) in [
            ("signup", None, Ok(Kind::SignUp)),
            ("signup", waiting, Ok(Kind::SignUp)),
            ("signup", confirmed, Err(Refusal::InviteEmailExists)),
            ("invite", None, Ok(Kind::Invite)),
            ("invite", waiting, Ok(Kind::Invite)),
            ("invite", confirmed, Err(Refusal::InviteEmailExists)),
            ("magiclink", None, Ok(Kind::SignUp)),
            ("magiclink", waiting, Ok(Kind::MagicLink)),
            ("recovery", None, Err(Refusal::LinkUserNotFound)),
            ("recovery", confirmed, Ok(Kind::Recovery)),
            ("email_change_current", None, Err(Refusal::LinkUserNotFound)),
            ("email_change_current", confirmed, Ok(Kind::EmailChangeCurrent)),
            ("email_change_new", None, Err(Refusal::LinkUserNotFound)),
            ("email_change_new", confirmed, Ok(Kind::EmailChangeNew)),
            ("email_change", confirmed, Err(Refusal::LinkTypeInvalid("email_change".to_owned()))),
            ("", None, Err(Refusal::LinkTypeInvalid(String::new()))),
        ] {
            assert_eq!(decide(kind, found, &policy()), answer, "{kind}");
        }
        let single = Policy { mailer_secure_email_change_enabled: false, ..policy() };
        assert_eq!(decide("email_change_current", confirmed, &single), Err(Refusal::LinkSecureChangeOff));
        assert_eq!(decide("email_change_new", confirmed, &single), Ok(Kind::EmailChangeNew));
    }
}
