//! Refresh with a stored token of twelve characters (`contract/core.md` §10.6): adopted rows, and projects that ask for them.
//! The row locks of token and session keep the order; a stored token does not tell its session beforehand.

use crypto::refresh_token;
use domain::hook::Point;
use domain::refresh::{self, StoredFacts, StoredVerdict};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::session::Session;
use domain::tokens::{IssuedSession, Rotation};
use domain::user::User;
use serde_json::json;
use storage::{StoredToken, Tx};

use crate::context::Context;
use crate::error::Result;
use crate::issue::Approved;
use crate::{audit, hooks, issue, sessions};

/// Trades a stored token.
pub(crate) async fn refresh_stored(ctx: &Context, token: Secret<String>) -> Result<IssuedSession> {
    let approved = approve(ctx, &token).await?;
    let mut tx = ctx.store().begin().await?;
    let (facts, active, verdict) = match judge(ctx, &mut tx, &token).await? {
        Judged::Token { facts, active, verdict } => (facts, active, verdict),
        Judged::WithoutSession(id) => {
            tx.refresh_tokens().delete(id).await?;
            tx.commit().await?;
            return Err(Refusal::RefreshSessionNotFound.into());
        }
    };
    let Facts { presented, session, user } = *facts;
    let (successor, rotation) = match verdict {
        StoredVerdict::Rotate => (advance(ctx, &mut tx, &presented, &session).await?, Rotation::default()),
        StoredVerdict::ReturnActive => {
            let active = active.ok_or(Refusal::RefreshTokenAlreadyUsed)?;
            (active.token, Rotation { reused: true, ..Rotation::default() })
        }
        StoredVerdict::EndFamily => return end_family(ctx, tx, &session, &user).await,
        StoredVerdict::Refuse => return Err(Refusal::RefreshTokenAlreadyUsed.into()),
    };
    let approved = approved.ok_or(Refusal::RefreshConflict)?;
    for action in [audit::TOKEN_REFRESHED, audit::TOKEN_REVOKED] {
        ctx.write_audit(&mut tx, audit::by_user(&user, action, json!({}))).await?;
    }
    let (user_agent, ip) = (ctx.caller.user_agent.as_deref(), ctx.caller.ip.as_deref());
    if !tx.sessions().touch_refreshed(session.id, user_agent, ip, ctx.now).await? {
        return Err(Refusal::RefreshSessionNotFound.into());
    }
    let session = tx.sessions().lock(session.id).await?.ok_or(Refusal::RefreshSessionNotFound)?;
    tx.commit().await?;
    ctx.remember_session(&session).await;
    let mut issued = issue::sign(ctx, user, session, successor, approved)?;
    issued.rotation = Some(rotation);
    Ok(issued)
}

/// A stored token with its session and user.
struct Facts {
    presented: StoredToken,
    session: Session,
    user: User,
}

enum Judged {
    Token {
        facts: Box<Facts>,
        active: Option<StoredToken>,
        verdict: StoredVerdict,
    },
    /// The token's row outlived its session.
    WithoutSession(i64),
}

/// Reads and judges `token` under locks; writes nothing.
async fn judge(ctx: &Context, tx: &mut Tx, token: &Secret<String>) -> Result<Judged> {
    let presented = tx.refresh_tokens().lock(token.expose()).await?.ok_or(Refusal::RefreshTokenNotFound)?;
    let user = tx.users().read(presented.user_id).await?.ok_or(Refusal::RefreshTokenNotFound)?;
    refresh::check_account(&user, ctx.now)?;
    let locked = match presented.session_id {
        Some(session) => tx.sessions().lock(session).await?,
        None => None,
    };
    let Some(session) = locked else { return Ok(Judged::WithoutSession(presented.id)) };
    let active = tx.refresh_tokens().active(session.id).await?;
    let verdict = decide(ctx, &presented, active.as_ref(), &session, &user).await?;
    Ok(Judged::Token { facts: Box::new(Facts { presented, session, user }), active, verdict })
}

/// Asks the hook, where there is one, about the token that the trade would give. The locks of the first look are let go
/// before; the second look decides.
async fn approve(ctx: &Context, token: &Secret<String>) -> Result<Option<Approved>> {
    if !hooks::is_on(ctx, Point::CustomAccessToken) {
        return Ok(Some(Approved::none()));
    }
    let mut tx = ctx.store().begin().await?;
    let judged = judge(ctx, &mut tx, token).await?;
    drop(tx);
    match judged {
        Judged::Token { facts, verdict: StoredVerdict::Rotate | StoredVerdict::ReturnActive, .. } => {
            issue::approve_token(ctx, &facts.user, &facts.session, issue::REFRESH).await.map(Some)
        }
        Judged::Token { .. } | Judged::WithoutSession(_) => Ok(None),
    }
}

async fn decide(
    ctx: &Context,
    presented: &StoredToken,
    active: Option<&StoredToken>,
    session: &Session,
    user: &User,
) -> Result<StoredVerdict> {
    let last_use = session.refreshed_at.unwrap_or(presented.updated_at.max(session.created_at));
    refresh::still_valid(session, last_use, user, ctx.policy(), ctx.now)?;
    if ctx.policy().sessions_single_per_user {
        sessions::newest_login(ctx, session, user).await?;
    }
    let facts = StoredFacts {
        revoked: presented.revoked,
        revoked_at: presented.updated_at,
        issued_at: presented.created_at,
        precedes_rise: refresh::stored_precedes_rise(session, presented.id),
        raised_at: refresh::raised_at_by_clock(session),
        family_has_active: active.is_some(),
        is_parent_of_active: active.is_some_and(|active| active.parent.as_deref() == Some(presented.token.expose())),
    };
    Ok(refresh::decide_stored(&facts, ctx.policy(), ctx.now))
}

async fn advance(ctx: &Context, tx: &mut Tx, presented: &StoredToken, session: &Session) -> Result<Secret<String>> {
    if !tx.refresh_tokens().revoke(presented.id, ctx.now).await? {
        return Err(Refusal::RefreshConflict.into());
    }
    let successor = refresh_token::new_stored(ctx.entropy());
    let parent = Some(presented.token.expose().as_str());
    tx.refresh_tokens().insert(&successor, presented.user_id, session.id, parent, ctx.now).await?;
    Ok(successor)
}

/// An old token was shown: every token of the session ends, although the request is refused.
async fn end_family(ctx: &Context, mut tx: Tx, session: &Session, user: &User) -> Result<IssuedSession> {
    tx.refresh_tokens().revoke_family(session.id, ctx.now).await?;
    ctx.write_audit(&mut tx, audit::by_user(user, audit::TOKEN_REVOKED, json!({}))).await?;
    tx.commit().await?;
    tracing::warn!(session = %session.id, user = %user.id, "refresh token reuse: family ended");
    Err(Refusal::RefreshTokenAlreadyUsed.into())
}
