//! Facts for the unit tests of this crate.

use uuid::Uuid;

use crate::config::{Defaults, Explicit, Policy};
use crate::factor::FactorType;
use crate::ids::{FactorId, IdentityId, SessionId, UserId};
use crate::session::{Aal, AmrEntry, Session};
use crate::time::Timestamp;
use crate::user::{Factor, Identity, Metadata, User};

/// An instant some seconds into the tests' day.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_780_000_000 + seconds)
}

/// The settings of a fresh project.
pub(crate) fn policy() -> Policy {
    Policy::from_explicit(&Explicit::default(), &defaults())
}

/// Defaults of the process.
pub(crate) fn defaults() -> Defaults {
    Defaults { jwt_exp: 3600, site_url: "http://localhost:3000".to_owned(), mailer_autoconfirm: false }
}

/// A confirmed user with an address, made at 0.
pub(crate) fn user() -> User {
    User {
        email: Some("a@b.co".to_owned()),
        email_confirmed_at: Some(at(0)),
        confirmed_at: Some(at(0)),
        ..User::new(UserId(Uuid::from_u128(0x1111)), "authenticated", "authenticated", at(0))
    }
}

/// A session of `user()`, opened at 0, never refreshed.
pub(crate) fn session() -> Session {
    Session {
        id: SessionId(Uuid::from_u128(0x2222)),
        user_id: user().id,
        created_at: at(0),
        updated_at: at(0),
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
        amr: vec![amr_entry("password", 0)],
    }
}

/// A method used at that second.
pub(crate) fn amr_entry(method: &str, seconds: i64) -> AmrEntry {
    AmrEntry { method: method.to_owned(), at: at(seconds) }
}

/// A TOTP factor.
pub(crate) fn factor(verified: bool) -> Factor {
    Factor {
        id: FactorId(Uuid::from_u128(0x3333)),
        factor_type: FactorType::Totp,
        verified,
        friendly_name: String::new(),
        phone: None,
        last_challenged_at: None,
        web_authn_aaguid: None,
        last_webauthn_challenge_data: None,
        created_at: at(0),
        updated_at: at(0),
    }
}

/// An identity of `user()`.
pub(crate) fn identity(provider: &str, provider_id: &str) -> Identity {
    Identity {
        id: IdentityId(Uuid::from_u128(0x4444)),
        user_id: user().id,
        provider: provider.to_owned(),
        provider_id: provider_id.to_owned(),
        data: Metadata::new(),
        last_sign_in_at: None,
        created_at: at(0),
        updated_at: at(0),
    }
}
