//! `GET /verify` and `POST /verify` (`contract/core.md` §15).

use crate::config::Policy;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::tokens::IssuedSession;
use crate::user::User;
use crate::{email, phone};

/// What the first of two confirmations of a new address answers.
pub const HALF_DONE: &str = "Confirmation link accepted. Please proceed to confirm link sent to the other email";

/// What a link answers that proved an address and gave no session.
pub const ADDRESS_CONFIRMED: &str = "Email address confirmed. You can sign in now";

/// The same where it set a password.
pub const PASSWORD_SET: &str = "Password set. You can sign in now";

/// A followed link. Texts are empty when absent.
#[derive(Clone, Debug)]
pub struct Link {
    /// The `token` parameter.
    pub token: Secret<String>,
    /// The `type` parameter.
    pub kind: String,
    /// The person has pressed the button of the page that a project may show first.
    pub confirmed: bool,
    /// What was typed into that page.
    pub password: Option<Secret<String>>,
}

/// Where a followed link leads; always a redirect.
#[derive(Clone, Debug)]
pub struct Landing {
    /// The validated target.
    pub target: String,
    /// What is added to it.
    pub outcome: Outcome,
    /// The link belongs to a PKCE flow: errors go to the query as well.
    pub pkce: bool,
}

/// What a followed link achieved.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Tokens, for the fragment.
    Session {
        /// The tokens.
        session: Box<IssuedSession>,
        /// The `type` the fragment carries.
        kind: String,
    },
    /// An authorization code, for the query.
    Code(Secret<String>),
    /// One of two confirmations.
    Message(&'static str),
    /// Nothing yet: the project shows a page first, and only what is done there uses the link up.
    Ask(Ask),
    /// A refusal, for the fragment (and the query).
    Refused(Refusal),
}

/// What the page between a link and its effect asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To press a button.
    Button,
    /// A new password; holds what was wrong with the one before.
    NewPassword(Option<String>),
    /// To type the mailed code where the sign-in began: the page itself does nothing.
    Code,
}

/// A typed code, or a hash a server took from a link. Texts are empty when absent.
#[derive(Clone, Debug)]
pub struct Request {
    /// `type`.
    pub kind: String,
    /// The code.
    pub token: Secret<String>,
    /// The hash.
    pub token_hash: Secret<String>,
    /// With a code.
    pub email: String,
    /// With a code.
    pub phone: String,
    /// Must be absent with a hash.
    pub redirect_to: String,
    /// Set in place of the old one by a recovery.
    pub password: Option<Secret<String>>,
}

/// What a verified code answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Tokens.
    Session(Box<IssuedSession>),
    /// One of two confirmations.
    Message(&'static str),
}

/// What is verified, as the client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sign-up.
    Signup,
    /// An invitation.
    Invite,
    /// A forgotten password.
    Recovery,
    /// A sign-in by mail.
    MagicLink,
    /// A new address.
    EmailChange,
    /// A sign-up or a sign-in by mail, whichever it is.
    Email,
    /// A sign-up or a sign-in by SMS.
    Sms,
    /// A new number.
    PhoneChange,
}

impl Kind {
    /// Reads the wire value.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "signup" => Self::Signup,
            "invite" => Self::Invite,
            "recovery" => Self::Recovery,
            "magiclink" => Self::MagicLink,
            "email_change" => Self::EmailChange,
            "email" => Self::Email,
            "sms" => Self::Sms,
            "phone_change" => Self::PhoneChange,
            _ => return None,
        })
    }

    /// The wire value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Invite => "invite",
            Self::Recovery => "recovery",
            Self::MagicLink => "magiclink",
            Self::EmailChange => "email_change",
            Self::Email => "email",
            Self::Sms => "sms",
            Self::PhoneChange => "phone_change",
        }
    }

    /// Reads the type of what came by mail and can be shown as the token of a link.
    ///
    /// # Errors
    /// Any other.
    pub fn of_link(text: &str) -> Result<Self, Refusal> {
        Self::parse(text).filter(|kind| !kind.is_by_sms()).ok_or(Refusal::VerifyTypeInvalid)
    }

    /// Whether the code comes by SMS.
    pub fn is_by_sms(self) -> bool {
        matches!(self, Self::Sms | Self::PhoneChange)
    }

    /// What a link of this kind asks for that began without a challenge, where sessions are for challenges only
    /// (`security/advisor.md` §1.4).
    pub fn without_challenge(self) -> Ask {
        match self {
            Self::Signup | Self::EmailChange => Ask::Button,
            Self::Invite | Self::Recovery => Ask::NewPassword(None),
            Self::MagicLink | Self::Email | Self::Sms | Self::PhoneChange => Ask::Code,
        }
    }

    /// The authentication method of a PKCE flow of this kind (§9); `None` for kinds that have no such flow.
    pub fn flow_method(self) -> Option<&'static str> {
        match self {
            Self::Signup => Some("email/signup"),
            Self::Invite => Some("invite"),
            Self::Recovery => Some("recovery"),
            Self::MagicLink => Some("magiclink"),
            Self::EmailChange => Some("email_change"),
            Self::Email | Self::Sms | Self::PhoneChange => None,
        }
    }
}

