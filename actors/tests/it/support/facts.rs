//! A user and his session.

use domain::ids::{SessionId, UserId};
use domain::session::{Aal, Session};
use domain::time::Timestamp;
use domain::user::{Metadata, User};
use uuid::Uuid;

/// A session of [`user`].
pub(crate) fn session() -> Session {
    let at = Timestamp::from_unix(1_780_000_000);
    Session {
        id: SessionId(Uuid::from_u128(1)),
        user_id: UserId(Uuid::from_u128(2)),
        created_at: at,
        updated_at: at,
        refreshed_at: None,
        not_after: None,
        aal: Aal::Aal1,
        factor_id: None,
        user_agent: None,
        ip: None,
        tag: None,
        refresh_token_counter: Some(0),
        refresh_token_hmac_key: None,
        amr: Vec::new(),
    }
}

/// A user without anything.
pub(crate) fn user() -> User {
    let at = Timestamp::from_unix(1_780_000_000);
    User {
        id: UserId(Uuid::from_u128(2)),
        aud: "authenticated".to_owned(),
        role: "authenticated".to_owned(),
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
        is_anonymous: true,
        banned_until: None,
        deleted_at: None,
        created_at: at,
        updated_at: at,
        identities: Vec::new(),
        factors: Vec::new(),
    }
}
