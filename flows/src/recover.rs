//! `POST /recover` (`contract/core.md` §14.4): two statements, and what a hook takes between them.

use domain::contact::Contact;
use domain::pkce::Challenge;
use domain::recover::Request;
use domain::user::User;
use outbound::mails::Kind;
use serde_json::json;

use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Attempt, Limited};
use crate::{audit, captcha, discretion, message};

/// Mails a way back into the account with this address. Says nothing where there is none.
pub async fn recover(ctx: &Context, request: Request) -> Result<()> {
    limits::per_address(ctx, Limited::Recover).await?;
    captcha::check(ctx, &request.captcha).await?;
    let (email, challenge) = domain::recover::check(&request, ctx.policy())?;
    let contact = Contact::Email(email);
    limits::attempt(ctx, Attempt::Recovery(&contact)).await?;
    discretion::cool_down(ctx, &contact).await?;
    let found = ctx.store().find_account(&contact, ctx.asked_audience()).await?;
    match found.filter(|found| found.user.email.is_some()) {
        Some(found) => discretion::quiet(ctx, send(ctx, Kind::Recovery, &found.user, challenge.as_ref()).await),
        None => discretion::pretend(ctx, Kind::Recovery, &contact).await,
    }
}

/// Mails a link of `kind`, recovery or magic link, that signs `user` in.
pub(crate) async fn send(ctx: &Context, kind: Kind, user: &User, challenge: Option<&Challenge>) -> Result<()> {
    let prepared = message::mail(ctx, kind, user, challenge).await?;
    let requested = audit::by_user(user, audit::USER_RECOVERY_REQUESTED, json!({}));
    // Gone meanwhile: as if it had never been there.
    prepared.with_audit(ctx, requested).promise(ctx).await?.or_busy()?;
    Ok(())
}
