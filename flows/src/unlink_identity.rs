//! `DELETE /user/identities/{identity_id}` (`contract/mfa-passkeys-oauth.md` §3.10).

use domain::refusal::{ProviderRefusal, Refusal};
use domain::step_up::Operation;
use domain::unlink_identity::{Contacts, Request, check_audience, identity_id, unlink};
use domain::user::User;
use serde_json::json;
use storage::{Tx, UserChanges};

use crate::account::link_traits;
use crate::context::Context;
use crate::error::Result;
use crate::notices::{self, Notice};
use crate::step_up::{self, Proofs};
use crate::user_update::taken;
use crate::{audit, authenticate};

/// Removes a way of signing in. Its last one stays: the account is locked while that is looked at, so that of two requests at
/// once only one sees the other left.
pub async fn unlink_identity(ctx: &Context, request: Request) -> Result<()> {
    let bearer = authenticate::user(ctx, &request.bearer).await?;
    if !ctx.policy().security_manual_linking_enabled {
        return Err(ProviderRefusal::ManualLinkingDisabled.into());
    }
    let id = identity_id(&request.identity)?;
    check_audience(&bearer.claims, ctx.asked_audience())?;
    unlink(&bearer.user, id)?;
    step_up::demand(ctx, Operation::IdentityUnlink, &bearer, Proofs::none()).await?;

    let mut tx = ctx.store().begin().await?;
    let user = tx.users().lock(bearer.user.id).await?.ok_or(Refusal::BearerUserNotFound)?.user;
    if user.deleted_at.is_some() {
        return Err(Refusal::BearerUserNotFound.into());
    }
    if user.is_banned(ctx.now) {
        return Err(Refusal::BearerUserBanned.into());
    }
    let (identity, contacts) = unlink(&user, id)?;
    let traits = link_traits(identity.id, &identity.provider, &identity.provider_id);
    if let Some(entry) = ctx.audit_with_address(audit::by_user(&user, audit::IDENTITY_UNLINKED, traits)) {
        tx.audit().insert(entry).await?;
    }
    tx.identities().delete(identity.id).await?;
    let mut changes = after(&mut tx, &user, contacts).await?;
    if changes.email.is_some() {
        tx.one_time_tokens().clear(user.id).await?;
    }
    let left = user.identities.iter().filter(|left| left.id != identity.id);
    changes.app_metadata = domain::account::with_providers(&user.app_metadata, left.map(|left| left.provider.as_str()));
    let conflict = taken(ProviderRefusal::IdentityEmailConflict.into());
    tx.users().update(user.id, changes, ctx.now).await.map_err(conflict)?;
    let notices = [Notice::IdentityUnlinked { provider: identity.provider.clone() }];
    // Told to the address from before.
    notices::write(ctx, &mut tx, &notices, &user).await?;
    tx.commit().await?;
    notices::tell(ctx, &notices, &user).await;
    Ok(())
}

/// What becomes of the contacts of `user`.
async fn after(tx: &mut Tx, user: &User, contacts: Contacts) -> Result<UserChanges> {
    let mut changes = UserChanges::default();
    match contacts {
        Contacts::Stay => {}
        Contacts::NumberGoes => {
            changes.phone = Some(None);
            changes.phone_confirmed_at = Some(None);
            changes.phone_change_token = Some(String::new());
        }
        Contacts::AddressBecomes(successors) => {
            let email = first_free(tx, user, successors).await?.ok_or(ProviderRefusal::IdentityEmailConflict)?;
            if email.is_none() {
                let mut metadata = user.user_metadata.clone();
                metadata.insert("email_verified".to_owned(), json!(false));
                changes.user_metadata = Some(metadata);
                changes.email_confirmed_at = Some(None);
            }
            changes.email = Some(email);
            changes.clear_tokens();
            changes.forget_pending_contacts();
        }
    }
    Ok(changes)
}

/// The first of `successors` that nobody else has.
async fn first_free(tx: &mut Tx, user: &User, successors: Vec<Option<String>>) -> Result<Option<Option<String>>> {
    for successor in successors {
        let is_free = match &successor {
            Some(email) => tx.users().find_by_email(email).await?.is_none_or(|found| found.id == user.id),
            None => true,
        };
        if is_free {
            return Ok(Some(successor));
        }
    }
    Ok(None)
}
