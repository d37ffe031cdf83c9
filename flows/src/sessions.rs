//! A user's sessions: listing and ending (`docs`: routes beside the contract).

use cluster::sessions::KEPT_PER_USER;
use domain::access_token::best_aal;
use domain::bearer;
use domain::ids::{SessionId, UserId};
use domain::pagination::{Page, Paged};
use domain::refresh;
use domain::refusal::Refusal;
use domain::session::{Live, Session};
use domain::sessions::{AdminEnd, AdminList, End, List, Listing, covers};
use domain::user::User;
use serde_json::json;
use storage::{EndSessions, ListSessions, Which};

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
    let claims = authenticate::claims(ctx, &request.bearer).await?;
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

/// How many sessions are looked at together for one that was used later.
const TOGETHER: u64 = 64;

/// The one-session-per-user rule for a refresh of `session` (`contract/core.md` §10.5). Only what was used later is read: nothing
/// where the rule holds, and a rival is nearly always among the first.
pub(crate) async fn newest_login(ctx: &Context, session: &Session, user: &User) -> Result<()> {
    let live = Live::at(ctx.now, best_aal(user), &ctx.policy().session_limits);
    let used_after = Some(session.last_refresh());
    let mut list = ListSessions { user: user.id, live, used_after, limit: TOGETHER, offset: 0 };
    loop {
        let (newer, total) = ctx.store().list_sessions(&list).await?;
        refresh::newest_login(session, &newer, user, ctx.policy(), ctx.now)?;
        list.offset += TOGETHER;
        if list.offset >= total {
            return Ok(());
        }
    }
}

async fn live(ctx: &Context, user: &User, page: Page) -> Result<Paged<Session>> {
    let live = Live::at(ctx.now, best_aal(user), &ctx.policy().session_limits);
    let list = ListSessions { user: user.id, live, used_after: None, limit: page.size, offset: page.offset() };
    let (items, total) = ctx.store().list_sessions(&list).await?;
    let paged = Paged { items, total, page };
    heal_index(ctx, user.id, &paged).await;
    Ok(paged)
}

/// Puts the index right by the page that the database just gave: while it was away it may have missed sessions and their ends.
///
/// Looks at this page only, so that a list costs a page however many sessions there are. What the page does not have although
/// it was last used between the page's ends is gone; what lies elsewhere is put right by the list of its page, and a list of
/// one page puts all of it right. Nobody is let in by an entry: one that is left too long is no more than untidy.
async fn heal_index(ctx: &Context, user: UserId, page: &Paged<Session>) {
    let Ok(indexed) = ctx.services.cluster.sessions.list(ctx.tenant.project.id, user).await else { return };
    let stored = &page.items;
    // Beyond that the index keeps none: it would forget one for each that it is told.
    let kept = usize::try_from(page.page.offset()).map_or(0, |offset| KEPT_PER_USER.saturating_sub(offset));
    for session in stored.iter().take(kept) {
        if !indexed.iter().any(|entry| entry.session == session.id) {
            ctx.remember_session(session).await;
        }
    }
    let gone: Vec<SessionId> = indexed
        .iter()
        .filter(|entry| covers(page, entry.last_used) && !stored.iter().any(|session| session.id == entry.session))
        .map(|entry| entry.session)
        .collect();
    ctx.forget_sessions(user, &gone).await;
}
