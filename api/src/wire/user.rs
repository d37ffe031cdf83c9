//! Users, identities and second factors (`contract/core.md` §7.1 to §7.3).

use domain::ids::{FactorId, IdentityId, UserId};
use domain::time::Timestamp;
use domain::user::{self, Metadata};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A user object.
#[derive(Serialize)]
pub(crate) struct User<'a> {
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
    user_metadata: &'a Metadata,
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
    pub(crate) fn of(user: &'a user::User) -> Self {
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
            user_metadata: &user.user_metadata,
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
    pub(crate) fn new(user: &'a user::User) -> Self {
        Self { confirmed_at: None, ..Self::of(user) }
    }

    /// An item of the admin's list, for which identities and factors are not loaded.
    pub(crate) fn listed(user: &'a user::User) -> Self {
        Self { identities: None, factors: Vec::new(), ..Self::of(user) }
    }
}

/// An identity object. Its `id` is the provider's subject; the row's id is `identity_id`.
#[derive(Serialize)]
pub(crate) struct Identity<'a> {
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

/// A factor object.
#[derive(Serialize)]
pub(crate) struct Factor<'a> {
    id: FactorId,
    created_at: Timestamp,
    updated_at: Timestamp,
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    friendly_name: &'a str,
    factor_type: &'a str,
    phone: &'a str,
    last_challenged_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_authn_aaguid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_webauthn_challenge_data: Option<&'a Value>,
}

impl<'a> Factor<'a> {
    fn of(factor: &'a user::Factor) -> Self {
        Self {
            id: factor.id,
            created_at: factor.created_at,
            updated_at: factor.updated_at,
            status: if factor.verified { "verified" } else { "unverified" },
            friendly_name: &factor.friendly_name,
            factor_type: &factor.factor_type,
            phone: factor.phone.as_deref().unwrap_or_default(),
            last_challenged_at: factor.last_challenged_at,
            web_authn_aaguid: factor.web_authn_aaguid,
            last_webauthn_challenge_data: factor.last_webauthn_challenge_data.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::json;
    use crate::wire::examples;

    fn text(user: &User<'_>) -> String {
        String::from_utf8(json::encode(user).unwrap()).unwrap()
    }

    #[test]
    fn a_plain_user() {
        insta::assert_snapshot!(text(&User::of(&examples::user())), @r#"{"id":"11111111-2222-4333-8444-555555555555","aud":"authenticated","role":"authenticated","email":"a@b.co","email_confirmed_at":"2023-11-14T22:13:20Z","phone":"","confirmed_at":"2023-11-14T22:13:20Z","last_sign_in_at":"2023-11-14T22:13:20.12Z","app_metadata":{"provider":"email","providers":["email"]},"user_metadata":{"plan":"\u003cfree\u003e"},"identities":[{"identity_id":"22222222-2222-4333-8444-555555555555","id":"11111111-2222-4333-8444-555555555555","user_id":"11111111-2222-4333-8444-555555555555","identity_data":{"email":"A@b.co","sub":"11111111-2222-4333-8444-555555555555"},"provider":"email","last_sign_in_at":"2023-11-14T22:13:20Z","created_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:20Z","email":"a@b.co"}],"created_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:20Z","is_anonymous":false}"#);
    }

    #[test]
    fn every_optional_key_has_its_place() {
        let at = Some(examples::at());
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
            banned_until: at,
            deleted_at: at,
            factors: vec![examples::factor()],
            ..examples::user()
        };
        let shown: serde_json::Value = serde_json::from_str(&text(&User::of(&user))).unwrap();
        assert_eq!(shown["new_email"], "new@b.co");
        assert_eq!(shown["factors"][0]["last_challenged_at"], serde_json::Value::Null);
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
        let user = User { factors: Vec::new(), identities: None, ..User::of(&user) };
        let text = text(&user);
        let places: Vec<_> = order
            .iter()
            .filter(|key| **key != "factors")
            .map(|key| text.find(&format!("\"{key}\":")).unwrap())
            .collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn a_new_user_has_no_confirmed_at_and_a_listed_one_no_identities() {
        assert!(!text(&User::new(&examples::user())).contains("\"confirmed_at\""));
        let listed = text(&User::listed(&examples::user()));
        assert!(listed.contains("\"identities\":null") && !listed.contains("factors"), "{listed}");
    }

    #[test]
    fn a_factor() {
        let factor = String::from_utf8(json::encode(&Factor::of(&examples::factor())).unwrap()).unwrap();
        insta::assert_snapshot!(factor, @r#"{"id":"44444444-2222-4333-8444-555555555555","created_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:20Z","status":"unverified","friendly_name":"one","factor_type":"totp","phone":"","last_challenged_at":null}"#);
    }
}
