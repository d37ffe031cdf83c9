//! `POST /recover` (`contract/core.md` §14.4). Answers nothing.

use crate::captcha::Proof;
use crate::config::Policy;
use crate::email;
use crate::pkce::Challenge;
use crate::refusal::Refusal;

/// A way back into an account is asked for. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// PKCE challenge.
    pub code_challenge: String,
    /// PKCE method.
    pub code_challenge_method: String,
    /// For the captcha check.
    pub captcha: Proof,
}

/// Checks a request in the contract's order. Gives the address in its stored spelling, and the challenge.
///
/// # Errors
/// The first check that fails.
pub fn check(request: &Request, policy: &Policy) -> Result<(String, Option<Challenge>), Refusal> {
    if !policy.external_email_enabled {
        return Err(Refusal::RecoverEmailDisabled);
    }
    if request.email.is_empty() {
        return Err(Refusal::RecoverEmailRequired);
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
        let mail_off = Policy { external_email_enabled: false, ..policy() };
        let mut request = Request { code_challenge: "x".to_owned(), ..Request::default() };
        assert_eq!(check(&request, &mail_off), Err(Refusal::RecoverEmailDisabled));
        assert_eq!(check(&request, &policy()), Err(Refusal::RecoverEmailRequired));
        request.email = "nobody".to_owned();
        assert_eq!(check(&request, &policy()), Err(Refusal::EmailFormat));
        request.email = "A@b.co".to_owned();
        assert_eq!(check(&request, &policy()), Err(Refusal::PkceIncomplete));
        request.code_challenge = String::new();
        assert_eq!(check(&request, &policy()), Ok(("a@b.co".to_owned(), None)));
    }
}
