//! `POST /magiclink` (`contract/core.md` §14.2). Answers nothing but that a mail may have gone out.

use crate::captcha::Proof;
use crate::config::Policy;
use crate::email;
use crate::pkce::Challenge;
use crate::refusal::Refusal;
use crate::user::Metadata;

/// A link is asked for. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// Metadata of a new account.
    pub data: Metadata,
    /// PKCE challenge.
    pub code_challenge: String,
    /// PKCE method.
    pub code_challenge_method: String,
    /// For the captcha check.
    pub captcha: Proof,
}

/// Whether the project has links at all: this comes before the body is decoded.
///
/// # Errors
/// E-mail or links are off.
pub fn check_switches(policy: &Policy) -> Result<(), Refusal> {
    match (policy.external_email_enabled, policy.external_email_magic_link_enabled) {
        (false, _) => Err(Refusal::EmailLoginsDisabled),
        (true, false) => Err(Refusal::MagicLinkDisabled),
        (true, true) => Ok(()),
    }
}

/// Checks a request in the contract's order. Gives the address in its stored spelling, and the challenge.
///
/// # Errors
/// The first check that fails.
pub fn check(request: &Request, policy: &Policy) -> Result<(String, Option<Challenge>), Refusal> {
    check_switches(policy)?;
    if request.email.is_empty() {
        return Err(Refusal::MagicLinkEmailRequired);
    }
    let email = email::validate(&request.email)?;
    Ok((email, Challenge::parse(&request.code_challenge, &request.code_challenge_method)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::policy;

    #[test]
    fn checks_come_in_the_contracts_order() {
        let on = Policy { external_email_magic_link_enabled: true, ..policy() };
        let links_off = Policy { external_email_magic_link_enabled: false, ..policy() };
        let mail_off = Policy { external_email_enabled: false, ..links_off.clone() };
        let mut request = Request { code_challenge: "x".to_owned(), ..Request::default() };
        assert_eq!(check(&request, &mail_off), Err(Refusal::EmailLoginsDisabled));
        assert_eq!(check(&request, &links_off), Err(Refusal::MagicLinkDisabled));
        assert_eq!(check(&request, &on), Err(Refusal::MagicLinkEmailRequired));
        request.email = "nobody".to_owned();
        assert_eq!(check(&request, &on), Err(Refusal::EmailFormat));
        request.email = "A@b.co".to_owned();
        assert_eq!(check(&request, &on), Err(Refusal::PkceIncomplete));
        request.code_challenge = String::new();
        assert_eq!(check(&request, &on), Ok(("a@b.co".to_owned(), None)));
    }
}
