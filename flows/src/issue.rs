//! Opening a session and signing its tokens: the end of every sign-in (`contract/core.md` §10.2).

use crypto::refresh_token;
use domain::access_token::{self, Claims};
use domain::ids::{SessionId, UserId};
use domain::secret::Secret;
use domain::session::Session;
use domain::tokens::IssuedSession;
use domain::user::User;
use storage::{NewRefreshToken, NewSession};

use crate::context::Context;
use crate::error::{Error, Result};

/// A session that is about to be written, and its first refresh token.
pub(crate) struct Opening {
    /// The row.
    pub(crate) session: NewSession,
    first_token: Secret<String>,
}

/// Prepares a session of `user` that was opened by `method`.
pub(crate) fn opening(ctx: &Context, user: UserId, method: &str) -> Opening {
    let id = SessionId(ctx.entropy().uuid());
    let bound = ctx.policy().refresh_token_algorithm_version != 1;
    let first_token = if bound {
        refresh_token::issue(id, 0, &ctx.tenant.project_key.session_key(id))
    } else {
        refresh_token::new_stored(ctx.entropy())
    };
    let session = NewSession {
        id,
        user_id: user,
        user_agent: ctx.caller.user_agent.clone(),
        ip: ctx.caller.ip.clone(),
        refresh_token_counter: bound.then_some(0),
        refresh_token: (!bound).then(|| NewRefreshToken { token: first_token.clone() }),
        amr_method: method.to_owned(),
        amr_id: ctx.entropy().uuid(),
    };
    Opening { session, first_token }
}

impl Opening {
    /// The tokens of the session, once it has been written, and its entry in the index.
    pub(crate) async fn finish(self, ctx: &Context, user: User, session: Session) -> Result<IssuedSession> {
        ctx.remember_session(&session).await;
        sign(ctx, user, session, self.first_token)
    }
}

/// The key of the session's refresh tokens: its own where an adopted row has one, else derived from the project's.
pub(crate) fn session_key(ctx: &Context, session: &Session) -> [u8; 32] {
    session
        .refresh_token_hmac_key
        .as_deref()
        .and_then(refresh_token::decode_hmac_key)
        .unwrap_or_else(|| ctx.tenant.project_key.session_key(session.id))
}

/// Signs an access token for `session` as `user` and `session` are now.
pub(crate) fn sign(
    ctx: &Context,
    user: User,
    session: Session,
    refresh_token: Secret<String>,
) -> Result<IssuedSession> {
    let policy = ctx.policy();
    let issued_at = ctx.now.unix();
    let expires_at = access_token::expires_at(&user, &session, policy.jwt_exp, &policy.session_limits, ctx.now);
    let claims = Claims::new(&user, &session, &ctx.tenant.base_url, issued_at, expires_at);
    let access_token = ctx.tenant.keys.sign(&claims).map_err(Error::fault)?;
    Ok(IssuedSession {
        access_token,
        refresh_token,
        expires_in: expires_at - issued_at,
        expires_at,
        user,
        session,
        weak_password: None,
        rotation: None,
    })
}
