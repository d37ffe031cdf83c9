//! Refresh with a stored token of twelve characters (`contract/core.md` §10.6): adopted rows, and projects that ask for them.
//! The row locks of token and session keep the order; a stored token does not tell its session beforehand.

use crypto::refresh_token;
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
use crate::{audit, issue};

/// Trades a stored token.
pub(crate) async fn refresh_stored(ctx: &Context, token: Secret<String>) -> Result<IssuedSession> {
    let mut tx = ctx.store().begin().await?;
    let presented = tx.refresh_tokens().lock(token.expose()).await?.ok_or(Refusal::RefreshTokenNotFound)?;
    let user = tx.users().read(presented.user_id).await?.ok_or(Refusal::RefreshTokenNotFound)?;
    refresh::check_account(&user, ctx.now)?;
    let locked = match presented.session_id {
        Some(session) => tx.sessions().lock(session).await?,
        None => None,
    };
    let Some(session) = locked else {
        tx.refresh_tokens().delete(presented.id).await?;
        tx.commit().await?;
        return Err(Refusal::RefreshSessionNotFound.into());
    };
    let active = tx.refresh_tokens().active(session.id).await?;
    let (successor, rotation) = match decide(ctx, &presented, active.as_ref(), &session, &user).await? {
        StoredVerdict::Rotate => (advance(ctx, &mut tx, &presented, &session).await?, Rotation::default()),
        StoredVerdict::ReturnActive => {
            let active = active.ok_or(Refusal::RefreshTokenAlreadyUsed)?;
            (active.token, Rotation { reused: true, ..Rotation::default() })
        }
        StoredVerdict::EndFamily => return end_family(ctx, tx, &session, &user).await,
        StoredVerdict::Refuse => return Err(Refusal::RefreshTokenAlreadyUsed.into()),
    };
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
    let mut issued = issue::sign(ctx, user, session, successor)?;
    issued.rotation = Some(rotation);
    Ok(issued)
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
        let others = ctx.store().list_sessions(user.id).await?;
        refresh::newest_login(session, &others, user, ctx.policy(), ctx.now)?;
    }
    let facts = StoredFacts {
        revoked: presented.revoked,
        revoked_at: presented.updated_at,
        issued_at: presented.created_at,
        raised_at: refresh::raised_at(session),
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
