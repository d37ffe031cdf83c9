//! Users, identities and second factors as JSON (`contract/core.md` §7.1 to §7.3), for answers of the API and for hooks.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::ids::{FactorId, IdentityId, UserId};
use crate::time::Timestamp;
use crate::user::{self, Metadata};

/// `0001-01-01T00:00:00Z`, which stands for no time at all.
const YEAR_ONE: i64 = -62_135_596_800;

/// A user object, keys in the contract's order.
#[derive(Serialize)]
pub struct User<'a> {
    id: UserId,
    aud: &'a str,
    role: &'a str,
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_confirmed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_at: Option<Timestamp>,
    phone: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_confirmed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "str::is_empty")]
    new_email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_change_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "str::is_empty")]
    new_phone: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_change_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reauthentication_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sign_in_at: Option<Timestamp>,
    app_metadata: &'a Metadata,
    user_metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    factors: Vec<Factor<'a>>,
    identities: Option<Vec<Identity<'a>>>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    is_anonymous: bool,
}

impl<'a> User<'a> {
    /// `user` as a client sees it.
    pub fn of(user: &'a user::User) -> Self {
        Self {
            id: user.id,
            aud: &user.aud,
            role: &user.role,
            email: user.email.as_deref().unwrap_or_default(),
            email_confirmed_at: user.email_confirmed_at,
            invited_at: user.invited_at,
            phone: user.phone.as_deref().unwrap_or_default(),
            phone_confirmed_at: user.phone_confirmed_at,
            confirmation_sent_at: user.confirmation_sent_at,
            confirmed_at: user.confirmed_at,
            recovery_sent_at: user.recovery_sent_at,
            new_email: &user.email_change,
            email_change_sent_at: user.email_change_sent_at,
            new_phone: &user.phone_change,
            phone_change_sent_at: user.phone_change_sent_at,
            reauthentication_sent_at: user.reauthentication_sent_at,
            last_sign_in_at: user.last_sign_in_at,
            app_metadata: &user.app_metadata,
            user_metadata: Some(&user.user_metadata),
            factors: user.factors.iter().map(Factor::of).collect(),
            identities: Some(user.identities.iter().map(Identity::of).collect()),
            created_at: user.created_at,
            updated_at: user.updated_at,
            banned_until: user.banned_until,
            deleted_at: user.deleted_at,
            is_anonymous: user.is_anonymous,
        }
    }

    /// A user that this very request made: `confirmed_at` is computed by the database and shows from the next read on.
    pub fn new(user: &'a user::User) -> Self {
        Self { confirmed_at: None, ..Self::of(user) }
    }

    /// As [`User::new`], of a user that was imported without metadata: the answer then shows none (`contract/core.md` §17.3).
    pub fn without_metadata(user: &'a user::User) -> Self {
        Self { user_metadata: None, ..Self::new(user) }
    }

    /// A user that a hook may still refuse (`contract/platform.md` §4.5): without role, identities, confirmations and times.
    pub fn unborn(user: &'a user::User) -> Self {
        Self {
            role: "",
            identities: Some(Vec::new()),
            created_at: Timestamp::from_unix(YEAR_ONE),
            updated_at: Timestamp::from_unix(YEAR_ONE),
            email_confirmed_at: None,
            phone_confirmed_at: None,
            confirmed_at: None,
            ..Self::of(user)
        }
    }

    /// An item of the admin's list, for which identities and factors are not loaded.
    pub fn listed(user: &'a user::User) -> Self {
        Self { identities: None, factors: Vec::new(), ..Self::of(user) }
    }
}

/// An identity object. Its `id` is the provider's subject; the row's id is `identity_id`.
#[derive(Serialize)]
struct Identity<'a> {
    identity_id: IdentityId,
    id: &'a str,
    user_id: UserId,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    identity_data: &'a Metadata,
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sign_in_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

impl<'a> Identity<'a> {
    fn of(identity: &'a user::Identity) -> Self {
        Self {
            identity_id: identity.id,
            id: &identity.provider_id,
            user_id: identity.user_id,
            identity_data: &identity.data,
            provider: &identity.provider,
            last_sign_in_at: identity.last_sign_in_at,
            created_at: identity.created_at,
            updated_at: identity.updated_at,
            email: identity.email(),
        }
    }
}

/// A factor as clients see it (`contract/mfa-passkeys-oauth.md` §1.3).
#[derive(Serialize)]
pub struct Factor<'a> {
    id: FactorId,
    created_at: Timestamp,
    updated_at: Timestamp,
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    friendly_name: &'a str,
    factor_type: &'static str,
    phone: &'a str,
    last_challenged_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_authn_aaguid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_webauthn_challenge_data: Option<&'a Value>,
}

