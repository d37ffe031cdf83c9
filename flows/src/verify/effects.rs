//! What a proof does to the account (`contract/core.md` §15.4, §15.5).

use domain::account::{Proves, is_proven, unproven, with_providers};
use domain::contact::Contact;
use domain::ids::{IdentityId, SessionId};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::time::Timestamp;
use domain::user::{Metadata, User};
use domain::verify::{Kind, completes_email_change};
use serde_json::json;
use storage::{Locked, TokenKind, Tx, UserChanges};

use super::METHOD;
use crate::account::clean_up;
use crate::context::Context;
use crate::error::Result;
use crate::notices::Notice;
use crate::settle::{Done, End, Given, Gives, NewPassword, Step, open};
use crate::user_update::taken;
use crate::{audit, change_contact, one_time};

/// A proof that was consumed in this transaction.
pub(super) struct Proven<'a> {
    pub(super) kind: Kind,
    pub(super) locked: Locked,
    /// What was proven with.
    pub(super) token: TokenKind,
    /// When that was sent; `None` where nothing was.
    pub(super) sent_at: Option<Timestamp>,
    /// What it gives.
    pub(super) gives: Gives,
    /// The new password of a recovery or an invitation.
    pub(super) password: Option<&'a Secret<String>>,
}

/// What is gathered before the account is written once.
#[derive(Default)]
struct Effects {
    changes: UserChanges,
    ended: Vec<SessionId>,
    notices: Vec<Notice>,
    /// Identities that go.
    removed: Vec<IdentityId>,
    /// The provider of an identity that the account has then in any case.
    proven: Option<&'static str>,
    /// What a unique value that was taken meanwhile becomes.
    conflict: Option<Refusal>,
}

/// Does what `proven` is for.
pub(super) async fn apply(ctx: &Context, tx: &mut Tx, given: &Given, proven: Proven<'_>) -> Result<Step> {
    let user = &proven.locked.user;
    let mut effects = Effects::default();
    let waits = match proven.token {
        TokenKind::EmailChangeNew | TokenKind::EmailChangeCurrent => {
            let by_current = proven.token == TokenKind::EmailChangeCurrent;
            if !completes_email_change(user, by_current, ctx.policy()) {
                return half_done(ctx, tx, user).await;
            }
            change_email(ctx, tx, user, &mut effects).await?;
            None
        }
        TokenKind::PhoneChange => {
            change_phone(ctx, tx, user, &mut effects).await?;
            None
        }
        TokenKind::Confirmation if proven.kind == Kind::Sms => {
            confirm_phone(ctx, tx, &proven, &mut effects).await?;
            None
        }
        TokenKind::Confirmation => confirm(ctx, tx, given, &proven, &mut effects).await?,
        TokenKind::Recovery => recover(ctx, tx, given, &proven, &mut effects).await?,
        TokenKind::Reauthentication => return Err(Refusal::CodeExpired.into()),
    };
    if let Some(password) = waits {
        return Ok(Step::NeedsHash(password));
    }
    finish(ctx, tx, given, user, proven.gives, effects).await
}

/// The first of two confirmations of a new address: only remembered, the consumed token says which side is left.
async fn half_done(ctx: &Context, tx: &mut Tx, user: &User) -> Result<Step> {
    let changes = UserChanges { email_change_confirm_status: Some(1), ..UserChanges::default() };
    tx.users().update(user.id, changes, ctx.now).await?;
    let done = Done { end: End::HalfDone, user: user.clone(), ended: Vec::new(), notices: Vec::new() };
    Ok(Step::Done(Box::new(done)))
}

/// A sign-up or an invitation.
async fn confirm(
    ctx: &Context,
    tx: &mut Tx,
    given: &Given,
    proven: &Proven<'_>,
    effects: &mut Effects,
) -> Result<Option<NewPassword>> {
    let user = &proven.locked.user;
    let invited = user.invited_at.is_some();
    purge(ctx, tx, proven, effects).await?;
    if proven.password.is_some() || (invited && proven.locked.password_hash.is_none()) {
        let Some(hash) = &given.hash else { return Ok(Some(chosen(proven).unwrap_or(NewPassword::Random))) };
        effects.changes.clear_tokens_and_times();
        effects.changes.password_hash = Some(Some(hash.clone()));
        effects.ended.extend(tx.sessions().delete_all(user.id).await?);
    }
    change_contact::confirm_email(ctx, user, &mut effects.changes);
    effects.changes.is_anonymous = Some(false);
    for identity in user.identities.iter().filter(|identity| identity.email() == user.email) {
        let mut data = identity.data.clone();
        data.insert("email_verified".to_owned(), json!(true));
        tx.identities().update_data(identity.id, &data, ctx.now).await?;
    }
    ctx.write_audit(tx, audit::by_user(user, audit::USER_SIGNED_UP, json!({ "provider": "email" }))).await?;
    Ok(None)
}

/// The password that came with the proof.
fn chosen(proven: &Proven<'_>) -> Option<NewPassword> {
    let email = proven.locked.user.email.clone().unwrap_or_default();
    proven.password.map(|password| NewPassword::Chosen(password.clone(), email))
}

