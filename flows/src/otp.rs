//! `POST /otp` (`contract/core.md` §14.1): a code or a link by mail, or a code by SMS.

use domain::contact::Contact;
use domain::magic_link;
use domain::otp::{Request, by_sms, check, named};
use domain::refusal::Refusal;
use domain::sms::{Channel, Sent};
use domain::user::User;
use outbound::mails::Kind;
use serde_json::json;

use crate::confirmation::{self, Applicant, SignUpError};
use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Attempt, Limited};
use crate::magic_link::{by_mail, make_confirmed};
use crate::message::{self, SmsPurpose};
use crate::new_user::{self, Proven};
use crate::signup::is_confirmed_at_once;
use crate::{audit, captcha, discretion};

/// Sends a code to a contact; an unknown one signs up with it, unless the request says not to.
pub async fn otp(ctx: &Context, request: Request) -> Result<Sent> {
    limits::per_address(ctx, Limited::Otp).await?;
    captcha::check(ctx, &request.captcha).await?;
    let challenge = check(&request)?;
    let contact = named(&request)?;
    if !request.create_user && !discretion::is_on(ctx) {
        refuse_unknown(ctx, contact.as_ref(), &request.channel).await?;
    }
    if !request.email.is_empty() {
        let link = magic_link::Request { email: request.email, ..magic_link::Request::default() };
        let (email, _) = magic_link::check(&link, ctx.policy())?;
        by_mail(ctx, email, challenge.as_ref(), &request.data, request.create_user).await?;
        return Ok(Sent::default());
    }
    let (phone, channel) = by_sms(&request, ctx.policy())?;
    let contact = Contact::Phone(phone);
    limits::attempt(ctx, Attempt::OtpRequest(&contact)).await?;
    discretion::cool_down(ctx, &contact).await?;
    let applicant = Applicant { contact: &contact, challenge: None, channel, data: &request.data };
    discretion::quiet(ctx, send_or_create(ctx, applicant, request.create_user).await)
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
    if !is_on && find(ctx, contact).await?.is_none() {
        return Err(Refusal::OtpDisabled.into());
    }
    Ok(())
}

async fn send_or_create(ctx: &Context, applicant: Applicant<'_>, create: bool) -> Result<Sent> {
    let refusal = match find(ctx, applicant.contact).await? {
        Some(user) => return send(ctx, &user, applicant).await,
        None if !create => Refusal::OtpDisabled,
        None if ctx.policy().disable_signup => Refusal::SignupDisabled,
        None => match make(ctx, applicant).await {
            Ok(sent) => return Ok(sent),
            Err(SignUpError::Other(error)) => return Err(error),
            Err(SignUpError::Taken) => {
                let user = find(ctx, applicant.contact).await?.ok_or(Refusal::SignupConflict)?;
                return send(ctx, &user, applicant).await;
            }
        },
    };
    refuse(ctx, applicant.contact, refusal).await
}

async fn find(ctx: &Context, contact: &Contact) -> Result<Option<User>> {
    Ok(ctx.store().find_account(contact, ctx.audience()).await?.map(|found| found.user))
}

async fn send(ctx: &Context, user: &User, applicant: Applicant<'_>) -> Result<Sent> {
    // Where numbers are confirmed without asking, the code itself confirms: nothing is proven before it is typed.
    if user.phone_confirmed_at.is_some() || is_confirmed_at_once(ctx, applicant.contact) {
        return send_code(ctx, user, applicant.channel).await;
    }
    if ctx.policy().disable_signup {
        return refuse(ctx, applicant.contact, Refusal::SignupDisabled).await;
    }
    confirmation::send_again(ctx, user, applicant).await?;
    Ok(Sent::default())
}

async fn refuse(ctx: &Context, contact: &Contact, refusal: Refusal) -> Result<Sent> {
    if !discretion::is_on(ctx) {
        return Err(refusal.into());
    }
    discretion::pretend(ctx, Kind::MagicLink, contact).await?;
    Ok(Sent::default())
}

async fn make(ctx: &Context, applicant: Applicant<'_>) -> std::result::Result<Sent, SignUpError> {
    let hash = new_user::unknown_password(ctx);
    if !is_confirmed_at_once(ctx, applicant.contact) {
        confirmation::sign_up(ctx, applicant, hash).await?;
        return Ok(Sent::default());
    }
    let account = new_user::account(ctx, applicant.contact, applicant.data, Some(hash), Proven::Now);
    let user = make_confirmed(ctx, account, applicant).await?;
    Ok(send_code(ctx, &user, applicant.channel).await?)
}

/// Sends a code that signs `user` in by his number.
pub(crate) async fn send_code(ctx: &Context, user: &User, channel: Channel) -> Result<Sent> {
    let phone = user.phone.clone().unwrap_or_default();
    let prepared = message::sms(ctx, SmsPurpose::Confirmation, user, &phone, channel).await?;
    let traits = json!({ "channel": channel.as_str() });
    let requested = audit::by_user(user, audit::USER_RECOVERY_REQUESTED, traits);
    let sent = prepared.with_audit(ctx, requested).promise(ctx).await?.or_busy()?;
    Ok(sent.unwrap_or_default())
}
