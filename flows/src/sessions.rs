//! A user's sessions: listing and ending (`docs`: routes beside the contract).

use domain::access_token::best_aal;
use domain::bearer;
use domain::ids::{SessionId, UserId};
use domain::pagination::{Page, Paged};
use domain::refusal::Refusal;
use domain::session::{Session, session_end};
use domain::sessions::{AdminEnd, AdminList, End, List, Listing};
use domain::user::User;
use serde_json::json;
use storage::{EndSessions, Which};

use crate::context::Context;
use crate::error::Result;
use crate::{audit, authenticate, logout};

/// The bearer's live sessions, newest use first.
pub async fn list_sessions(ctx: &Context, request: List) -> Result<Listing> {
    let authenticated = authenticate::user(ctx, &request.bearer).await?;
    let current = authenticated.session.map(|session| session.id);
    let sessions = live(ctx, &authenticated.user, request.page).await?;
    Ok(Listing { user: authenticated.user.id, current, sessions })
}

/// Ends one of the bearer's own sessions.
pub async fn end_session(ctx: &Context, request: End) -> Result<()> {
    let claims = authenticate::claims(ctx, &request.bearer)?;
    let user = bearer::subject(&claims)?;
    let (bearer_session, target) = match (bearer::session(&claims), request.session.parse()) {
        (Ok(bearer_session), Ok(target)) => (bearer_session, SessionId(target)),
        _ => {
            // The bearer is refused first, the id afterwards.
            authenticate::user(ctx, &request.bearer).await?;
            return Err(Refusal::SessionIdMalformed.into());
        }
    };
    let ended = ctx
        .store()
        .end_sessions(EndSessions {
            user,
            bearer_session,
            which: Which::One(target),
            audit: ctx.audit(audit::by_claims(&claims, audit::LOGOUT, json!({}))),
            now: ctx.now,
        })
        .await?;
    logout::check(&ended)?;
    if ended.ended.is_empty() {
        return Err(Refusal::SessionNotFound.into());
    }
    ctx.forget_sessions(user, &ended.ended).await;
    Ok(())
}

/// A user's live sessions, for an admin.
pub async fn admin_list_sessions(ctx: &Context, request: AdminList) -> Result<Listing> {
    authenticate::admin(ctx, &request.bearer).await?;
    let user = admin_user(ctx, &request.user).await?;
    let sessions = live(ctx, &user, request.page).await?;
    Ok(Listing { user: user.id, current: None, sessions })
}

/// Ends one or all of a user's sessions, for an admin.
pub async fn admin_end_sessions(ctx: &Context, request: AdminEnd) -> Result<()> {
    let role = authenticate::admin(ctx, &request.bearer).await?;
    let user = admin_user(ctx, &request.user).await?;
    let session = request
        .session
        .as_deref()
        .map(|text| text.parse().map(SessionId).map_err(|_| Refusal::SessionIdMalformed))
        .transpose()?;
    let ended = ctx
        .store()
        .end_sessions(EndSessions {
            user: user.id,
            bearer_session: None,
            which: session.map_or(Which::All, Which::One),
            audit: ctx.audit(audit::by_admin(&role, &user, audit::LOGOUT, json!({}))),
            now: ctx.now,
        })
        .await?
        .ended;
    if session.is_some() && ended.is_empty() {
        return Err(Refusal::SessionNotFound.into());
    }
    ctx.forget_sessions(user.id, &ended).await;
    Ok(())
}

/// The user a path names.
pub(crate) async fn admin_user(ctx: &Context, id: &str) -> Result<User> {
    let id = id.parse().map(UserId).map_err(|_| Refusal::UserIdMalformed)?;
    let found = ctx.store().read_user(id, None).await?.ok_or(Refusal::UserNotFound)?;
    Ok(found.user)
}

async fn live(ctx: &Context, user: &User, page: Page) -> Result<Paged<Session>> {
    let best = best_aal(user);
    let limits = &ctx.policy().session_limits;
    let mut sessions = ctx.store().list_sessions(user.id).await?;
    heal_index(ctx, user.id, &sessions).await;
    sessions.retain(|session| session_end(session, session.last_refresh(), best, limits, ctx.now).is_none());
    let total = sessions.len() as u64;
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let items = sessions.into_iter().skip(offset).take(size).collect();
    Ok(Paged { items, total, page })
}

/// Puts the index right by what the database just said: while it was away it may have missed sessions and their ends.
async fn heal_index(ctx: &Context, user: UserId, stored: &[Session]) {
    let Ok(indexed) = ctx.services.cluster.sessions.list(ctx.tenant.project.id, user).await else { return };
    for session in stored {
        if !indexed.iter().any(|entry| entry.session == session.id) {
            ctx.remember_session(session).await;
        }
    }
    let gone = |id: &SessionId| !stored.iter().any(|session| session.id == *id);
    let ended: Vec<SessionId> = indexed.iter().map(|entry| entry.session).filter(gone).collect();
    ctx.forget_sessions(user, &ended).await;
}
