//! Accounts that must prove their contact first: the message that asks for it, and what happens when it is answered.

use async_trait::async_trait;
use domain::contact::Contact;
use domain::ids::UserId;
use domain::pkce::Challenge;
use domain::refusal::{HookRefusal, Refusal};
use domain::secret::Secret;
use domain::sms::Channel;
use domain::tokens::IssuedSession;
use domain::user::{Metadata, User};
use outbound::mails::Kind;
use serde_json::json;
use storage::{StoreError, Tx, UserChanges};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::{self, Prepared, SmsPurpose};
use crate::new_user::{self, Proven};
use crate::settle::{Done, Given, Proving, Settled, Step, open, settle};
use crate::{audit, change_contact, hooks};

/// The method of a session that a password opens.
const METHOD: &str = "password";

/// Somebody who asks for an account, or for another message to one that waits for its confirmation.
#[derive(Clone, Copy)]
pub(crate) struct Applicant<'a> {
    /// Address or number.
    pub(crate) contact: &'a Contact,
    /// The challenge of a PKCE flow.
    pub(crate) challenge: Option<&'a Challenge>,
    /// How a number is reached.
    pub(crate) channel: Channel,
    /// Metadata of a new account.
    pub(crate) data: &'a Metadata,
}

/// Why an account could not be made.
pub(crate) enum SignUpError {
    /// Somebody was faster.
    Taken,
    /// Anything else.
    Other(Error),
}

impl From<StoreError> for SignUpError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Taken,
            other => Self::Other(other.into()),
        }
    }
}

impl From<Error> for SignUpError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Makes an unconfirmed account and sends its confirmation, all or nothing: where the message cannot be sent there is no
/// account.
pub(crate) async fn sign_up(
    ctx: &Context,
    applicant: Applicant<'_>,
    hash: Secret<String>,
) -> std::result::Result<User, SignUpError> {
    let account = new_user::account(ctx, applicant.contact, applicant.data, Some(hash), Proven::Later);
    account.may_be_made(ctx, applicant.data).await?;
    let user = account.preview(ctx.now);
    let prepared = prepare(ctx, &user, applicant).await?;
    prepared.promise_new(ctx, account).await?;
    let user = User { confirmation_sent_at: Some(ctx.now), ..user };
    after_sign_up(ctx, &user).await?;
    Ok(user)
}

/// Sends the confirmation of an account again, unless one went out a moment ago. The account stays as it is.
pub(crate) async fn send_again(ctx: &Context, user: &User, applicant: Applicant<'_>) -> Result<User> {
    let prepared = prepare(ctx, user, applicant).await?;
    prepared.promise(ctx).await?.or_busy()?.ok_or(Refusal::SignupConflict)?;
    let user = User { confirmation_sent_at: Some(ctx.now), updated_at: ctx.now, ..user.clone() };
    after_sign_up(ctx, &user).await?;
    Ok(user)
}

async fn prepare(ctx: &Context, user: &User, applicant: Applicant<'_>) -> Result<Prepared> {
    let prepared = match applicant.contact {
        Contact::Email(_) => message::mail(ctx, Kind::Confirmation, user, applicant.challenge).await?,
        Contact::Phone(phone) => message::sms(ctx, SmsPurpose::Confirmation, user, phone, applicant.channel).await?,
    };
    let traits = json!({ "provider": applicant.contact.provider() });
    Ok(prepared.with_audit(ctx, audit::by_user(user, audit::USER_CONFIRMATION_REQUESTED, traits)))
}

/// The hook after a sign-up; its own words stay in the log (`contract/platform.md` §4.5).
async fn after_sign_up(ctx: &Context, user: &User) -> Result<()> {
    match hooks::after_user_created(ctx, user).await {
        Err(Error::Refused(refusal)) => {
            tracing::warn!(?refusal, "hook after a sign-up failed");
            Err(HookRefusal::AfterUserCreated.into())
        }
        result => result,
    }
}

/// Confirms an account whose password the request has proven, in a project that confirms without a message, and signs it in.
/// `verified` is the hash the password was found to match.
pub(crate) async fn confirm_by_password(
    ctx: &Context,
    user: UserId,
    contact: &Contact,
    verified: Secret<String>,
) -> Result<IssuedSession> {
    match settle(ctx, &ByPassword { user, contact: contact.clone(), verified }).await? {
        Settled::Session(session) => Ok(*session),
        Settled::Code(_) | Settled::Plain | Settled::HalfDone => Err(Error::fault("a sign-up without tokens")),
    }
}

struct ByPassword {
    user: UserId,
    contact: Contact,
    verified: Secret<String>,
}

#[async_trait]
impl Proving for ByPassword {
    async fn run(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step> {
        let locked = tx.users().lock(self.user).await?.ok_or(Refusal::UserAlreadyExists)?;
        let user = &locked.user;
        let usable = user.deleted_at.is_none() && !user.is_banned(ctx.now);
        if !usable || locked.password_hash.as_ref() != Some(&self.verified) {
            return Err(Refusal::UserAlreadyExists.into());
        }
        let mut changes = UserChanges {
            confirmation_token: Some(String::new()),
            is_anonymous: Some(false),
            last_sign_in_at: Some(Some(ctx.now)),
            ..UserChanges::default()
        };
        match &self.contact {
            Contact::Email(_) => change_contact::confirm_email(ctx, user, &mut changes),
            Contact::Phone(_) => changes.phone_confirmed_at = Some(Some(ctx.now)),
        }
        tx.users().update(user.id, changes, ctx.now).await?;
        tx.one_time_tokens().clear(user.id).await?;
        let traits = json!({ "provider": self.contact.provider() });
        ctx.write_audit(tx, audit::by_user(user, audit::USER_SIGNED_UP, traits.clone())).await?;
        ctx.write_audit(tx, audit::by_user(user, audit::LOGIN, traits)).await?;
        let end = open(ctx, tx, given, user, METHOD).await?;
        let user = tx.users().read(user.id).await?.ok_or(Refusal::UserAlreadyExists)?;
        Ok(Step::Done(Box::new(Done { end, user, ended: Vec::new(), notices: Vec::new() })))
    }
}
