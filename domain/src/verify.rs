//! `GET /verify` and `POST /verify` (`contract/core.md` §15).

use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::tokens::IssuedSession;
use crate::{email, phone};

/// A followed link. Texts are empty when absent.
#[derive(Clone, Debug)]
pub struct Link {
    /// The `token` parameter.
    pub token: Secret<String>,
    /// The `type` parameter.
    pub kind: String,
    /// The person has pressed the button of the page that a project may show first.
    pub confirmed: bool,
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
    /// Nothing yet: the project shows a page with a button first, and only that uses the link up.
    Ask,
    /// A refusal, for the fragment (and the query).
    Refused(Refusal),
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
    Hash(Secret<String>),
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

/// Checks what a request must have (§15.2), in the contract's order.
///
/// # Errors
/// The first check that fails.
pub fn check_request(request: &Request) -> Result<Proof, Refusal> {
    if request.kind.is_empty() {
        return Err(Refusal::VerifyTypeRequired);
    }
    let (email, phone) = (&request.email, &request.phone);
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
            Ok(Proof::Hash(request.token_hash.clone()))
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
    use crate::fixtures::at;

    /// Kind, token, token hash, email, phone, redirect.
    fn request(parts: [&str; 6]) -> Request {
        let [kind, token, token_hash, email, phone, redirect_to] = parts.map(str::to_owned);
        Request { kind, token: token.into(), token_hash: token_hash.into(), email, phone, redirect_to, password: None }
    }

    #[test]
    fn links_need_type_and_token() {
        let link = |kind: &str, token: &str| {
            check_link(&Link { token: token.to_owned().into(), kind: kind.to_owned(), confirmed: false })
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
        assert_eq!(check_request(&request(["email", "", "123456", "", "", ""])), Ok(Proof::Hash(code())));
    }

    #[test]
    fn the_last_microsecond_of_a_life_still_counts() {
        assert!(!is_expired(at(0), 60, at(60)));
        assert!(is_expired(at(0), 60, at(60).plus(TimeDelta::microseconds(1))));
        assert!(!is_expired(at(0), i64::MAX, at(60)));
    }
}
