//! `POST /resend` (`contract/core.md` §14.5): a message that is still awaited goes out once more, with a new code.

use domain::resend::{Kind, Request, Wish, check};
use domain::sms::{Channel, Sent};
use domain::user::User;
use outbound::mails;
use serde_json::json;

use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Attempt, Limited};
use crate::message::{self, Prepared, Promised, SmsPurpose};
use crate::{audit, captcha, discretion};

/// The provider type that flows of repeated confirmations are stored with (`contract/core.md` §9).
const PROVIDER_TYPE: &str = "email/signup";

/// Sends the message again. Says nothing where nobody waits for one.
pub async fn resend(ctx: &Context, request: Request) -> Result<Sent> {
    limits::per_address(ctx, Limited::Resend).await?;
    captcha::check(ctx, &request.captcha).await?;
    let wish = check(&request, ctx.policy())?;
    limits::attempt(ctx, Attempt::Resend(&wish.contact)).await?;
    discretion::cool_down(ctx, &wish.contact).await?;
    let found = ctx.store().find_account(&wish.contact, ctx.asked_audience()).await?;
    match found.filter(|found| wish.kind.is_awaited(&found.user)) {
        Some(found) => discretion::quiet(ctx, send(ctx, &wish, &found.user).await),
        None => {
            discretion::pretend(ctx, mails::Kind::Confirmation, &wish.contact).await?;
            Ok(Sent::default())
        }
    }
}

async fn send(ctx: &Context, wish: &Wish, user: &User) -> Result<Sent> {
    let prepared = prepare(ctx, wish, user).await?;
    let prepared = match wish.kind {
        Kind::SignUp => prepared.with_audit(ctx, audit::by_user(user, audit::USER_CONFIRMATION_REQUESTED, json!({}))),
        Kind::Sms => prepared.with_audit(ctx, audit::by_user(user, audit::USER_RECOVERY_REQUESTED, json!({}))),
        Kind::EmailChange | Kind::PhoneChange => prepared,
    };
    match prepared.promise(ctx).await? {
        Promised::Sent(sent) => Ok(sent),
        Promised::Changed(now) if wish.kind.is_awaited(&now) => Err(message::changed()),
        // Answered in this very moment: nobody waits for it any more.
        Promised::Changed(_) | Promised::Gone => Ok(Sent::default()),
    }
}

async fn prepare(ctx: &Context, wish: &Wish, user: &User) -> Result<Prepared> {
    let challenge = wish.challenge.as_ref();
    let sms = Channel::default();
    match wish.kind {
        Kind::SignUp => {
            let prepared = message::mail(ctx, mails::Kind::Confirmation, user, challenge).await?;
            Ok(prepared.with_provider_type(PROVIDER_TYPE))
        }
        Kind::EmailChange => message::email_change(ctx, user, &user.email_change, challenge).await,
        Kind::Sms => {
            let phone = user.phone.as_deref().unwrap_or_default();
            message::sms(ctx, SmsPurpose::Confirmation, user, phone, sms).await
        }
        Kind::PhoneChange => message::sms(ctx, SmsPurpose::PhoneChange, user, &user.phone_change, sms).await,
    }
}
