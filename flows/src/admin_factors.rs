//! /admin/users/{id}/factors (`contract/mfa-passkeys-oauth.md` §1.9).

use domain::admin_factors::{Changes, Delete, List, Update};
use domain::refusal::Refusal;
use domain::user::{Factor, User};
use serde_json::json;
use storage::{StoreError, StoredFactor};

use crate::context::Context;
use crate::error::Result;
use crate::sessions::admin_user;
use crate::unenroll_factor::{notices_of, remove};
use crate::{audit, authenticate, factors, notices};

/// The factors of a user.
pub async fn admin_list_factors(ctx: &Context, request: List) -> Result<Vec<Factor>> {
    authenticate::admin(ctx, &request.bearer).await?;
    Ok(admin_user(ctx, &request.user).await?.factors)
}

/// Names a factor anew, or gives a phone another number.
pub async fn admin_update_factor(ctx: &Context, request: Update) -> Result<Factor> {
    let role = authenticate::admin(ctx, &request.bearer).await?;
    let (user, found) = find(ctx, &request.user, &request.factor).await?;
    let (id, kind) = (found.factor.id, found.factor.factor_type);
    let Changes { friendly_name, phone } = request.body?.changes(kind)?;
    let mut tx = ctx.store().begin().await?;
    let changed = tx.factors().update(id, friendly_name.as_deref(), phone.as_deref(), ctx.now).await;
    match changed {
        Ok(true) => {}
        Ok(false) => return Err(Refusal::FactorNotFound.into()),
        Err(StoreError::Conflict) => {
            let has_name = |held: &Factor| held.id != id && friendly_name.as_ref() == Some(&held.friendly_name);
            return match friendly_name.as_ref().filter(|_| user.factors.iter().any(has_name)) {
                Some(name) => Err(Refusal::FactorNameConflict(name.clone()).into()),
                None => Err(Refusal::FactorPhoneExists.into()),
            };
        }
        Err(error) => return Err(error.into()),
    }
    let traits = json!({ "user_id": user.id, "factor_id": id, "factor_type": kind.as_str() });
    factors::write_audit(ctx, &mut tx, audit::by_role(&role, audit::FACTOR_UPDATED, traits)).await?;
    let updated = tx.factors().lock(id).await?.ok_or(Refusal::FactorNotFound)?;
    tx.commit().await?;
    Ok(updated.factor)
}

/// Removes a factor, proven or not. Answers it as it was.
pub async fn admin_delete_factor(ctx: &Context, request: Delete) -> Result<Factor> {
    authenticate::admin(ctx, &request.bearer).await?;
    let (user, found) = find(ctx, &request.user, &request.factor).await?;
    let mut tx = ctx.store().begin().await?;
    let user = tx.users().lock(user.id).await?.ok_or(Refusal::UserNotFound)?.user;
    let factor = user.factors.iter().find(|held| held.id == found.factor.id).ok_or(Refusal::FactorNotFound)?;
    remove(ctx, &mut tx, &user, factor.id, factor.factor_type).await?;
    let traits = json!({ "user_id": user.id, "factor_id": factor.id });
    factors::write_audit(ctx, &mut tx, audit::by_user(&user, audit::FACTOR_DELETED, traits)).await?;
    let notices = notices_of(factor.verified, factor.factor_type);
    notices::write(ctx, &mut tx, &notices, &user).await?;
    tx.commit().await?;
    notices::tell(ctx, &notices, &user).await;
    Ok(factor.clone())
}

/// A user and his factor.
async fn find(ctx: &Context, user: &str, factor: &str) -> Result<(User, StoredFactor)> {
    let user = admin_user(ctx, user).await?;
    let factor = factors::of_user(ctx, user.id, factor).await?;
    Ok((user, factor))
}
