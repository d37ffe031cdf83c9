//! The transaction that writes a change.

use domain::ids::{SessionId, UserId};
use domain::project::Profile;
use domain::refusal::Refusal;
use domain::user::{Metadata, User};
use domain::user_update::Contacts;
use serde_json::json;
use storage::{Locked, Tx, UserChanges};

use super::password::NewPassword;
use super::taken;
use crate::context::Context;
use crate::error::Result;
use crate::message::{self, Prepared};
use crate::notices::{self, Notice};
use crate::{audit, change_contact};

/// A change that passed its checks.
pub(super) struct Update {
    pub(super) user: UserId,
    /// The session that asks. It stays when the password changes.
    pub(super) session: Option<SessionId>,
    pub(super) new_password: Option<NewPassword>,
    /// Contacts that are taken over without a message.
    pub(super) at_once: Contacts,
    /// Messages to the others.
    pub(super) messages: Vec<Prepared>,
    pub(super) data: Option<Metadata>,
    pub(super) app_metadata: Option<Metadata>,
}

impl Update {
    fn changes_contact(&self) -> bool {
        self.at_once.email.is_some() || self.at_once.phone.is_some() || !self.messages.is_empty()
    }
}

/// What became of a change.
pub(super) enum Applied {
    /// It is written; the user as he is then.
    Done(Box<User>),
    /// Nothing is written: the password is not the one any more that the new one was compared with.
    PasswordMoved(Box<Update>),
}

/// Writes `update`.
pub(super) async fn apply(ctx: &Context, update: Update) -> Result<Applied> {
    let id = update.user;
    let mut tx = ctx.store().begin().await?;
    let locked = tx.users().lock(id).await?.ok_or(Refusal::BearerUserNotFound)?;
    let mut before = locked.user.clone();
    if before.deleted_at.is_some() {
        return Err(Refusal::BearerUserNotFound.into());
    }
    if before.is_banned(ctx.now) {
        return Err(Refusal::BearerUserBanned.into());
    }
    if update.new_password.as_ref().is_some_and(|new| new.replaces != locked.password_hash) {
        return Ok(Applied::PasswordMoved(Box::new(update)));
    }
    let sensitive = update.new_password.is_some() || update.changes_contact();
    let mut changes = UserChanges::default();
    let mut notices = Vec::new();
    let mut ended = Vec::new();
    if let Some(new) = update.new_password {
        ended = set_password(ctx, &mut tx, &locked, new, update.session, &mut changes).await?;
        notices.push(Notice::PasswordChanged);
        // Forgotten with the codes: a message of this very request need not wait for the last one.
        (before.email_change_sent_at, before.phone_change_sent_at) = (None, None);
    }
    // Messages and hashes took their time: a session that was ended meanwhile, perhaps by a second factor, changes nothing.
    if let (true, Some(session)) = (sensitive, update.session) {
        tx.sessions().lock(session).await?.ok_or(Refusal::BearerSessionNotFound)?;
    }
    if let Some(data) = &update.data {
        before.user_metadata = domain::metadata::merged(&before.user_metadata, data);
        changes.user_metadata = Some(before.user_metadata.clone());
    }
    if let Some(data) = &update.app_metadata {
        changes.app_metadata = Some(domain::metadata::merged(&before.app_metadata, data));
    }
    let mut conflict = Refusal::PhoneExists;
    // What is taken over at once is written down for itself, besides the change as a whole (§15.4, §15.5).
    if let Some(phone) = &update.at_once.phone {
        ctx.write_audit(&mut tx, audit::by_user(&before, audit::USER_MODIFIED, json!({}))).await?;
        notices.extend(change_contact::phone(ctx, &mut tx, &before, phone, &mut changes).await?);
    }
    if let Some(email) = &update.at_once.email {
        conflict = Refusal::EmailExists;
        ctx.write_audit(&mut tx, audit::by_user(&before, audit::USER_MODIFIED, json!({}))).await?;
        notices.extend(change_contact::email(ctx, &mut tx, &before, email, &mut changes).await?);
    }
    if update.at_once.email.is_some() || update.at_once.phone.is_some() {
        tx.one_time_tokens().clear(id).await?;
    }
    tx.users().update(id, changes, ctx.now).await.map_err(taken(conflict))?;
    let sends = !update.messages.is_empty();
    for message in update.messages {
        message.write(ctx, &mut tx, &before).await?;
    }
    let user = tx.users().read(id).await?.ok_or(Refusal::BearerUserNotFound)?;
    ctx.write_audit(&mut tx, audit::by_user(&user, audit::USER_MODIFIED, json!({}))).await?;
    notices::write(ctx, &mut tx, &notices, &user).await?;
    tx.commit().await?;
    if sends {
        message::sent(ctx);
    }
    ctx.forget_sessions(id, &ended).await;
    notices::tell(ctx, &notices, &user).await;
    // A confirmation of this very request does not show in `confirmed_at` yet (`contract/core.md` §7.1).
    Ok(Applied::Done(Box::new(User { confirmed_at: before.confirmed_at, ..user })))
}

/// Sets the password: every code of the user dies, and every session but the one that asks.
async fn set_password(
    ctx: &Context,
    tx: &mut Tx,
    locked: &Locked,
    new: NewPassword,
    keep: Option<SessionId>,
    changes: &mut UserChanges,
) -> Result<Vec<SessionId>> {
    let id = locked.user.id;
    changes.clear_tokens_and_times();
    changes.password_hash = Some(Some(new.hash));
    if ctx.policy().profile == Profile::Shield {
        changes.forget_pending_contacts();
    }
    tx.one_time_tokens().clear(id).await?;
    ctx.write_audit(tx, audit::by_user(&locked.user, audit::USER_UPDATED_PASSWORD, json!({}))).await?;
    Ok(match keep {
        Some(session) => tx.sessions().delete_others(id, session).await?,
        None => tx.sessions().delete_all(id).await?,
    })
}
