//! `DELETE /user/identities/{identity_id}` (`contract/mfa-passkeys-oauth.md` §3.10).

use serde_json::Value;
use uuid::Uuid;

use crate::account::is_verified;
use crate::bearer::Claims;
use crate::ids::IdentityId;
use crate::refusal::{ProviderRefusal, Refusal};
use crate::request::Bearer;
use crate::user::{Identity, User};

/// An identity is to be removed. Answers nothing.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose.
    pub bearer: Bearer,
    /// The row's id as it stands in the path.
    pub identity: String,
}

/// Reads the id of the path.
///
/// # Errors
/// It is none.
pub fn identity_id(text: &str) -> Result<IdentityId, Refusal> {
    Uuid::try_parse(text).map(IdentityId).map_err(|_| ProviderRefusal::IdentityIdNotUuid.into())
}

/// Checks that the token is for the audience that the request names: its only one, or its first.
///
/// # Errors
/// It is for another.
pub fn check_audience(claims: &Claims, asked: &str) -> Result<(), Refusal> {
    let audience = match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.first(),
        audience => audience,
    };
    match audience.and_then(Value::as_str).unwrap_or_default() == asked {
        true => Ok(()),
        false => Err(ProviderRefusal::UnexpectedAudience.into()),
    }
}

/// What removing an identity does to the contacts of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// Nothing.
    Stay,
    /// The number goes.
    NumberGoes,
    /// The address becomes the first of these that nobody else has; `None` is no address, which is always free.
    AddressBecomes(Vec<Option<String>>),
}

/// The identity that goes, and what that does to the contacts. An address moves only to one that a provider has verified: what
/// nobody has proven never takes the place of what was.
///
/// # Errors
/// It is the last one, or not one of the user's.
pub fn unlink(user: &User, id: IdentityId) -> Result<(&Identity, Contacts), Refusal> {
    if user.identities.len() <= 1 {
        return Err(ProviderRefusal::LastIdentity.into());
    }
    let identity = user.identities.iter().find(|identity| identity.id == id);
    let identity = identity.ok_or(ProviderRefusal::IdentityNotFound)?;
    if identity.provider == "phone" {
        return Ok((identity, Contacts::NumberGoes));
    }
    let mut left: Vec<&Identity> = user.identities.iter().filter(|left| left.id != id).collect();
    left.sort_by_key(|left| (left.created_at, left.id));
    if user.email.is_none() || left.iter().any(|left| left.email() == user.email) {
        return Ok((identity, Contacts::Stay));
    }
    let verified = left.iter().filter(|left| is_verified(left)).filter_map(|left| left.email()).map(Some);
    let none = left.iter().any(|left| left.email().is_none()).then_some(None);
    Ok((identity, Contacts::AddressBecomes(verified.chain(none).collect())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{at, identity, user};

    fn with(id: u128, provider: &str, email: Option<(&str, bool)>, made: i64) -> Identity {
        let mut identity =
            Identity { id: IdentityId(Uuid::from_u128(id)), created_at: at(made), ..identity(provider, "x") };
        if let Some((email, verified)) = email {
            identity.data.insert("email".to_owned(), json!(email));
            identity.data.insert("email_verified".to_owned(), json!(verified));
        }
        identity
    }

    fn contacts(identities: Vec<Identity>, id: u128) -> Result<Contacts, Refusal> {
        let user = User { identities, ..user() };
        unlink(&user, IdentityId(Uuid::from_u128(id))).map(|(_, contacts)| contacts)
    }

    #[test]
    fn the_last_one_stays_whatever_is_asked_for() {
        assert_eq!(contacts(vec![with(1, "email", None, 0)], 1), Err(ProviderRefusal::LastIdentity.into()));
        assert_eq!(contacts(vec![with(1, "email", None, 0)], 9), Err(ProviderRefusal::LastIdentity.into()));
        assert_eq!(contacts(Vec::new(), 1), Err(ProviderRefusal::LastIdentity.into()));
        let two = vec![with(1, "email", None, 0), with(2, "google", None, 0)];
        assert_eq!(contacts(two, 9), Err(ProviderRefusal::IdentityNotFound.into()));
    }

    #[test]
    fn the_address_stays_while_an_identity_has_it() {
        // The account of `user()` has a@b.co.
        let two = || vec![with(1, "email", Some(("a@b.co", false)), 0), with(2, "google", Some(("A@b.co", false)), 1)];
        assert_eq!(contacts(two(), 1), Ok(Contacts::Stay));
        assert_eq!(contacts(two(), 2), Ok(Contacts::Stay));
    }

    #[test]
    fn the_number_goes_with_its_identity() {
        let two = vec![with(1, "email", Some(("a@b.co", true)), 0), with(2, "phone", None, 1)];
        assert_eq!(contacts(two, 2), Ok(Contacts::NumberGoes));
    }

    #[test]
    fn verified_addresses_follow_in_order_and_unverified_ones_never() {
        let becomes = |addresses: &[Option<&str>]| {
            Ok(Contacts::AddressBecomes(addresses.iter().map(|address| address.map(str::to_owned)).collect()))
        };
        let own = || with(1, "email", Some(("a@b.co", true)), 0);
        let rest = vec![
            own(),
            with(2, "x", None, 1),
            with(3, "github", Some(("late@b.co", true)), 5),
            with(4, "google", Some(("early@b.co", true)), 2),
            with(5, "discord", Some(("planted@b.co", false)), 1),
        ];
        assert_eq!(contacts(rest, 1), becomes(&[Some("early@b.co"), Some("late@b.co"), None]));
        let doubtful = vec![own(), with(2, "discord", Some(("planted@b.co", false)), 1)];
        assert_eq!(contacts(doubtful, 1), becomes(&[]));
    }

    #[test]
    fn the_token_is_for_the_audience_of_the_request() {
        let claims = |aud: Value| Claims::from_iter([("aud".to_owned(), aud)]);
        assert_eq!(check_audience(&claims(json!("app")), "app"), Ok(()));
        assert_eq!(check_audience(&claims(json!(["app", "other"])), "app"), Ok(()));
        for aud in [json!("other"), json!(["other", "app"]), json!([]), json!(1)] {
            assert_eq!(check_audience(&claims(aud), "app"), Err(ProviderRefusal::UnexpectedAudience.into()));
        }
    }

    #[test]
    fn what_is_no_id_names_nothing() {
        let text = "3f0e8a52-5d0b-4c8e-9d53-0a8f4f1f2b11";
        assert!(identity_id(text).is_ok());
        for text in ["", "1234", "3f0e8a52-5d0b-4c8e-9d53-0a8f4f1f2b11x"] {
            assert_eq!(identity_id(text), Err(ProviderRefusal::IdentityIdNotUuid.into()));
        }
    }
}
