//! `GET /reauthenticate` (`contract/core.md` §16.3): a nonce to the address, else to the number.

use domain::contact::Contact;
use domain::reauthenticate::{Request, contact};
use domain::refusal::Refusal;
use domain::sms::{Channel, Sent};
use outbound::mails::Kind;
use serde_json::json;

use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Attempt};
use crate::message::{self, SmsPurpose};
use crate::{audit, authenticate};

/// Sends the bearer a nonce.
pub async fn reauthenticate(ctx: &Context, request: Request) -> Result<Sent> {
    let user = authenticate::user(ctx, &request.bearer).await?.user;
    let contact = contact(&user)?;
    limits::attempt(ctx, Attempt::Reauthentication(&contact)).await?;
    let prepared = match &contact {
        Contact::Email(_) => message::mail(ctx, Kind::Reauthentication, &user, None).await?,
        Contact::Phone(phone) => {
            message::sms(ctx, SmsPurpose::Reauthentication, &user, phone, Channel::default()).await?
        }
    };
    let requested = audit::by_user(&user, audit::USER_REAUTHENTICATE_REQUESTED, json!({}));
    let sent = prepared.with_audit(ctx, requested).promise(ctx).await?.or_busy()?;
    Ok(sent.ok_or(Refusal::BearerUserNotFound)?)
}
