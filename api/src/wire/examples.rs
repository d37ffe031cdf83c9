//! Values for tests.

use domain::ids::{IdentityId, SessionId, UserId};
use domain::secret::Secret;
use domain::session::{Aal, AmrEntry, Session};
use domain::time::Timestamp;
use domain::tokens::IssuedSession;
use domain::user::{Identity, Metadata, User};
use serde_json::json;

pub(crate) fn at() -> Timestamp {
    Timestamp::from_unix(1_700_000_000)
}

fn metadata(value: serde_json::Value) -> Metadata {
    value.as_object().unwrap().clone()
}

fn id<T: From<uuid::Uuid>>(first: char) -> T {
    let text: String = "????????-2222-4333-8444-555555555555".replace('?', &first.to_string());
    text.parse::<uuid::Uuid>().unwrap().into()
}

pub(crate) fn user() -> User {
    let user: UserId = id('1');
    User {
        email: Some("a@b.co".to_owned()),
        email_confirmed_at: Some(at()),
        confirmed_at: Some(at()),
        last_sign_in_at: Some(at().plus(chrono_millis(120))),
        app_metadata: metadata(json!({"provider": "email", "providers": ["email"]})),
        user_metadata: metadata(json!({"plan": "<free>"})),
        identities: vec![Identity {
            id: id::<IdentityId>('2'),
            user_id: user,
            provider: "email".to_owned(),
            provider_id: user.to_string(),
            data: metadata(json!({"sub": user, "email": "A@b.co"})),
            last_sign_in_at: Some(at()),
            created_at: at(),
            updated_at: at(),
        }],
        ..User::new(user, "authenticated", "authenticated", at())
    }
}

fn chrono_millis(milliseconds: i64) -> chrono::TimeDelta {
    chrono::TimeDelta::milliseconds(milliseconds)
}

pub(crate) fn session() -> Session {
    Session {
        id: id::<SessionId>('3'),
        user_id: id('1'),
        created_at: at(),
        updated_at: at(),
        refreshed_at: None,
        not_after: None,
        aal: Aal::Aal1,
        factor_id: None,
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
        ip: Some("203.0.113.7".to_owned()),
        tag: None,
        refresh_token_counter: Some(4),
        raised_from: None,
        refresh_token_hmac_key: None,
        amr: vec![AmrEntry { method: "password".to_owned(), at: at() }],
    }
}

pub(crate) fn issued_session() -> IssuedSession {
    IssuedSession {
        access_token: Secret::new("header.payload.signature".to_owned()),
        refresh_token: Secret::new("refresh-token".to_owned()),
        expires_in: 3600,
        expires_at: 1_700_003_600,
        user: user(),
        session: session(),
        weak_password: None,
        provider_tokens: None,
        rotation: None,
    }
}
