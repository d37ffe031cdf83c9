//! `POST /invite` (`contract/core.md` §17.1): an account that its owner enters by the mail he is sent.

use domain::contact::Contact;
use domain::email;
use domain::invite::Request;
use domain::refusal::Refusal;
use domain::user::{Metadata, User};
use outbound::mails::Kind;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Result;
use crate::message::{self, Promised};
use crate::new_user::{self, Account};
use crate::user_update::taken;
use crate::{audit, authenticate, hooks};

/// Invites somebody, or invites him again as long as he has not come.
pub async fn invite(ctx: &Context, request: Request) -> Result<User> {
    let role = authenticate::admin(ctx, &request.bearer).await?;
    let contact = Contact::Email(email::validate(&request.email)?);
    let user = match ctx.store().find_credentials(&contact, ctx.asked_audience()).await? {
        Some(found) if found.user.email_confirmed_at.is_some() => return Err(Refusal::InviteEmailExists.into()),
        Some(found) => again(ctx, &role, found.user).await?,
        None => {
            let data = request.data.unwrap_or_default();
            let account = new_account(ctx, contact.email().unwrap_or_default(), &data);
            first(ctx, &role, account, &data).await?
        }
    };
    hooks::after_user_created(ctx, &user).await?;
    Ok(user)
}

/// An invited account: without password.
pub(crate) fn new_account(ctx: &Context, email: &str, data: &Metadata) -> Account {
    let mut account = new_user::by_invitation(ctx, email, data, None);
    account.user.aud = ctx.asked_audience().to_owned();
    account
}

async fn first(ctx: &Context, role: &str, account: Account, data: &Metadata) -> Result<User> {
    account.may_be_made(ctx, data).await?;
    let user = account.preview(ctx.now);
    let prepared = message::mail(ctx, Kind::Invite, &user, None).await?.with_audit(ctx, log(role, &user));
    prepared.promise_new(ctx, account).await.map_err(taken(Refusal::InviteEmailExists))?;
    Ok(invited(ctx, user))
}

async fn again(ctx: &Context, role: &str, user: User) -> Result<User> {
    let prepared = message::mail(ctx, Kind::Invite, &user, None).await?.with_audit(ctx, log(role, &user));
    match prepared.promise(ctx).await? {
        Promised::Sent(_) => Ok(invited(ctx, user)),
        Promised::Changed(now) if now.email_confirmed_at.is_some() => Err(Refusal::InviteEmailExists.into()),
        Promised::Changed(_) => Err(message::changed()),
        Promised::Gone => Err(Refusal::UserNotFound.into()),
    }
}

/// `user` as he is after an invitation went out.
fn invited(ctx: &Context, user: User) -> User {
    User { invited_at: Some(ctx.now), confirmation_sent_at: Some(ctx.now), updated_at: ctx.now, ..user }
}

/// The audit row of an invitation by an administrator.
pub(crate) fn log(role: &str, user: &User) -> Value {
    audit::by_admin(role, user, audit::USER_INVITED, json!({}))
}
