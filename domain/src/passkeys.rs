//! A user's passkeys: listing, renaming, removing, also by an admin (`contract/mfa-passkeys-oauth.md` §2.6).

use serde_json::Value;

use crate::ids::{ChallengeId, PasskeyId};
use crate::refusal::{PasskeyRefusal, Refusal};
use crate::request::Bearer;
use crate::session::{Aal, Session};
use crate::time::Timestamp;
use crate::user::User;

/// The name of a passkey whose authenticator is of no known model.
pub const DEFAULT_NAME: &str = "Passkey";

/// The longest name, in bytes.
const NAME_LENGTH: usize = 120;

/// A passkey as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// The row.
    pub id: PasskeyId,
    /// Its name, empty when none.
    pub friendly_name: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last signed in.
    pub last_used_at: Option<Timestamp>,
}

/// The body of both `verify` endpoints.
#[derive(Clone, Debug)]
pub struct Ceremony {
    /// `challenge_id`, empty when absent.
    pub challenge: String,
    /// What the authenticator answered; `None` when absent.
    pub credential: Option<Value>,
}

impl Ceremony {
    /// The challenge that is answered, and the answer.
    pub fn parts(self) -> Result<(ChallengeId, Value), PasskeyRefusal> {
        if self.challenge.is_empty() {
            return Err(PasskeyRefusal::ChallengeRequired);
        }
        let credential = self.credential.ok_or(PasskeyRefusal::CredentialRequired)?;
        let challenge = self.challenge.parse().map_err(|_| PasskeyRefusal::ChallengeMalformed)?;
        Ok((ChallengeId(challenge), credential))
    }
}

/// Whether a challenge that ends at `expires_at` can still be answered.
pub fn in_time(expires_at: Timestamp, now: Timestamp) -> Result<(), PasskeyRefusal> {
    if now > expires_at { Err(PasskeyRefusal::ChallengeExpired) } else { Ok(()) }
}

/// The passkey a path names.
pub fn id(text: &str) -> Result<PasskeyId, PasskeyRefusal> {
    text.parse().map(PasskeyId).map_err(|_| PasskeyRefusal::NotFound)
}

/// Whether a passkey may be called `name`.
pub fn check_name(name: &str) -> Result<(), PasskeyRefusal> {
    match name.len() {
        0 => Err(PasskeyRefusal::NameRequired),
        length if length > NAME_LENGTH => Err(PasskeyRefusal::NameTooLong),
        _ => Ok(()),
    }
}

/// Whether `user` may add and remove passkeys in `session`: whoever has a second factor must have used it, or a thief of the
/// first one would make himself another way in.
pub fn may_manage(user: &User, session: Option<&Session>) -> Result<(), PasskeyRefusal> {
    let raised = session.is_some_and(|session| session.level() == Aal::Aal2);
    if user.has_verified_factor() && !raised { Err(PasskeyRefusal::NeedsAal2) } else { Ok(()) }
}

/// `GET /passkeys`. Answers the passkeys, oldest first.
#[derive(Clone, Debug)]
pub struct List {
    /// The caller's token.
    pub bearer: Bearer,
}

/// `PATCH /passkeys/{id}`. Answers the passkey.
#[derive(Clone, Debug)]
pub struct Rename {
    /// The caller's token.
    pub bearer: Bearer,
    /// The path's id.
    pub passkey: String,
    /// `friendly_name` of the body; what is wrong with the body is told after the id was looked at.
    pub friendly_name: Result<String, Refusal>,
}

/// `DELETE /passkeys/{id}`.
#[derive(Clone, Debug)]
pub struct Delete {
    /// The caller's token.
    pub bearer: Bearer,
    /// The path's id.
    pub passkey: String,
}

/// `GET /admin/users/{id}/passkeys`.
#[derive(Clone, Debug)]
pub struct AdminList {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's user id.
    pub user: String,
}

/// `DELETE /admin/users/{id}/passkeys/{passkey}`.
#[derive(Clone, Debug)]
pub struct AdminDelete {
    /// The admin's token.
    pub bearer: Bearer,
    /// The path's user id.
    pub user: String,
    /// The path's passkey id.
    pub passkey: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::{Ceremony, check_name, id, in_time, may_manage};
    use crate::fixtures::{amr_entry, at, factor, session, user};
    use crate::ids::ChallengeId;
    use crate::refusal::PasskeyRefusal;
    use crate::session::{Aal, Session};
    use crate::user::User;

    fn parts(challenge: &str, credential: bool) -> Result<ChallengeId, PasskeyRefusal> {
        let credential = credential.then(|| json!({}));
        Ceremony { challenge: challenge.to_owned(), credential }.parts().map(|(challenge, _)| challenge)
    }

    #[test]
    fn a_missing_challenge_is_told_first_a_malformed_one_last() {
        assert_eq!(parts("", false), Err(PasskeyRefusal::ChallengeRequired));
        assert_eq!(parts("x", false), Err(PasskeyRefusal::CredentialRequired));
        assert_eq!(parts("x", true), Err(PasskeyRefusal::ChallengeMalformed));
    }

    #[test]
    fn ids_are_read_in_every_form_of_a_uuid() {
        let uuid = Uuid::from_u128(0x1234);
        for text in [uuid.to_string(), uuid.simple().to_string(), uuid.braced().to_string(), uuid.urn().to_string()] {
            assert_eq!(parts(&text, true), Ok(ChallengeId(uuid)));
            assert_eq!(id(&text), Ok(uuid.into()));
        }
        assert_eq!(id("1234"), Err(PasskeyRefusal::NotFound));
    }

    #[test]
    fn a_challenge_is_answered_up_to_its_end() {
        assert_eq!(in_time(at(300), at(300)), Ok(()));
        assert_eq!(in_time(at(300), at(301)), Err(PasskeyRefusal::ChallengeExpired));
    }

    #[test]
    fn names_are_measured_in_bytes() {
        assert_eq!(check_name(""), Err(PasskeyRefusal::NameRequired));
        assert_eq!(check_name(&"é".repeat(60)), Ok(()));
        assert_eq!(check_name(&"é".repeat(61)), Err(PasskeyRefusal::NameTooLong));
    }

    #[test]
    fn whoever_has_a_second_factor_must_have_used_it() {
        let low = session();
        let raised = Session { aal: Aal::Aal2, amr: vec![amr_entry("totp", 5), amr_entry("password", 0)], ..session() };
        let with = |verified: bool| User { factors: vec![factor(verified)], ..user() };
        assert_eq!(may_manage(&user(), None), Ok(()));
        assert_eq!(may_manage(&with(false), Some(&low)), Ok(()));
        assert_eq!(may_manage(&with(true), Some(&raised)), Ok(()));
        assert_eq!(may_manage(&with(true), Some(&low)), Err(PasskeyRefusal::NeedsAal2));
        assert_eq!(may_manage(&with(true), None), Err(PasskeyRefusal::NeedsAal2));
    }
}
