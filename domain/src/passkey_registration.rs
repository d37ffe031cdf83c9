//! A user gets a passkey (`contract/mfa-passkeys-oauth.md` §2.2, §2.3).

use serde_json::Value;

use crate::config::MAX_VERIFIED;
use crate::ids::ChallengeId;
use crate::passkeys::{self, Ceremony};
use crate::refusal::{PasskeyRefusal, Refusal};
use crate::request::Bearer;
use crate::session::Session;
use crate::user::User;

/// `POST /passkeys/registration/options`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The caller's token.
    pub bearer: Bearer,
}

/// What the browser asks the authenticator, in either ceremony.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The row.
    pub id: ChallengeId,
    /// The options as JSON, without `publicKey` around them.
    pub options: Value,
    /// Its end, Unix seconds.
    pub expires_at: i64,
}

/// `POST /passkeys/registration/verify`. Answers a `Passkey`.
#[derive(Clone, Debug)]
pub struct Verify {
    /// The caller's token.
    pub bearer: Bearer,
    /// The body; what is wrong with it is told after the bearer was let in.
    pub body: Result<Ceremony, Refusal>,
}

/// Whether `user` may register passkeys in `session`. Users of an organisation sign in there and nowhere else.
pub fn admit(user: &User, session: Option<&Session>) -> Result<(), PasskeyRefusal> {
    if user.is_sso_user {
        return Err(PasskeyRefusal::SsoUser);
    }
    passkeys::may_manage(user, session)
}

/// Whether a user with `count` passkeys may have another one.
pub fn has_room(count: u64) -> Result<(), PasskeyRefusal> {
    if count >= MAX_VERIFIED as u64 { Err(PasskeyRefusal::TooMany) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{admit, has_room};
    use crate::fixtures::{factor, session, user};
    use crate::refusal::PasskeyRefusal;
    use crate::user::User;

    #[test]
    fn organisations_come_before_levels() {
        let user = User { is_sso_user: true, factors: vec![factor(true)], ..user() };
        assert_eq!(admit(&user, Some(&session())), Err(PasskeyRefusal::SsoUser));
        let user = User { is_sso_user: false, ..user };
        assert_eq!(admit(&user, Some(&session())), Err(PasskeyRefusal::NeedsAal2));
    }

    #[test]
    fn the_tenth_passkey_is_the_last() {
        assert_eq!(has_room(9), Ok(()));
        assert_eq!(has_room(10), Err(PasskeyRefusal::TooMany));
    }
}
