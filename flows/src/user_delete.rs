//! `DELETE /user` (mission row 4): the end of one's own account. The row stays, unreadable and unusable, as after an
//! administrator's soft deletion (`contract/core.md` §17.6); the address is free again.

use domain::refusal::Refusal;
use domain::step_up::Operation;
use domain::user_delete::Request;
use serde_json::json;

use crate::admin_users::soft_delete;
use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Limited};
use crate::step_up::{self, Proofs};
use crate::{audit, authenticate};

/// Ends the bearer's account, with every session, code and factor.
pub async fn user_delete(ctx: &Context, request: Request) -> Result<()> {
    let authenticated = authenticate::user(ctx, &request.bearer).await?;
    limits::per_address(ctx, Limited::UserUpdate).await?;
    let proofs = Proofs::new(&request.nonce, request.current_password.as_ref());
    step_up::demand(ctx, Operation::AccountDelete, &authenticated, proofs).await?;
    let id = authenticated.user.id;
    let mut tx = ctx.store().begin().await?;
    let user = tx.users().lock(id).await?.ok_or(Refusal::BearerUserNotFound)?.user;
    if user.is_banned(ctx.now) {
        return Err(Refusal::BearerUserBanned.into());
    }
    let ended = tx.sessions().delete_all(id).await?;
    if authenticated.session.is_some_and(|session| !ended.contains(&session.id)) {
        return Err(Refusal::BearerSessionNotFound.into());
    }
    if !tx.users().soft_delete(id, soft_delete(&user, ctx.now)).await? {
        return Err(Refusal::BearerUserNotFound.into());
    }
    ctx.write_audit(&mut tx, audit::by_owner(&user, audit::USER_DELETED, json!({}))).await?;
    tx.commit().await?;
    ctx.forget_sessions(id, &ended).await;
    Ok(())
}
