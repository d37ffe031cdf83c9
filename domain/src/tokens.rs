//! What a sign-in or a refresh answers.

use crate::provider::ProviderTokens;
use crate::refusal::WeakPassword;
use crate::secret::Secret;
use crate::session::Session;
use crate::user::User;

/// A session with fresh tokens (`contract/core.md` §7.4).
#[derive(Clone, Debug)]
pub struct IssuedSession {
    /// The signed JWT.
    pub access_token: Secret<String>,
    /// Session-bound or stored refresh token.
    pub refresh_token: Secret<String>,
    /// Life of the access token in seconds.
    pub expires_in: i64,
    /// End of the access token, Unix seconds.
    pub expires_at: i64,
    /// The user as he is now.
    pub user: User,
    /// The session as it is now.
    pub session: Session,
    /// Password grant only: `Some(None)` when the password meets the rules.
    pub weak_password: Option<Option<WeakPassword>>,
    /// Refresh only: how the presented token was taken.
    pub rotation: Option<Rotation>,
    /// The end of a sign-in at a provider only: the provider's own tokens, handed over once.
    pub provider_tokens: Option<ProviderTokens>,
}

/// How a refresh took the presented token; becomes the `sb-auth-refresh-token-*` headers (`contract/core.md` §10.6, §10.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// The presented token was not the newest.
    pub reused: bool,
    /// Why reuse was allowed: `concurrent-refresh`, `fail-to-save`, in this order.
    pub reuse_causes: Vec<&'static str>,
}
