//! `PUT /user` (`contract/core.md` §16.2): metadata and password.

use domain::ids::SessionId;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::user::User;
use domain::user_update::{Request, check};
use serde_json::json;
use storage::{StoreError, UserChanges};

use crate::audit;
use crate::authenticate::{self, Authenticated};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};

/// Changes the bearer's own account.
pub async fn user_update(ctx: &Context, request: Request) -> Result<User> {
    let authenticated = authenticate::user(ctx, &request.bearer).await?;
    limits::per_address(ctx, Limited::UserUpdate).await?;
    let plan = check(&request, &authenticated.user, authenticated.session.as_ref(), ctx.policy(), ctx.now)?;
    if plan.needs_nonce {
        return Err(Refusal::ReauthenticationNeeded.into());
    }
    let new_password = match &request.password {
        Some(password) => Some(new_password(ctx, &request, &authenticated, password).await?),
        None => None,
    };
    apply(ctx, request, authenticated, new_password).await
}

/// The new hash and the old one, which guards the write: a password that changed meanwhile is not overwritten.
struct NewPassword {
    hash: Secret<String>,
    replaces: Option<Secret<String>>,
}

async fn new_password(
    ctx: &Context,
    request: &Request,
    authenticated: &Authenticated,
    password: &Secret<String>,
) -> Result<NewPassword> {
    let stored = ctx.store().find_password(authenticated.user.id).await?;
    if let Some(stored) = &stored {
        if domain::user_update::needs_current_password(authenticated.session.as_ref(), ctx.policy()) {
            let current = request.current_password.as_ref().ok_or(Refusal::CurrentPasswordRequired)?;
            if !ctx.verify_password(current, stored).await? {
                return Err(Refusal::CurrentPasswordInvalid.into());
            }
        }
        if ctx.verify_password(password, stored).await? {
            return Err(Refusal::SamePassword.into());
        }
    }
    Ok(NewPassword { hash: ctx.hash_password(password).await?, replaces: stored })
}

async fn apply(
    ctx: &Context,
    request: Request,
    authenticated: Authenticated,
    new_password: Option<NewPassword>,
) -> Result<User> {
    let id = authenticated.user.id;
    let keep = authenticated.session.map(|session| session.id);
    let mut tx = ctx.store().begin().await?;
    let locked = tx.users().lock(id).await?.ok_or(Refusal::BearerUserNotFound)?;
    let mut changes = UserChanges::default();
    let mut ended: Vec<SessionId> = Vec::new();
    if let Some(NewPassword { hash, replaces }) = new_password {
        if locked.password_hash != replaces {
            return Err(Refusal::SamePassword.into());
        }
        changes.clear_tokens_and_times();
        changes.password_hash = Some(Some(hash));
        tx.one_time_tokens().clear(id).await?;
        ended = match keep {
            Some(session) => tx.sessions().delete_others(id, session).await?,
            None => tx.sessions().delete_all(id).await?,
        };
        ctx.write_audit(&mut tx, audit::by_user(&locked.user, audit::USER_UPDATED_PASSWORD, json!({}))).await?;
    }
    if let Some(data) = &request.data {
        changes.user_metadata = Some(domain::metadata::merged(&locked.user.user_metadata, data));
    }
    if let Some(data) = &request.app_metadata {
        changes.app_metadata = Some(domain::metadata::merged(&locked.user.app_metadata, data));
    }
    tx.users().update(id, changes, ctx.now).await?;
    ctx.write_audit(&mut tx, audit::by_user(&locked.user, audit::USER_MODIFIED, json!({}))).await?;
    let user = tx.users().read(id).await?.ok_or(Refusal::BearerUserNotFound)?;
    tx.commit().await?;
    ctx.forget_sessions(id, &ended).await;
    Ok(user)
}

/// A unique value that was taken between the check and the write becomes `refusal`.
pub(crate) fn taken(refusal: Refusal) -> impl FnOnce(StoreError) -> Error {
    move |error| match error {
        StoreError::Conflict => refusal.into(),
        other => other.into(),
    }
}
