//! `POST /logout` (`contract/core.md` §16.4): one statement that checks the bearer and ends the sessions.

use domain::bearer;
use domain::logout::{Request, Scope};
use domain::refusal::Refusal;
use serde_json::json;
use storage::{EndSessions, EndedSessions, Which};

use crate::context::Context;
use crate::error::Result;
use crate::{audit, authenticate};

/// Ends sessions of the bearer's user.
pub async fn logout(ctx: &Context, request: Request) -> Result<()> {
    let claims = authenticate::claims(ctx, &request.bearer).await?;
    let user = bearer::subject(&claims)?;
    let (scope, session) = match (Scope::parse(&request.scope), bearer::session(&claims)) {
        (Ok(scope), Ok(session)) => (scope, session),
        (scope, _) => {
            // The bearer is refused first, the scope afterwards.
            authenticate::user(ctx, &request.bearer).await?;
            return scope.map(|_| ()).map_err(Into::into);
        }
    };
    let which = match (scope, session) {
        (Scope::Local, Some(session)) => Which::One(session),
        (Scope::Others, Some(session)) => Which::Others(session),
        (Scope::Global, _) | (_, None) => Which::All,
    };
    let ended = ctx
        .store()
        .end_sessions(EndSessions {
            user,
            bearer_session: session,
            which,
            audit: ctx.audit(audit::by_claims(&claims, audit::LOGOUT, json!({}))),
            now: ctx.now,
        })
        .await?;
    check(&ended)?;
    if let Some(warm) = &ctx.warm {
        warm.take();
    }
    ctx.forget_sessions(user, &ended.ended).await;
    Ok(())
}

/// The refusals of the bearer in the contract's order, from what the statement saw.
pub(crate) fn check(seen: &EndedSessions) -> Result<()> {
    if !seen.user_exists {
        return Err(Refusal::BearerUserNotFound.into());
    }
    if !seen.session_exists {
        return Err(Refusal::BearerSessionNotFound.into());
    }
    if seen.banned {
        return Err(Refusal::BearerUserBanned.into());
    }
    Ok(())
}
