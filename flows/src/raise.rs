//! Raising a session: what every proof of a second factor has in common (`contract/mfa-passkeys-oauth.md` §1.6). The session
//! keeps its id and gets new tokens; what was issued before does not come back raised.

use async_trait::async_trait;
use crypto::refresh_token;
use domain::bearer;
use domain::factor::FactorType;
use domain::hook::Point;
use domain::ids::{FactorId, SessionId};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::session::Session;
use domain::tokens::IssuedSession;
use domain::user::User;
use serde_json::json;
use storage::Tx;

use crate::authenticate::Authenticated;
use crate::context::Context;
use crate::error::Result;
use crate::issue::Approved;
use crate::notices::{self, Notice};
use crate::{audit, hooks, issue};

/// How far the counter of session-bound refresh tokens moves: the token from before lies outside of what may be reused.
const COUNTER_STEP: i64 = 2;

/// The session that is raised, and by what.
pub(crate) struct Raise<'a> {
    /// Who proved the factor.
    pub(crate) bearer: &'a Authenticated,
    /// The authentication method of `amr`.
    pub(crate) method: &'static str,
    /// The factor; `None` for what is not one, and leaves the factor of the session as it is.
    pub(crate) factor: Option<(FactorId, FactorType)>,
}

/// What proves the second factor.
#[async_trait]
pub(crate) trait Proof: Send + Sync {
    /// Consumes the proof inside the transaction that raises the session, by a guard that only one of many gets through,
    /// and writes what goes with it. `user` is locked and not banned; what changes of him here must be changed in `user`
    /// too. Answers what he is told by mail.
    ///
    /// Runs twice where a hook shapes tokens: the first run is rolled back. A refusal rolls back everything.
    async fn consume(&self, ctx: &Context, tx: &mut Tx, user: &mut User) -> Result<Vec<Notice>>;
}

/// What a run wrote.
struct Raised {
    user: User,
    session: Session,
    refresh_token: Secret<String>,
    ended: Vec<SessionId>,
    notices: Vec<Notice>,
}

/// Consumes `proof` and raises the session of the bearer. His sessions of one factor end, as do the factors of the same
/// type that he never proved.
pub(crate) async fn raise(ctx: &Context, raise: Raise<'_>, proof: &dyn Proof) -> Result<IssuedSession> {
    let before = raise.bearer.session.as_ref().ok_or(Refusal::VerifyNeedsSession)?;
    let mut approved = (!hooks::is_on(ctx, Point::CustomAccessToken)).then(Approved::none);
    let (raised, approved) = loop {
        let mut tx = ctx.store().begin().await?;
        let raised = run(ctx, &mut tx, &raise, before, proof).await?;
        let Some(approved) = approved.take() else {
            // Asked while no connection is held; what it refuses has not been written.
            drop(tx);
            approved = Some(issue::approve_token(ctx, &raised.user, &raised.session, raise.method).await?);
            continue;
        };
        notices::write(ctx, &mut tx, &raised.notices, &raised.user).await?;
        tx.commit().await?;
        break (raised, approved);
    };
    let Raised { user, session, refresh_token, ended, notices } = raised;
    if let Some(warm) = &ctx.warm {
        warm.take();
    }
    ctx.forget_sessions(user.id, &ended).await;
    ctx.remember_session(&session).await;
    notices::tell(ctx, &notices, &user).await;
    issue::sign(ctx, user, session, refresh_token, approved)
}

async fn run(ctx: &Context, tx: &mut Tx, raise: &Raise<'_>, before: &Session, proof: &dyn Proof) -> Result<Raised> {
    let locked = tx.users().lock(before.user_id).await?.map(|locked| locked.user);
    bearer::admit(&raise.bearer.claims, locked.as_ref(), Some(before), ctx.now)?;
    let mut user = locked.ok_or(Refusal::BearerUserNotFound)?;
    let notices = proof.consume(ctx, tx, &mut user).await?;
    // Sessions are locked before their tokens, as a refresh and the end of a session lock them.
    let ended = tx.sessions().delete_low(user.id, before.id).await?;
    let factor = raise.factor.map(|(id, _)| id);
    let amr_id = ctx.entropy().uuid();
    let raised = tx.sessions().raise(before.id, factor, raise.method, amr_id, COUNTER_STEP, ctx.now).await?;
    let mut session = raised.filter(|session| session.user_id == user.id).ok_or(Refusal::BearerSessionNotFound)?;
    let refresh_token = match session.refresh_token_counter {
        Some(counter) => refresh_token::issue(session.id, counter, &issue::session_key(ctx, &session)),
        None => swap(ctx, tx, &user, &mut session).await?,
    };
    // The answer still shows them, as the reference's does.
    let leftover = |kind| user.factors.iter().any(|held| !held.verified && held.factor_type == kind);
    if let Some((_, kind)) = raise.factor.filter(|(_, kind)| leftover(*kind)) {
        tx.factors().delete_unverified(user.id, kind).await?;
    }
    Ok(Raised { user, session, refresh_token, ended, notices })
}

/// Revokes the newest stored token of the locked session and gives its successor, from which on the session is raised. A
/// family that was ended as a whole gets no new one.
async fn swap(ctx: &Context, tx: &mut Tx, user: &User, session: &mut Session) -> Result<Secret<String>> {
    let newest = tx.refresh_tokens().active(session.id).await?.ok_or(Refusal::BearerSessionNotFound)?;
    if !tx.refresh_tokens().revoke(newest.id, ctx.now).await? {
        return Err(Refusal::RefreshConflict.into());
    }
    let successor = refresh_token::new_stored(ctx.entropy());
    let parent = Some(newest.token.expose().as_str());
    let first = tx.refresh_tokens().insert(&successor, user.id, session.id, parent, ctx.now).await?;
    if !tx.sessions().raised_from(session.id, first.id).await? {
        return Err(Refusal::BearerSessionNotFound.into());
    }
    session.raised_from = Some(first.id);
    ctx.write_audit(tx, audit::by_user(user, audit::TOKEN_REVOKED, json!({}))).await?;
    Ok(successor)
}
