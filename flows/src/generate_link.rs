//! `POST /admin/generate_link` (`contract/core.md` §17.8): what a mail would hold, for an administrator to deliver. Nothing is
//! sent, and no limit applies.

use domain::contact::Contact;
use domain::generate_link::{Kind, Link, Request, decide};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::user::User;
use domain::{email, metadata, redirect};
use outbound::mails;
use serde_json::json;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::invite::{self, new_account};
use crate::message::{self, Prepared, Unsent};
use crate::new_user::{self, Account};
use crate::one_time::Fresh;
use crate::user_update::taken;
use crate::{audit, authenticate, hooks, password_strength};

/// Makes a link. Its token is what stands in the link, also for a change of address.
pub async fn generate_link(ctx: &Context, request: Request) -> Result<Link> {
    let role = authenticate::admin(ctx, &request.bearer).await?;
    let email = email::validate(&request.email)?;
    let redirect_to = redirect::allowed(&request.redirect_to, ctx.policy());
    let redirect_to = redirect_to.unwrap_or_else(|| message::redirect_target(ctx));
    let contact = Contact::Email(email.clone());
    let found = ctx.store().find_credentials(&contact, ctx.asked_audience()).await?.map(|found| found.user);
    let kind = decide(&request.kind, found.as_ref(), ctx.policy())?;
    match found {
        Some(user) => {
            let unsent = prepare(ctx, kind, &request, &user, &email, &redirect_to).await?;
            for_existing(ctx, kind, &role, &request, &user, unsent, redirect_to).await
        }
        None => {
            let account = account(ctx, kind, &request, &email).await?;
            let user = account.preview(ctx.now);
            let unsent = prepare(ctx, kind, &request, &user, &email, &redirect_to).await?;
            for_new(ctx, kind, &role, account, unsent, redirect_to).await
        }
    }
}

async fn prepare(
    ctx: &Context,
    kind: Kind,
    request: &Request,
    user: &User,
    email: &str,
    redirect_to: &str,
) -> Result<Unsent> {
    let mail = match kind {
        Kind::SignUp => mails::Kind::Confirmation,
        Kind::Invite => mails::Kind::Invite,
        Kind::MagicLink => mails::Kind::MagicLink,
        Kind::Recovery => mails::Kind::Recovery,
        Kind::EmailChangeCurrent | Kind::EmailChangeNew => mails::Kind::EmailChange,
    };
    if !matches!(kind, Kind::EmailChangeCurrent | Kind::EmailChangeNew) {
        return message::unsent(ctx, mail, user, email, None, redirect_to);
    }
    let new_email = email::validate(&request.new_email)?;
    let holder = ctx.store().find_account(&Contact::Email(new_email.clone()), &user.aud).await?;
    if holder.is_some_and(|holder| holder.user.id != user.id) {
        return Err(Refusal::EmailExists.into());
    }
    let to_current = kind == Kind::EmailChangeCurrent;
    let address = if to_current { email } else { &new_email };
    Ok(message::unsent(ctx, mail, user, address, None, redirect_to)?.of_change(&new_email, to_current))
}

/// The account that the link is to confirm. A magic link for nobody makes one whose password nobody knows.
async fn account(ctx: &Context, kind: Kind, request: &Request, email: &str) -> Result<Account> {
    let data = request.data.clone().unwrap_or_default();
    let mut account = new_account(ctx, email, &data);
    if kind == Kind::SignUp {
        account.user.password_hash = Some(password(ctx, request).await?);
    }
    account.may_be_made(ctx, &data).await?;
    Ok(account)
}

async fn password(ctx: &Context, request: &Request) -> Result<Secret<String>> {
    if request.kind != Kind::SignUp.as_str() {
        return Ok(new_user::unknown_password(ctx));
    }
    if request.password.expose().is_empty() {
        return Err(Refusal::LinkPasswordRequired.into());
    }
    password_strength::accept(ctx, &request.password, &[&request.email]).await?;
    ctx.hash_password(&request.password).await
}

async fn for_new(
    ctx: &Context,
    kind: Kind,
    role: &str,
    account: Account,
    unsent: Unsent,
    redirect_to: String,
) -> Result<Link> {
    let Unsent { prepared, fresh, link } = unsent;
    let user = account.preview(ctx.now);
    let prepared = logged(ctx, prepared, kind, role, &user);
    prepared.promise_new(ctx, account).await.map_err(taken(Refusal::InviteEmailExists))?;
    let invited_at = (kind == Kind::Invite).then_some(ctx.now);
    let user = User { confirmation_sent_at: Some(ctx.now), invited_at, ..user };
    hooks::after_user_created(ctx, &user).await?;
    Ok(answer(kind, user, fresh, link, redirect_to))
}

async fn for_existing(
    ctx: &Context,
    kind: Kind,
    role: &str,
    request: &Request,
    user: &User,
    unsent: Unsent,
    redirect_to: String,
) -> Result<Link> {
    let Unsent { prepared, fresh, link } = unsent;
    let mut tx = ctx.store().begin().await?;
    let locked = tx.users().lock(user.id).await?.ok_or(Refusal::UserNotFound)?.user;
    decide(&request.kind, Some(&locked), ctx.policy())?;
    let prepared = logged(ctx, prepared, kind, role, &locked);
    let prepared = match &request.data {
        Some(data) if kind == Kind::SignUp => prepared.with_metadata(metadata::merged(&locked.user_metadata, data)),
        _ => prepared,
    };
    prepared.write(ctx, &mut tx, &locked).await?;
    let user = tx.users().read(user.id).await?.ok_or_else(|| Error::fault("a locked user is gone"))?;
    tx.commit().await?;
    Ok(answer(kind, user, fresh, link, redirect_to))
}

fn answer(kind: Kind, user: User, fresh: Fresh, action_link: Secret<String>, redirect_to: String) -> Link {
    Link {
        user,
        action_link,
        email_otp: fresh.code,
        hashed_token: fresh.link_token,
        verification_type: kind.as_str().to_owned(),
        redirect_to,
    }
}

fn logged(ctx: &Context, prepared: Prepared, kind: Kind, role: &str, user: &User) -> Prepared {
    match kind {
        Kind::Invite => prepared.with_audit(ctx, invite::log(role, user)),
        Kind::MagicLink | Kind::Recovery => {
            prepared.with_audit(ctx, audit::by_user(user, audit::USER_RECOVERY_REQUESTED, json!({})))
        }
        Kind::SignUp | Kind::EmailChangeCurrent | Kind::EmailChangeNew => prepared,
    }
}