/// Whether `code` can be a code at all. What cannot is no guess: nobody loses a code by sending an empty field.
pub fn is_guess(code: &str) -> bool {
    (6..=10).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a new address is taken over by this confirmation (§15.5), or waits for the other one. `by_current` says that the
/// message went to the current address: without autoconfirm that alone never proves the new one.
pub fn completes_email_change(user: &User, by_current: bool, policy: &Policy) -> bool {
    let both = user.email.is_some() && (policy.mailer_secure_email_change_enabled || by_current);
    policy.mailer_autoconfirm || !both || user.email_change_confirm_status != 0
}

/// Checks what a link must have (§15.1). The refusals are answers of their own, not redirects.
///
/// # Errors
/// No type, or no token.
pub fn check_link(link: &Link) -> Result<(), Refusal> {
    if link.kind.is_empty() {
        return Err(Refusal::VerifyTypeRequired);
    }
    if link.token.expose().is_empty() {
        return Err(Refusal::VerifyLinkTokenRequired);
    }
    Ok(())
}

/// What a request proves itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The token of a link.
    Link(Secret<String>),
    /// A code that was mailed.
    EmailCode {
        /// In its stored spelling.
        email: String,
        /// As typed.
        code: Secret<String>,
    },
    /// A code that came by SMS.
    PhoneCode {
        /// In its stored spelling.
        phone: String,
        /// As typed.
        code: Secret<String>,
    },
}

/// Checks what a request must have (§15.2), in the contract's order. The link token of a recovery may come alone as `token`,
/// with the new password beside it (mission row 5).
///
/// # Errors
/// The first check that fails.
pub fn check_request(request: &Request) -> Result<Proof, Refusal> {
    if request.kind.is_empty() {
        return Err(Refusal::VerifyTypeRequired);
    }
    let (email, phone) = (&request.email, &request.phone);
    let alone = request.token_hash.expose().is_empty() && email.is_empty() && phone.is_empty();
    if request.kind == "recovery" && alone && !request.token.expose().is_empty() {
        let password = request.password.as_ref().filter(|password| !password.expose().is_empty());
        return password.map(|_| Proof::Link(request.token.clone())).ok_or(Refusal::RecoveryNeedsPassword);
    }
    match (request.token.expose().is_empty(), request.token_hash.expose().is_empty()) {
        (true, true) | (false, false) => Err(Refusal::VerifyTokenRequired),
        (false, true) if email.is_empty() == phone.is_empty() => Err(Refusal::VerifyOneContact),
        (false, true) if email.is_empty() => {
            Ok(Proof::PhoneCode { phone: phone::validate(phone)?, code: request.token.clone() })
        }
        (false, true) => {
            let email = email::validate(email).map_err(|_| Refusal::VerifyEmailFormat)?;
            Ok(Proof::EmailCode { email, code: request.token.clone() })
        }
        (true, false) => {
            if !email.is_empty() || !phone.is_empty() || !request.redirect_to.is_empty() {
                return Err(Refusal::VerifyHashOnly);
            }
            Ok(Proof::Link(request.token_hash.clone()))
        }
    }
}

