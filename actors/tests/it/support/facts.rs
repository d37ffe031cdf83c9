//! A user and his session.

use domain::ids::{SessionId, UserId};
use domain::session::{Aal, Session};
use domain::time::Timestamp;
use domain::user::User;
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
        raised_from: None,
        refresh_token_hmac_key: None,
        amr: Vec::new(),
    }
}

/// A user without anything.
pub(crate) fn user() -> User {
    let at = Timestamp::from_unix(1_780_000_000);
    User { is_anonymous: true, ..User::new(UserId(Uuid::from_u128(2)), "authenticated", "authenticated", at) }
}
