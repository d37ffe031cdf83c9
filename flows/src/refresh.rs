//! `POST /token?grant_type=refresh_token` with a session-bound token (`contract/core.md` §10.3, §10.7).
//! One statement when the session's actor remembers the session, two when it does not or a hook shapes the token.

use crypto::refresh_token::{self, Bound, RefreshToken};
use domain::hook::Point;
use domain::refresh::{self, Request, Verdict};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::session::Session;
use domain::tokens::{IssuedSession, Rotation};
use domain::user::User;
use serde_json::json;
use storage::{EndSessions, RotateSession, Which};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::{audit, hooks, issue, refresh_stored, sessions};

/// A rotation that lost to another gateway is decided anew on fresh facts; more often than this is contention.
const ATTEMPTS: usize = 8;

/// Trades a refresh token for a new pair.
pub async fn refresh(ctx: &Context, request: Request) -> Result<IssuedSession> {
    let answer = trade(ctx, &request).await;
    // Only what is not a token of this project counts against the address: whoever holds a genuine one does not guess, and
    // a refusal would sign out everybody who shares the address with somebody who does.
    if let Err(Error::Refused(Refusal::RefreshTokenNotFound | Refusal::RefreshTokenMalformed)) = answer {
        limits::per_address(ctx, Limited::Token).await?;
    }
    answer
}

async fn trade(ctx: &Context, request: &Request) -> Result<IssuedSession> {
    match RefreshToken::parse(request.refresh_token.expose()) {
        Err(_) => Err(Refusal::RefreshTokenMalformed.into()),
        Ok(RefreshToken::Stored(token)) => refresh_stored::refresh_stored(ctx, Secret::new(token)).await,
        Ok(RefreshToken::Bound(token)) => refresh_bound(ctx, &token).await,
    }
}

async fn refresh_bound(ctx: &Context, token: &Bound) -> Result<IssuedSession> {
    let hooked = hooks::is_on(ctx, Point::CustomAccessToken);
    // A hook judges what the database says now.
    let mut remembered = ctx.warm.as_ref().and_then(crate::context::WarmSession::take).filter(|_| !hooked);
    let mut approved = None;
    for _ in 0..ATTEMPTS {
        let from_memory = remembered.is_some();
        let (session, user) = match remembered.take() {
            Some(facts) => facts,
            None => read(ctx, token).await?,
        };
        let key = issue::session_key(ctx, &session);
        if !token.verify(&key) {
            return Err(Refusal::RefreshTokenNotFound.into());
        }
        let verdict = match decide(ctx, token, &session, &user).await {
            // What is remembered may be old: a refusal stands only on facts just read.
            Err(Error::Refused(_)) | Ok(Verdict::Refuse | Verdict::EndFamily) if from_memory => continue,
            verdict => verdict?,
        };
        let (next, rotation) = match verdict {
            Verdict::Rotate { next } => (next, Rotation::default()),
            Verdict::Reissue { current, causes } => (current, Rotation { reused: true, reuse_causes: causes }),
            Verdict::EndFamily => return end_family(ctx, &session, &user).await,
            Verdict::Refuse => return Err(Refusal::RefreshTokenAlreadyUsed.into()),
        };
        // Before the rotation: a hook that fails leaves the presented token usable. Once is enough.
        let claims = match approved.take() {
            Some(claims) => claims,
            None => issue::approve_token(ctx, &user, &session, issue::REFRESH).await?,
        };
        let rotate = RotateSession {
            session: session.id,
            expected_counter: session.refresh_token_counter.unwrap_or_default(),
            next_counter: next,
            user_agent: ctx.caller.user_agent.clone(),
            ip: ctx.caller.ip.clone(),
            audit: ctx.audit(audit::by_user(&user, audit::TOKEN_REFRESHED, json!({}))).into_iter().collect(),
            now: ctx.now,
        };
        let rotated = ctx.store().rotate_session(rotate).await?;
        let Some((session, user)) = rotated.and_then(|row| Some((row.session?, row.user))) else {
            approved = Some(claims);
            continue;
        };
        if let Some(warm) = &ctx.warm {
            warm.put(session.clone(), user.clone());
        }
        if !rotation.reused {
            ctx.remember_session(&session).await;
        }
        let successor = refresh_token::issue(session.id, next, &key);
        let mut issued = issue::sign(ctx, user, session, successor, claims)?;
        issued.rotation = Some(rotation);
        return Ok(issued);
    }
    Err(Refusal::RefreshConflict.into())
}

async fn read(ctx: &Context, token: &Bound) -> Result<(Session, User)> {
    let found = ctx.store().read_session(token.session()).await?;
    let facts = found.and_then(|row| Some((row.session?, row.user)));
    let facts = facts.filter(|(session, _)| session.refresh_token_counter.is_some());
    Ok(facts.ok_or(Refusal::RefreshTokenNotFound)?)
}

async fn decide(ctx: &Context, token: &Bound, session: &Session, user: &User) -> Result<Verdict> {
    refresh::check_account(user, ctx.now)?;
    refresh::still_valid(session, session.last_refresh(), user, ctx.policy(), ctx.now)?;
    if ctx.policy().sessions_single_per_user {
        sessions::newest_login(ctx, session, user).await?;
    }
    Ok(refresh::decide(session, token.counter(), ctx.policy(), ctx.now)?)
}

/// An old token was shown: somebody else holds the newer one. The session ends with all its tokens.
async fn end_family(ctx: &Context, session: &Session, user: &User) -> Result<IssuedSession> {
    let end = EndSessions {
        user: user.id,
        bearer_session: None,
        which: Which::One(session.id),
        audit: ctx.audit(audit::by_user(user, audit::TOKEN_REVOKED, json!({}))),
        now: ctx.now,
    };
    let ended = ctx.store().end_sessions(end).await?;
    ctx.forget_sessions(user.id, &ended.ended).await;
    tracing::warn!(session = %session.id, user = %user.id, "refresh token reuse: session ended");
    Err(Refusal::RefreshSessionEnded.into())
}
