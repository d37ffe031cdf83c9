//! `POST /token?grant_type=id_token`: a session for an ID token (`contract/mfa-passkeys-oauth.md` §5). Whose token it must be
//! stands in [`select`], what it must say in [`Trust::judge`]; signature, issuer and times are `outbound`'s.

mod judge;
mod select;

use crate::config::Policy;
use crate::project::Profile;
use crate::refusal::{ProviderRefusal, Refusal};
use crate::request::Bearer;
use crate::secret::Secret;

pub use judge::{Nonce, Nonces};
pub use select::{Choice, Trust, is_taken, select};

/// An ID token is shown. Answers an `IssuedSession`.
#[derive(Clone, Debug)]
pub struct Request {
    /// The `Authorization` header, for linking.
    pub bearer: Bearer,
    /// Whether there was such a header at all.
    pub has_authorization: bool,
    /// The body, or what is wrong with it: told after the limit.
    pub body: Result<Body, Refusal>,
}

/// The fields of the body, empty when absent.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// `id_token`.
    pub id_token: Secret<String>,
    /// `provider`.
    pub provider: String,
    /// `client_id`.
    pub client_id: String,
    /// `issuer`.
    pub issuer: String,
    /// `nonce`.
    pub nonce: String,
    /// `access_token`.
    pub access_token: Secret<String>,
    /// `link_identity`.
    pub link_identity: bool,
}

impl Body {
    /// Whether there is a token, and something that says whose.
    ///
    /// # Errors
    /// There is not.
    pub fn check(&self) -> Result<(), ProviderRefusal> {
        if self.id_token.expose().is_empty() {
            return Err(ProviderRefusal::IdTokenRequired);
        }
        if self.provider.is_empty() && (self.client_id.is_empty() || self.issuer.is_empty()) {
            return Err(ProviderRefusal::IdTokenProviderRequired);
        }
        Ok(())
    }
}

/// Whether a user may link the identity of an ID token. The switch of manual linking holds for it in shield alone
/// (`security/advisor.md` §1.5): Supabase Auth never asks it here.
///
/// # Errors
/// He may not.
pub fn check_linking(policy: &Policy) -> Result<(), ProviderRefusal> {
    match policy.profile == Profile::Shield && !policy.security_manual_linking_enabled {
        true => Err(ProviderRefusal::ManualLinkingDisabled),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::policy;

    #[test]
    fn the_token_is_asked_for_first_then_the_provider() {
        let body = |id_token: &str, provider: &str, client_id: &str, issuer: &str| Body {
            id_token: Secret::new(id_token.to_owned()),
            provider: provider.to_owned(),
            client_id: client_id.to_owned(),
            issuer: issuer.to_owned(),
            ..Body::default()
        };
        assert_eq!(body("", "google", "c", "i").check(), Err(ProviderRefusal::IdTokenRequired));
        for (client_id, issuer) in [("", ""), ("c", ""), ("", "i")] {
            assert_eq!(body("t", "", client_id, issuer).check(), Err(ProviderRefusal::IdTokenProviderRequired));
        }
        assert_eq!(body("t", "", "c", "i").check(), Ok(()));
        assert_eq!(body("t", "google", "", "").check(), Ok(()));
    }

    #[test]
    fn the_switch_of_linking_holds_in_shield() {
        let with = |profile: Profile, on: bool| Policy { profile, security_manual_linking_enabled: on, ..policy() };
        assert_eq!(check_linking(&with(Profile::Compat, false)), Ok(()));
        assert_eq!(check_linking(&with(Profile::Shield, true)), Ok(()));
        assert_eq!(check_linking(&with(Profile::Shield, false)), Err(ProviderRefusal::ManualLinkingDisabled));
    }
}
