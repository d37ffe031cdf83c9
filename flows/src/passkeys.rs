//! A user's passkeys (`contract/mfa-passkeys-oauth.md` §2.6).

use domain::ids::UserId;
use domain::passkeys::{self, AdminDelete, AdminList, Delete, List, Passkey, Rename};
use domain::refusal::PasskeyRefusal;
use domain::step_up::Operation;
use serde_json::json;

use crate::context::Context;
use crate::error::Result;
use crate::sessions::admin_user;
use crate::step_up::{self, Proofs};
use crate::{audit, authenticate, ceremony};

/// The bearer's passkeys, oldest first; a guest has none.
pub async fn list_passkeys(ctx: &Context, request: List) -> Result<Vec<Passkey>> {
    ceremony::enabled(ctx)?;
    let user = authenticate::user(ctx, &request.bearer).await?.user;
    of_user(ctx, user.id).await
}

/// Gives one of the bearer's passkeys another name.
pub async fn rename_passkey(ctx: &Context, request: Rename) -> Result<Passkey> {
    ceremony::enabled(ctx)?;
    let user = authenticate::user(ctx, &request.bearer).await?.user;
    let id = passkeys::id(&request.passkey)?;
    let name = request.friendly_name?;
    passkeys::check_name(&name)?;
    let mut tx = ctx.store().begin().await?;
    let renamed = tx.passkeys().rename(id, user.id, &name, ctx.now).await?.ok_or(PasskeyRefusal::NotFound)?;
    ctx.write_audit(&mut tx, audit::by_user(&user, audit::PASSKEY_UPDATED, json!({ "passkey_id": id }))).await?;
    tx.commit().await?;
    Ok(renamed)
}

/// Removes one of the bearer's passkeys. The sessions it opened go on.
pub async fn delete_passkey(ctx: &Context, request: Delete) -> Result<()> {
    ceremony::enabled(ctx)?;
    let bearer = authenticate::user(ctx, &request.bearer).await?;
    passkeys::may_manage(&bearer.user, bearer.session.as_ref())?;
    step_up::demand(ctx, Operation::PasskeyManage, &bearer, Proofs::none()).await?;
    let id = passkeys::id(&request.passkey)?;
    let mut tx = ctx.store().begin().await?;
    if !tx.passkeys().delete(id, bearer.user.id).await? {
        return Err(PasskeyRefusal::NotFound.into());
    }
    let entry = audit::by_user(&bearer.user, audit::PASSKEY_DELETED, json!({ "passkey_id": id }));
    ctx.write_audit(&mut tx, entry).await?;
    tx.commit().await?;
    Ok(())
}

/// A user's passkeys, for an admin; also where users cannot use them.
pub async fn admin_list_passkeys(ctx: &Context, request: AdminList) -> Result<Vec<Passkey>> {
    authenticate::admin(ctx, &request.bearer).await?;
    let user = admin_user(ctx, &request.user).await?;
    of_user(ctx, user.id).await
}

/// Removes a user's passkey, for an admin.
pub async fn admin_delete_passkey(ctx: &Context, request: AdminDelete) -> Result<()> {
    let role = authenticate::admin(ctx, &request.bearer).await?;
    let user = admin_user(ctx, &request.user).await?;
    let id = passkeys::id(&request.passkey)?;
    let mut tx = ctx.store().begin().await?;
    if !tx.passkeys().delete(id, user.id).await? {
        return Err(PasskeyRefusal::NotFound.into());
    }
    let traits = json!({ "user_id": user.id, "passkey_id": id });
    ctx.write_audit(&mut tx, audit::by_role(&role, audit::PASSKEY_DELETED, traits)).await?;
    tx.commit().await?;
    Ok(())
}

async fn of_user(ctx: &Context, user: UserId) -> Result<Vec<Passkey>> {
    let stored = ctx.store().list_passkeys(user).await?;
    Ok(stored.into_iter().map(|stored| stored.passkey).collect())
}
