//! `DELETE /factors/{id}` (`contract/mfa-passkeys-oauth.md` §1.7). Answers the factor's id.

use crate::refusal::Refusal;
use crate::request::Bearer;
use crate::session::Aal;

/// A factor is to go.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
    /// The path's id.
    pub factor: String,
}

/// Whether a factor may go in a session of the stored level `level`.
///
/// # Errors
/// A verified one, before the second factor was shown.
pub fn check(verified: bool, level: Aal) -> Result<(), Refusal> {
    if verified && level != Aal::Aal2 { Err(Refusal::UnenrollNeedsAal2) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verified_factor_goes_at_the_second_level() {
        assert_eq!(check(false, Aal::Aal1), Ok(()));
        assert_eq!(check(true, Aal::Aal1), Err(Refusal::UnenrollNeedsAal2));
        assert_eq!(check(true, Aal::Aal2), Ok(()));
    }
}
