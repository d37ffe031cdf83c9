//! What `/otp` and `/magiclink` have in common (`contract/core.md` §14.1 and §14.2): a known contact gets what signs in, an
//! unknown one signs up with it.

use domain::contact::Contact;
use domain::refusal::Refusal;
use domain::sms::{Channel, Sent};
use domain::user::User;
use outbound::mails::Kind;
use serde_json::json;
use storage::SignUp;

use crate::confirmation::{self, Applicant, SignUpError};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Attempt};
use crate::message::{self, SmsPurpose};
use crate::new_user::{self, Proven};
use crate::signup::is_confirmed_at_once;
use crate::{audit, discretion, recover};

/// Sends a link or a code that signs in, or the confirmation of an account that waits for it or, with `create`, is made now.
pub(crate) async fn send(ctx: &Context, applicant: Applicant<'_>, create: bool) -> Result<Sent> {
    limits::attempt(ctx, Attempt::OtpRequest(applicant.contact)).await?;
    discretion::cool_down(ctx, applicant.contact).await?;
    discretion::quiet(ctx, send_or_create(ctx, applicant, create).await)
}

async fn send_or_create(ctx: &Context, applicant: Applicant<'_>, create: bool) -> Result<Sent> {
    let refusal = match find(ctx, applicant.contact).await? {
        Some(user) => return send_to(ctx, &user, applicant).await,
        None if !create => Refusal::OtpDisabled,
        None if ctx.policy().disable_signup => Refusal::SignupDisabled,
        None => match make(ctx, applicant).await {
            Ok(sent) => return Ok(sent),
            Err(SignUpError::Other(Error::Refused(Refusal::QuotaFull(quota)))) => Refusal::QuotaFull(quota),
            Err(SignUpError::Other(error)) => return Err(error),
            Err(SignUpError::Taken) => {
                let user = find(ctx, applicant.contact).await?.ok_or(Refusal::SignupConflict)?;
                return send_to(ctx, &user, applicant).await;
            }
        },
    };
    refuse(ctx, applicant.contact, refusal).await
}

/// The account that gets messages to this contact.
pub(crate) async fn find(ctx: &Context, contact: &Contact) -> Result<Option<User>> {
    let found = ctx.store().find_account(contact, ctx.audience()).await?;
    // An address may also name an account by an identity of it, which can have none itself.
    Ok(found.map(|found| found.user).filter(|user| contact.email().is_none() || user.email.is_some()))
}

async fn send_to(ctx: &Context, user: &User, applicant: Applicant<'_>) -> Result<Sent> {
    let confirmed_at = match applicant.contact {
        Contact::Email(_) => user.email_confirmed_at,
        Contact::Phone(_) => user.phone_confirmed_at,
    };
    // Where contacts are confirmed without asking, the link or code itself confirms: nothing is proven before it is used.
    if confirmed_at.is_some() || is_confirmed_at_once(ctx, applicant.contact) {
        return send_key(ctx, user, applicant).await;
    }
    if ctx.policy().disable_signup {
        return refuse(ctx, applicant.contact, Refusal::SignupDisabled).await;
    }
    confirmation::send_again(ctx, user, applicant).await?;
    Ok(Sent::default())
}

/// Sends the link or code that signs `user` in.
async fn send_key(ctx: &Context, user: &User, applicant: Applicant<'_>) -> Result<Sent> {
    match applicant.contact {
        Contact::Email(_) => {
            recover::send(ctx, Kind::MagicLink, user, applicant.challenge).await.map(|()| Sent::default())
        }
        Contact::Phone(_) => send_code(ctx, user, applicant.channel).await,
    }
}

async fn send_code(ctx: &Context, user: &User, channel: Channel) -> Result<Sent> {
    let phone = user.phone.clone().unwrap_or_default();
    let prepared = message::sms(ctx, SmsPurpose::Confirmation, user, &phone, channel).await?;
    let traits = json!({ "channel": channel.as_str() });
    let requested = audit::by_user(user, audit::USER_RECOVERY_REQUESTED, traits);
    let sent = prepared.with_audit(ctx, requested).promise(ctx).await?.or_busy()?;
    Ok(sent.unwrap_or_default())
}

/// The refusal, or the answer of everybody else where nobody is to learn of it.
async fn refuse(ctx: &Context, contact: &Contact, refusal: Refusal) -> Result<Sent> {
    if !discretion::is_on(ctx) {
        return Err(refusal.into());
    }
    discretion::pretend(ctx, Kind::MagicLink, contact).await?;
    Ok(Sent::default())
}

/// Makes an account that is entered by link or code; nobody knows its password.
async fn make(ctx: &Context, applicant: Applicant<'_>) -> std::result::Result<Sent, SignUpError> {
    let hash = new_user::unknown_password(ctx);
    if !is_confirmed_at_once(ctx, applicant.contact) {
        confirmation::sign_up(ctx, applicant, hash).await?;
        return Ok(Sent::default());
    }
    let account = new_user::account(ctx, applicant.contact, applicant.data, Some(hash), Proven::Now);
    let user = make_confirmed(ctx, account, applicant).await?;
    Ok(send_key(ctx, &user, applicant).await?)
}

/// Makes an account that counts as confirmed, without a session.
async fn make_confirmed(
    ctx: &Context,
    account: new_user::Account,
    applicant: Applicant<'_>,
) -> std::result::Result<User, SignUpError> {
    account.may_be_made(ctx, applicant.data).await?;
    let traits = json!({ "provider": applicant.contact.provider() });
    let entry = ctx.audit(audit::by_user(&account.user, audit::USER_SIGNED_UP, traits));
    let sign_up = SignUp {
        user: account.user,
        identities: account.identities,
        session: None,
        audit: entry.into_iter().collect(),
        now: ctx.now,
    };
    Ok(ctx.store().sign_up(sign_up).await?.user)
}
