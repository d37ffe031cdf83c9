//! A project's users, their identities and factors, as facts from the database.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::factor::FactorType;
use crate::ids::{FactorId, IdentityId, UserId};
use crate::time::Timestamp;

/// A JSON object of metadata.
pub type Metadata = Map<String, Value>;

/// A user with what belongs to the account (`contract/core.md` §7.1). Empty texts stand for "none".
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The `sub` claim.
    pub id: UserId,
    /// Audience of the account.
    pub aud: String,
    /// PostgreSQL role, the `role` claim.
    pub role: String,
    /// Lower-case address, `None` for phone-only and anonymous users.
    pub email: Option<String>,
    /// E.164 digits without `+`.
    pub phone: Option<String>,
    /// When the address was proven.
    pub email_confirmed_at: Option<Timestamp>,
    /// When the number was proven.
    pub phone_confirmed_at: Option<Timestamp>,
    /// The earlier of the two, as it was read: what the very request confirms does not show in its answer yet.
    pub confirmed_at: Option<Timestamp>,
    /// When the account was first invited.
    pub invited_at: Option<Timestamp>,
    /// When the last confirmation message was sent.
    pub confirmation_sent_at: Option<Timestamp>,
    /// When the last recovery or magic-link message was sent.
    pub recovery_sent_at: Option<Timestamp>,
    /// The pending address, empty when none.
    pub email_change: String,
    /// When the last change message was sent.
    pub email_change_sent_at: Option<Timestamp>,
    /// 0 = nothing confirmed, 1 = one of two links confirmed.
    pub email_change_confirm_status: i16,
    /// The pending number, empty when none.
    pub phone_change: String,
    /// When the last change code was sent.
    pub phone_change_sent_at: Option<Timestamp>,
    /// When the last reauthentication nonce was sent.
    pub reauthentication_sent_at: Option<Timestamp>,
    /// When a session was last opened.
    pub last_sign_in_at: Option<Timestamp>,
    /// Metadata only the project may write.
    pub app_metadata: Metadata,
    /// Metadata the user may write.
    pub user_metadata: Metadata,
    /// Set when the account came from SSO: it shares no address space with others.
    pub is_sso_user: bool,
    /// Set for users without any identity.
    pub is_anonymous: bool,
    /// The account is refused until then.
    pub banned_until: Option<Timestamp>,
    /// When the account was soft-deleted.
    pub deleted_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
    /// Ways of signing in, oldest first.
    pub identities: Vec<Identity>,
    /// Second factors, oldest first.
    pub factors: Vec<Factor>,
}

impl User {
    /// A user without contact, proof, metadata or way of signing in, made at `now`.
    pub fn new(id: UserId, aud: &str, role: &str, now: Timestamp) -> Self {
        Self {
            id,
            aud: aud.to_owned(),
            role: role.to_owned(),
            email: None,
            phone: None,
            email_confirmed_at: None,
            phone_confirmed_at: None,
            confirmed_at: None,
            invited_at: None,
            confirmation_sent_at: None,
            recovery_sent_at: None,
            email_change: String::new(),
            email_change_sent_at: None,
            email_change_confirm_status: 0,
            phone_change: String::new(),
            phone_change_sent_at: None,
            reauthentication_sent_at: None,
            last_sign_in_at: None,
            app_metadata: Metadata::new(),
            user_metadata: Metadata::new(),
            is_sso_user: false,
            is_anonymous: false,
            banned_until: None,
            deleted_at: None,
            created_at: now,
            updated_at: now,
            identities: Vec::new(),
            factors: Vec::new(),
        }
    }

    /// Whether the account is banned at `now`.
    pub fn is_banned(&self, now: Timestamp) -> bool {
        self.banned_until.is_some_and(|until| now < until)
    }

    /// Whether a verified second factor exists.
    pub fn has_verified_factor(&self) -> bool {
        self.factors.iter().any(|factor| factor.verified)
    }
}

/// One way of signing in (`contract/core.md` §7.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The row.
    pub id: IdentityId,
    /// Whose it is.
    pub user_id: UserId,
    /// `email`, `phone`, `google`, ...
    pub provider: String,
    /// The provider's stable subject; the user id as text for `email` and `phone`.
    pub provider_id: String,
    /// Claims.
    pub data: Metadata,
    /// When it was last used.
    pub last_sign_in_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

impl Identity {
    /// The generated column `email`: the lower-cased `email` of the claims.
    pub fn email(&self) -> Option<String> {
        self.data.get("email").and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_ascii_lowercase)
    }
}

/// A second factor (`contract/core.md` §7.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// The row.
    pub id: FactorId,
    /// What it is.
    pub factor_type: FactorType,
    /// Whether the user has proven it.
    pub verified: bool,
    /// Empty when none.
    pub friendly_name: String,
    /// Only for phone factors.
    pub phone: Option<String>,
    /// When it was last challenged.
    pub last_challenged_at: Option<Timestamp>,
    /// Only for WebAuthn factors.
    pub web_authn_aaguid: Option<Uuid>,
    /// Only for WebAuthn factors.
    pub last_webauthn_challenge_data: Option<Value>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}