impl<'a> Factor<'a> {
    /// The shape of `factor`.
    pub fn of(factor: &'a user::Factor) -> Self {
        Self {
            id: factor.id,
            created_at: factor.created_at,
            updated_at: factor.updated_at,
            status: if factor.verified { "verified" } else { "unverified" },
            friendly_name: &factor.friendly_name,
            factor_type: factor.factor_type.as_str(),
            phone: factor.phone.as_deref().unwrap_or_default(),
            last_challenged_at: factor.last_challenged_at,
            web_authn_aaguid: factor.web_authn_aaguid,
            last_webauthn_challenge_data: factor.last_webauthn_challenge_data.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{at, factor, identity, user};

    fn text(user: &User<'_>) -> String {
        serde_json::to_string(user).unwrap()
    }

    #[test]
    fn a_plain_user() {
        let mut identity = identity("email", "subject");
        identity.data = json!({"email": "A@b.co"}).as_object().unwrap().clone();
        let user = user::User { identities: vec![identity], ..user() };
        let at = at(0).to_wire();
        let expected = format!(
            "{{\"id\":\"{id}\",\"aud\":\"authenticated\",\"role\":\"authenticated\",\"email\":\"a@b.co\",\
             \"email_confirmed_at\":\"{at}\",\"phone\":\"\",\"confirmed_at\":\"{at}\",\"app_metadata\":{{}},\
             \"user_metadata\":{{}},\"identities\":[{{\"identity_id\":\"{identity_id}\",\"id\":\"subject\",\
             \"user_id\":\"{id}\",\"identity_data\":{{\"email\":\"A@b.co\"}},\"provider\":\"email\",\
             \"created_at\":\"{at}\",\"updated_at\":\"{at}\",\"email\":\"a@b.co\"}}],\"created_at\":\"{at}\",\
             \"updated_at\":\"{at}\",\"is_anonymous\":false}}",
            id = user.id,
            identity_id = user.identities[0].id,
        );
        assert_eq!(text(&User::of(&user)), expected);
    }

    #[test]
    fn every_optional_key_has_its_place() {
        let at = Some(at(0));
        let user = user::User {
            phone: Some("15550000001".to_owned()),
            phone_confirmed_at: at,
            invited_at: at,
            confirmation_sent_at: at,
            recovery_sent_at: at,
            email_change: "new@b.co".to_owned(),
            email_change_sent_at: at,
            phone_change: "15550000002".to_owned(),
            phone_change_sent_at: at,
            reauthentication_sent_at: at,
            last_sign_in_at: at,
            banned_until: at,
            deleted_at: at,
            factors: vec![factor(false)],
            ..user()
        };
        let order = [
            "id",
            "aud",
            "role",
            "email",
            "email_confirmed_at",
            "invited_at",
            "phone",
            "phone_confirmed_at",
            "confirmation_sent_at",
            "confirmed_at",
            "recovery_sent_at",
            "new_email",
            "email_change_sent_at",
            "new_phone",
            "phone_change_sent_at",
            "reauthentication_sent_at",
            "last_sign_in_at",
            "app_metadata",
            "user_metadata",
            "factors",
            "identities",
            "created_at",
            "updated_at",
            "banned_until",
            "deleted_at",
            "is_anonymous",
        ];
        let shown: serde_json::Map<String, Value> = serde_json::from_str(&text(&User::of(&user))).unwrap();
        assert_eq!(shown["new_email"], "new@b.co");
        assert_eq!(shown["factors"][0]["last_challenged_at"], Value::Null);
        assert_eq!(shown.len(), order.len());
        let text = text(&User { factors: Vec::new(), ..User::of(&user) });
        let flat = order.iter().filter(|key| **key != "factors");
        let places: Vec<_> = flat.map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn a_new_user_has_no_confirmed_at_and_a_listed_one_no_identities() {
        assert!(!text(&User::new(&user())).contains("\"confirmed_at\""));
        let listed = text(&User::listed(&user()));
        assert!(listed.contains("\"identities\":null") && !listed.contains("factors"), "{listed}");
    }

    #[test]
    fn a_user_before_its_creation_has_neither_role_nor_identities_nor_times() {
        let mut user = user();
        user.identities = vec![identity("email", "subject")];
        let shown = json!(User::unborn(&user));
        assert_eq!((&shown["role"], &shown["identities"]), (&json!(""), &json!([])));
        assert_eq!([&shown["created_at"], &shown["updated_at"]], ["0001-01-01T00:00:00Z"; 2]);
        assert_eq!([shown.get("confirmed_at"), shown.get("email_confirmed_at")], [None; 2]);
        assert_eq!(shown["id"], json!(user.id));
    }

    #[test]
    fn a_factor() {
        let at = at(0).to_wire();
        let expected = format!(
            "{{\"id\":\"{}\",\"created_at\":\"{at}\",\"updated_at\":\"{at}\",\"status\":\"unverified\",\
             \"factor_type\":\"totp\",\"phone\":\"\",\"last_challenged_at\":null}}",
            factor(false).id,
        );
        assert_eq!(serde_json::to_string(&Factor::of(&factor(false))).unwrap(), expected);
    }
}
