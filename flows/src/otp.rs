//! `POST /otp` (`contract/core.md` §14.1): a code or a link by mail, or a code by SMS.

use domain::contact::Contact;
use domain::magic_link;
use domain::otp::{Request, by_sms, check, named};
use domain::refusal::Refusal;
use domain::sms::{Channel, Sent};

use crate::confirmation::Applicant;
use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Limited};
use crate::{captcha, discretion, passwordless};

/// Sends a code to a contact; an unknown one signs up with it, unless the request says not to.
pub async fn otp(ctx: &Context, request: Request) -> Result<Sent> {
    limits::per_address(ctx, Limited::Otp).await?;
    captcha::check(ctx, &request.captcha).await?;
    let challenge = check(&request)?;
    let contact = named(&request)?;
    if !request.create_user && !discretion::is_on(ctx) {
        refuse_unknown(ctx, contact.as_ref(), &request.channel).await?;
    }
    let (contact, challenge, channel) = if request.email.is_empty() {
        let (phone, channel) = by_sms(&request, ctx.policy())?;
        (Contact::Phone(phone), None, channel)
    } else {
        let link = magic_link::Request { email: request.email, ..magic_link::Request::default() };
        let (email, _) = magic_link::check(&link, ctx.policy())?;
        (Contact::Email(email), challenge.as_ref(), Channel::default())
    };
    let applicant = Applicant { contact: &contact, challenge, channel, data: &request.data };
    passwordless::send(ctx, applicant, request.create_user).await
}

/// A contact that may not become an account hears so first, also where its kind is switched off or the channel is none; where
/// nothing else is wrong, the account is looked up anyway.
async fn refuse_unknown(ctx: &Context, contact: Option<&Contact>, channel: &str) -> Result<()> {
    let contact = contact.ok_or(Refusal::OtpDisabled)?;
    let policy = ctx.policy();
    let is_on = match contact {
        Contact::Email(_) => policy.external_email_enabled && policy.external_email_magic_link_enabled,
        Contact::Phone(_) => policy.external_phone_enabled && Channel::parse(channel, policy).is_ok(),
    };
    if !is_on && passwordless::find(ctx, contact).await?.is_none() {
        return Err(Refusal::OtpDisabled.into());
    }
    Ok(())
}
