//! `POST /magiclink` (`contract/core.md` §14.2), and `POST /otp` with an address.

use domain::contact::Contact;
use domain::magic_link::Request;
use domain::pkce::Challenge;
use domain::refusal::Refusal;
use domain::sms::Channel;
use domain::user::{Metadata, User};
use outbound::mails::Kind;
use serde_json::json;
use storage::SignUp;

use crate::confirmation::{self, Applicant, SignUpError};
use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Attempt, Limited};
use crate::new_user::{self, Proven};
use crate::signup::is_confirmed_at_once;
use crate::{audit, captcha, discretion, recover};

/// Mails a link that signs in; an unknown address signs up with it.
pub async fn magic_link(ctx: &Context, request: Request) -> Result<()> {
    limits::per_address(ctx, Limited::MagicLink).await?;
    captcha::check(ctx, &request.captcha).await?;
    let (email, challenge) = domain::magic_link::check(&request, ctx.policy())?;
    by_mail(ctx, email, challenge.as_ref(), &request.data, true).await
}

/// Mails `email` a magic link, or the confirmation of an account that waits for it or is made now.
pub(crate) async fn by_mail(
    ctx: &Context,
    email: String,
    challenge: Option<&Challenge>,
    data: &Metadata,
    create: bool,
) -> Result<()> {
    let contact = Contact::Email(email);
    limits::attempt(ctx, Attempt::OtpRequest(&contact)).await?;
    discretion::cool_down(ctx, &contact).await?;
    let applicant = Applicant { contact: &contact, challenge, channel: Channel::default(), data };
    discretion::quiet(ctx, send_or_create(ctx, applicant, create).await)
}

async fn send_or_create(ctx: &Context, applicant: Applicant<'_>, create: bool) -> Result<()> {
    let refusal = match find(ctx, applicant.contact).await? {
        Some(user) => return send(ctx, &user, applicant).await,
        None if !create => Refusal::OtpDisabled,
        None if ctx.policy().disable_signup => Refusal::SignupDisabled,
        None => match make(ctx, applicant).await {
            Ok(()) => return Ok(()),
            Err(SignUpError::Other(error)) => return Err(error),
            Err(SignUpError::Taken) => {
                let user = find(ctx, applicant.contact).await?.ok_or(Refusal::SignupConflict)?;
                return send(ctx, &user, applicant).await;
            }
        },
    };
    refuse(ctx, applicant.contact, refusal).await
}

/// The account that gets mail at this address.
async fn find(ctx: &Context, contact: &Contact) -> Result<Option<User>> {
    let found = ctx.store().find_account(contact, ctx.audience()).await?;
    Ok(found.map(|found| found.user).filter(|user| user.email.is_some()))
}

async fn send(ctx: &Context, user: &User, applicant: Applicant<'_>) -> Result<()> {
    // Where addresses are confirmed without asking, the link itself confirms: nothing is proven before it is followed.
    if user.email_confirmed_at.is_some() || is_confirmed_at_once(ctx, applicant.contact) {
        return recover::send(ctx, Kind::MagicLink, user, applicant.challenge).await;
    }
    if ctx.policy().disable_signup {
        return refuse(ctx, applicant.contact, Refusal::SignupDisabled).await;
    }
    confirmation::send_again(ctx, user, applicant).await.map(drop)
}

/// The refusal, or the answer of everybody else where nobody is to learn of it.
async fn refuse(ctx: &Context, contact: &Contact, refusal: Refusal) -> Result<()> {
    if !discretion::is_on(ctx) {
        return Err(refusal.into());
    }
    discretion::pretend(ctx, Kind::MagicLink, contact).await
}

/// Makes an account that is entered by mail; nobody knows its password.
async fn make(ctx: &Context, applicant: Applicant<'_>) -> std::result::Result<(), SignUpError> {
    let hash = new_user::unknown_password(ctx);
    if !is_confirmed_at_once(ctx, applicant.contact) {
        return confirmation::sign_up(ctx, applicant, hash).await.map(drop);
    }
    let account = new_user::account(ctx, applicant.contact, applicant.data, Some(hash), Proven::Now);
    let user = make_confirmed(ctx, account, applicant).await?;
    Ok(recover::send(ctx, Kind::MagicLink, &user, applicant.challenge).await?)
}

/// Makes an account that counts as confirmed, without a session.
pub(crate) async fn make_confirmed(
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