/// A forgotten password, or a sign-in by mail.
async fn recover(
    ctx: &Context,
    tx: &mut Tx,
    given: &Given,
    proven: &Proven<'_>,
    effects: &mut Effects,
) -> Result<Option<NewPassword>> {
    let user = &proven.locked.user;
    if let Some(chosen) = chosen(proven) {
        let Some(hash) = &given.hash else { return Ok(Some(chosen)) };
        effects.ended.extend(tx.sessions().delete_all(user.id).await?);
        let changes = &mut effects.changes;
        changes.clear_tokens_and_times();
        changes.forget_pending_contacts();
        changes.password_hash = Some(Some(hash.clone()));
        effects.notices.push(Notice::PasswordChanged);
        ctx.write_audit(tx, audit::by_user(user, audit::USER_UPDATED_PASSWORD, json!({}))).await?;
    }
    effects.changes.recovery_token = Some(String::new());
    let action = if user.email_confirmed_at.is_some() { audit::LOGIN } else { audit::USER_SIGNED_UP };
    if !is_proven(user, ctx.policy()) {
        purge(ctx, tx, proven, effects).await?;
        change_contact::confirm_email(ctx, user, &mut effects.changes);
        effects.changes.is_anonymous = Some(false);
    }
    ctx.write_audit(tx, audit::by_user(user, action, json!({}))).await?;
    Ok(None)
}

async fn confirm_phone(ctx: &Context, tx: &mut Tx, proven: &Proven<'_>, effects: &mut Effects) -> Result<()> {
    let user = &proven.locked.user;
    purge(ctx, tx, proven, effects).await?;
    effects.changes.phone_confirmed_at = Some(Some(ctx.now));
    effects.changes.confirmation_token = Some(String::new());
    effects.changes.is_anonymous = Some(false);
    ctx.write_audit(tx, audit::by_user(user, audit::USER_SIGNED_UP, json!({ "provider": "phone" }))).await
}

async fn change_email(ctx: &Context, tx: &mut Tx, user: &User, effects: &mut Effects) -> Result<()> {
    ctx.write_audit(tx, audit::by_user(user, audit::USER_MODIFIED, json!({}))).await?;
    effects.conflict = Some(Refusal::EmailChangeConflict);
    effects.proven = Some("email");
    effects.notices = change_contact::email(ctx, tx, user, &user.email_change, &mut effects.changes).await?;
    Ok(())
}

async fn change_phone(ctx: &Context, tx: &mut Tx, user: &User, effects: &mut Effects) -> Result<()> {
    ctx.write_audit(tx, audit::by_user(user, audit::USER_MODIFIED, json!({}))).await?;
    effects.conflict = Some(Refusal::PhoneExists);
    effects.proven = Some("phone");
    effects.notices = change_contact::phone(ctx, tx, user, &user.phone_change, &mut effects.changes).await?;
    Ok(())
}

/// Removes what came in before it was known whose account it is (`security/reference-weaknesses.md`, "Whose account").
async fn purge(ctx: &Context, tx: &mut Tx, proven: &Proven<'_>, effects: &mut Effects) -> Result<()> {
    let user = &proven.locked.user;
    let by_sign_in = proven.token == TokenKind::Confirmation && user.invited_at.is_none();
    let sent_at = proven.sent_at.filter(|_| by_sign_in);
    let proves = if proven.kind == Kind::Sms { Proves::Phone } else { Proves::Email };
    let lost = unproven(user, proves, sent_at, ctx.policy());
    effects.ended.extend(clean_up(tx, user, &lost, &mut effects.changes).await?);
    if lost.sessions && !matches!(proven.gives, Gives::Code(_)) {
        // Among them codes that were given to whoever was here before.
        tx.flow_states().delete_all(user.id).await?;
    }
    if !lost.identities.is_empty()
        && let Some(email) = user.email.clone().filter(|_| proven.kind != Kind::Sms)
    {
        // The owner has a way in that is his own.
        effects.proven = Some("email");
        change_contact::prove_identity(ctx, tx, user, &Contact::Email(email)).await?;
    }
    effects.removed = lost.identities;
    Ok(())
}

/// Writes the account, and opens the session or prepares the code of the flow.
async fn finish(
    ctx: &Context,
    tx: &mut Tx,
    given: &Given,
    user: &User,
    gives: Gives,
    effects: Effects,
) -> Result<Step> {
    let app_metadata = providers(user, &effects);
    let Effects { mut changes, ended, notices, conflict, .. } = effects;
    tx.one_time_tokens().clear(user.id).await?;
    changes.app_metadata = app_metadata;
    if matches!(gives, Gives::Session) {
        changes.last_sign_in_at = Some(Some(ctx.now));
    }
    let written = tx.users().update(user.id, changes, ctx.now).await;
    match conflict {
        Some(refusal) => written.map_err(taken(refusal))?,
        None => written?,
    };
    let end = match gives {
        Gives::Session => open(ctx, tx, given, user, METHOD).await?,
        Gives::Code(method) => End::Code(issue_code(ctx, tx, user, method).await?),
        Gives::Nothing => End::Plain,
    };
    let user = tx.users().read(user.id).await?.ok_or(Refusal::BearerUserNotFound)?;
    Ok(Step::Done(Box::new(Done { end, user, ended, notices })))
}

/// `app_metadata` with the providers of the identities as they are then; `None` where it says so already.
fn providers(user: &User, effects: &Effects) -> Option<Metadata> {
    let kept = user.identities.iter().filter(|identity| !effects.removed.contains(&identity.id));
    with_providers(&user.app_metadata, kept.map(|identity| identity.provider.as_str()).chain(effects.proven))
}

/// The code of the newest flow that waits for this user; only its keyed hash is stored.
async fn issue_code(ctx: &Context, tx: &mut Tx, user: &User, method: &str) -> Result<Secret<String>> {
    let flow = tx.flow_states().newest(user.id, method).await?.ok_or(Refusal::LinkFlowNotFound)?;
    let code = ctx.entropy().uuid().to_string();
    let hash = one_time::stored(ctx, &code);
    if !tx.flow_states().issue_code(flow.id, &hash, ctx.now).await? {
        return Err(Refusal::LinkFlowNotFound.into());
    }
    Ok(Secret::new(code))
}