/// Whether what was sent at `sent_at` with a life of `life` seconds is too old.
pub fn is_expired(sent_at: Timestamp, life: i64, now: Timestamp) -> bool {
    now > sent_at.plus_seconds(life)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::fixtures::{at, policy, user};

    /// Kind, token, token hash, email, phone, redirect.
    fn request(parts: [&str; 6]) -> Request {
        let [kind, token, token_hash, email, phone, redirect_to] = parts.map(str::to_owned);
        Request { kind, token: token.into(), token_hash: token_hash.into(), email, phone, redirect_to, password: None }
    }

    #[test]
    fn links_need_type_and_token() {
        let link = |kind: &str, token: &str| {
            let (token, kind) = (token.to_owned().into(), kind.to_owned());
            check_link(&Link { token, kind, confirmed: false, password: None })
        };
        assert_eq!(link("", ""), Err(Refusal::VerifyTypeRequired));
        assert_eq!(link("signup", ""), Err(Refusal::VerifyLinkTokenRequired));
        assert_eq!(link("signup", "x"), Ok(()));
    }

    #[test]
    fn requests_are_checked_in_order() {
        for (parts, refusal) in [
            (["", "", "", "", "", ""], Refusal::VerifyTypeRequired),
            (["signup", "", "", "", "", ""], Refusal::VerifyTokenRequired),
            (["signup", "1", "h", "", "", ""], Refusal::VerifyTokenRequired),
            (["signup", "1", "", "", "", ""], Refusal::VerifyOneContact),
            (["signup", "1", "", "a@b.co", "1555", ""], Refusal::VerifyOneContact),
            (["sms", "1", "", "", "abc", ""], Refusal::PhoneFormat),
            (["signup", "1", "", "nope", "", ""], Refusal::VerifyEmailFormat),
            (["signup", "", "h", "a@b.co", "", ""], Refusal::VerifyHashOnly),
            (["signup", "", "h", "", "1555", ""], Refusal::VerifyHashOnly),
            (["signup", "", "h", "", "", "https://x"], Refusal::VerifyHashOnly),
        ] {
            assert_eq!(check_request(&request(parts)), Err(refusal), "{parts:?}");
        }
    }

    #[test]
    fn proofs_are_spelled_as_they_are_stored() {
        let code = || Secret::new("123456".to_owned());
        assert_eq!(
            check_request(&request(["email", "123456", "", "A@B.co", "", "https://x"])),
            Ok(Proof::EmailCode { email: "a@b.co".to_owned(), code: code() })
        );
        assert_eq!(
            check_request(&request(["sms", "123456", "", "", "+1 555", ""])),
            Ok(Proof::PhoneCode { phone: "1555".to_owned(), code: code() })
        );
        assert_eq!(check_request(&request(["email", "", "123456", "", "", ""])), Ok(Proof::Link(code())));
    }

    #[test]
    fn the_last_microsecond_of_a_life_still_counts() {
        assert!(!is_expired(at(0), 60, at(60)));
        assert!(is_expired(at(0), 60, at(60).plus(TimeDelta::microseconds(1))));
        assert!(!is_expired(at(0), i64::MAX, at(60)));
    }

    #[test]
    fn the_link_token_of_a_recovery_comes_alone_with_a_password() {
        let alone = request(["recovery", "abc", "", "", "", ""]);
        assert_eq!(check_request(&alone), Err(Refusal::RecoveryNeedsPassword));
        let empty = Request { password: Some(Secret::default()), ..alone.clone() };
        assert_eq!(check_request(&empty), Err(Refusal::RecoveryNeedsPassword));
        let whole = Request { password: Some("new password".to_owned().into()), ..alone };
        assert_eq!(check_request(&whole), Ok(Proof::Link("abc".to_owned().into())));
        let other = Request { kind: "signup".to_owned(), ..whole.clone() };
        assert_eq!(check_request(&other), Err(Refusal::VerifyOneContact));
        let with_contact = Request { email: "a@b.co".to_owned(), ..whole };
        assert!(matches!(check_request(&with_contact), Ok(Proof::EmailCode { .. })));
    }

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for (text, flow) in [
            ("signup", Some("email/signup")),
            ("invite", Some("invite")),
            ("recovery", Some("recovery")),
            ("magiclink", Some("magiclink")),
            ("email_change", Some("email_change")),
            ("email", None),
        ] {
            assert_eq!(Kind::of_link(text).unwrap().flow_method(), flow, "{text}");
            assert_eq!(Kind::of_link(text).unwrap().as_str(), text);
        }
        for text in ["sms", "phone_change"] {
            assert!(Kind::parse(text).unwrap().is_by_sms());
            assert_eq!(Kind::parse(text).unwrap().as_str(), text);
            assert_eq!(Kind::of_link(text), Err(Refusal::VerifyTypeInvalid));
        }
        assert_eq!(Kind::parse("Signup"), None);
        assert_eq!(Kind::of_link("reauthentication"), Err(Refusal::VerifyTypeInvalid));
    }

    #[test]
    fn what_can_be_no_code_is_no_guess() {
        for (code, guess) in [
            ("123456", true),
            ("1234567890", true),
            ("12345", false),
            ("12345678901", false),
            ("12345x", false),
            ("", false),
            ("\u{661}\u{662}\u{663}", false),
        ] {
            assert_eq!(is_guess(code), guess, "{code:?}");
        }
    }

    #[test]
    fn a_new_address_needs_both_sides_only_where_the_project_wants_them() {
        let changing = |email: Option<&str>, status| User {
            email: email.map(str::to_owned),
            email_change: "new@b.co".to_owned(),
            email_change_confirm_status: status,
            ..user()
        };
        let secure = Policy { mailer_autoconfirm: false, mailer_secure_email_change_enabled: true, ..policy() };
        let single = Policy { mailer_secure_email_change_enabled: false, ..secure.clone() };
        let auto = Policy { mailer_autoconfirm: true, ..secure.clone() };
        for (policy, email, status, by_current, completes) in [
            (&secure, Some("a@b.co"), 0, false, false),
            (&secure, Some("a@b.co"), 0, true, false),
            (&secure, Some("a@b.co"), 1, false, true),
            (&secure, Some("a@b.co"), 1, true, true),
            (&secure, None, 0, false, true),
            (&single, Some("a@b.co"), 0, false, true),
            (&single, Some("a@b.co"), 0, true, false),
            (&auto, Some("a@b.co"), 0, true, true),
        ] {
            let user = changing(email, status);
            assert_eq!(completes_email_change(&user, by_current, policy), completes, "{email:?} {status} {by_current}");
        }
    }
}
