//! Opening a session and signing its tokens: the end of every sign-in (`contract/core.md` §10.2).

use crypto::refresh_token;
use domain::access_token::{self, Claims, best_aal};
use domain::hook::Point;
use domain::ids::{SessionId, UserId};
use domain::secret::Secret;
use domain::session::{Aal, AmrEntry, Live, Session};
use domain::tokens::IssuedSession;
use domain::user::{Metadata, User};
use storage::{AuditEntry, NewRefreshToken, NewSession, OpenSession, ReadUser, Tx};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::notices::{self, Notice};
use crate::{hooks, new_device};

/// The way a refresh gets its token, as the custom-access-token hook is told.
pub(crate) const REFRESH: &str = "token_refresh";

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
        aal: Aal::Aal1,
        refresh_token_counter: bound.then_some(0),
        refresh_token: (!bound).then(|| NewRefreshToken { token: first_token.clone() }),
        amr_method: method.to_owned(),
        amr_id: ctx.entropy().uuid(),
    };
    Opening { session, first_token }
}

/// What a session is opened upon, besides the user who is still there and not banned.
#[derive(Default)]
pub(crate) struct Proof {
    /// The hash that a password was checked against: a password changed meanwhile opens nothing.
    pub(crate) verified_hash: Option<Secret<String>>,
    /// A better hash of the same password, stored on the way.
    pub(crate) upgraded_hash: Option<Secret<String>>,
}

/// Opens a session of an account that exists; `before` is the user as he was read for it. `None` when the proof holds no longer.
/// One statement, unless the project bounds the number of sessions or tells of new devices.
pub(crate) async fn open(
    ctx: &Context,
    opening: &Opening,
    before: &User,
    proof: Proof,
    audit: Option<AuditEntry>,
) -> Result<Option<ReadUser>> {
    let open = OpenSession {
        session: opening.session.clone(),
        verified_hash: proof.verified_hash,
        upgraded_hash: proof.upgraded_hash,
        audit,
        now: ctx.now,
    };
    if ctx.policy().sessions_max_per_user == 0 && !new_device::is_wanted(ctx) {
        return Ok(ctx.store().open_session(open).await?);
    }
    let mut tx = ctx.store().begin().await?;
    let Some(opened) = tx.open_session(open).await? else { return Ok(None) };
    let Besides { ended, notice } = besides(ctx, &mut tx, before, &opening.session).await?;
    let notices: Vec<Notice> = notice.into_iter().collect();
    notices::write(ctx, &mut tx, &notices, &opened.user).await?;
    tx.commit().await?;
    ctx.forget_sessions(before.id, &ended).await;
    notices::tell(ctx, &notices, &opened.user).await;
    Ok(Some(opened))
}

/// What the opening of a session brings with it.
pub(crate) struct Besides {
    /// Sessions that ended to make room.
    pub(crate) ended: Vec<SessionId>,
    /// What the user is told.
    pub(crate) notice: Option<Notice>,
}

/// Does what else belongs to `session`, which was just written in `tx`: the sessions used longest ago end where there are more than
/// the project allows, and a new device is noticed. `before` is the user as he was before he signed in.
pub(crate) async fn besides(ctx: &Context, tx: &mut Tx, before: &User, session: &NewSession) -> Result<Besides> {
    let notice = new_device::notice(ctx, tx, before, session).await?;
    let ended = match ctx.policy().sessions_max_per_user {
        0 => Vec::new(),
        at_most => {
            let live = Live::at(ctx.now, best_aal(before), &ctx.policy().session_limits);
            tx.sessions().delete_beyond(before.id, session.id, at_most, &live).await?
        }
    };
    Ok(Besides { ended, notice })
}

impl Opening {
    /// The tokens of the session, once it has been written, and its entry in the index.
    pub(crate) async fn finish(
        self,
        ctx: &Context,
        user: User,
        session: Session,
        approved: Approved,
    ) -> Result<IssuedSession> {
        ctx.remember_session(&session).await;
        sign(ctx, user, session, self.first_token, approved)
    }

    /// The session as it will be read back.
    fn opened(&self, ctx: &Context) -> Session {
        let new = &self.session;
        Session {
            id: new.id,
            user_id: new.user_id,
            created_at: ctx.now,
            updated_at: ctx.now,
            refreshed_at: None,
            not_after: None,
            aal: new.aal,
            factor_id: None,
            user_agent: new.user_agent.clone(),
            ip: new.ip.clone(),
            tag: None,
            refresh_token_counter: new.refresh_token_counter,
            raised_from: None,
            refresh_token_hmac_key: None,
            amr: vec![AmrEntry { method: new.amr_method.clone(), at: ctx.now }],
        }
    }
}

/// What the custom-access-token hook said to the claims of a token that is about to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Approved(Option<Metadata>);

impl Approved {
    /// Nobody was asked: the claims are the server's own.
    pub(crate) fn none() -> Self {
        Self(None)
    }
}

/// Asks the hook, where it is on, about the first token of a session that `user`, as he will be then, is about to get.
/// Called before anything is written, since the hook may refuse, and while no connection is held.
pub(crate) async fn approve(ctx: &Context, opening: &Opening, user: &User) -> Result<Approved> {
    approve_token(ctx, user, &opening.opened(ctx), &opening.session.amr_method).await
}

/// The same for a token of a session that exists; `method` is the way it is got.
pub(crate) async fn approve_token(ctx: &Context, user: &User, session: &Session, method: &str) -> Result<Approved> {
    if !hooks::is_on(ctx, Point::CustomAccessToken) {
        return Ok(Approved::none());
    }
    let claims = claims(ctx, user, session);
    hooks::access_token(ctx, claims, user.id, method).await.map(|given| Approved(Some(given)))
}

/// The key of the session's refresh tokens: its own where an adopted row has one, else derived from the project's.
pub(crate) fn session_key(ctx: &Context, session: &Session) -> [u8; 32] {
    session
        .refresh_token_hmac_key
        .as_deref()
        .and_then(refresh_token::decode_hmac_key)
        .unwrap_or_else(|| ctx.tenant.project_key.session_key(session.id))
}

fn claims(ctx: &Context, user: &User, session: &Session) -> Claims {
    let policy = ctx.policy();
    let expires_at = access_token::expires_at(user, session, policy.jwt_exp, &policy.session_limits, ctx.now);
    Claims::new(user, session, &ctx.tenant.base_url, ctx.now.unix(), expires_at)
}

/// Signs an access token for `session` as `user` and `session` are now. The times of the answer are the server's own, also
/// where the hook gave the token others (`contract/core.md` §8.2).
pub(crate) fn sign(
    ctx: &Context,
    user: User,
    session: Session,
    refresh_token: Secret<String>,
    approved: Approved,
) -> Result<IssuedSession> {
    let claims = claims(ctx, &user, &session);
    let access_token = match approved.0 {
        Some(given) => ctx.tenant.keys.sign(&given),
        None if hooks::is_on(ctx, Point::CustomAccessToken) => {
            return Err(Error::fault("the custom-access-token hook was not asked"));
        }
        None => ctx.tenant.keys.sign(&claims),
    };
    Ok(IssuedSession {
        access_token: access_token.map_err(Error::fault)?,
        refresh_token,
        expires_in: claims.exp - claims.iat,
        expires_at: claims.exp,
        user,
        session,
        weak_password: None,
        rotation: None,
        provider_tokens: None,
    })
}
