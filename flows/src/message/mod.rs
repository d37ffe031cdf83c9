//! Messages with a code or a link, in two steps: what a message needs is prepared while no connection is held (limits, token,
//! a hook or an SMS provider that may take its time), then written in the transaction that promises it
//! (`contract/core.md` §18.1, §18.2). A message that cannot be sent leaves nothing behind.

mod address;
mod email;
mod factor;
mod pace;
mod sms;

pub(crate) use address::must_be_authorised;
pub(crate) use email::{Unsent, decoy, email_change, mail, redirect_target, unsent};
pub(crate) use factor::{factor_checker, factor_code};
pub(crate) use sms::{SmsPurpose, checker, is_right, sms};

use domain::contact::Contact;
use domain::sms::Sent;
use domain::user::{Metadata, User};
use serde_json::Value;
use storage::{AuditEntry, Expected, PromiseMessage, SentAt, StoreError, Tx};

use crate::context::Context;
use crate::discretion;
use crate::error::{Error, Result};
use crate::new_user::Account;
use pace::Pace;

/// A message that is ready for one user.
#[derive(Clone)]
pub(crate) struct Prepared {
    pace: Option<Pace>,
    promise: PromiseMessage,
    sent: Sent,
}

/// What became of a message.
pub(crate) enum Promised {
    /// It goes out.
    Sent(Sent),
    /// The account is not the one any more that it was prepared for, but this.
    Changed(Box<User>),
    /// The account is gone.
    Gone,
}

impl Promised {
    /// The answer where only a deleted account is expected; anything else is worth another try.
    pub(crate) fn or_busy(self) -> Result<Option<Sent>> {
        match self {
            Self::Sent(sent) => Ok(Some(sent)),
            Self::Gone => Ok(None),
            Self::Changed(_) => Err(changed()),
        }
    }
}

/// The account changed while a message was prepared for it.
pub(crate) fn changed() -> Error {
    Error::Busy("the account changed while a message was prepared for it".into())
}

impl Prepared {
    fn of(ctx: &Context, user: &User, sent: SentAt) -> Self {
        let promise = PromiseMessage {
            user: user.id,
            expected: Some(Expected::from(user)),
            sent,
            not_sent_after: None,
            invited: false,
            email_change: None,
            phone_change: None,
            user_metadata: None,
            tokens: Vec::new(),
            ended: Vec::new(),
            flow: None,
            audit: Vec::new(),
            outbox: Vec::new(),
            now: ctx.now,
        };
        Self { pace: None, promise, sent: Sent::default() }
    }

    fn paced(mut self, ctx: &Context, pace: Pace) -> Self {
        self.promise.not_sent_after = Some(pace.latest(ctx.now));
        self.pace = Some(pace);
        self
    }

    /// The flow state, if there is one, is stored with this provider type.
    pub(crate) fn with_provider_type(mut self, provider_type: &str) -> Self {
        if let Some(flow) = &mut self.promise.flow {
            flow.provider_type = provider_type.to_owned();
        }
        self
    }

    /// The account's metadata changes with the message.
    pub(crate) fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.promise.user_metadata = Some(metadata);
        self
    }

    /// An audit row is written with the message, unless the project keeps none.
    pub(crate) fn with_audit(mut self, ctx: &Context, payload: Value) -> Self {
        let entry: Option<AuditEntry> = ctx.audit(payload);
        self.promise.audit.extend(entry);
        self
    }

    /// Writes all of it and has it delivered, unless somebody was faster: the account must be as it was, and its cool-down
    /// over.
    pub(crate) async fn promise(self, ctx: &Context) -> Result<Promised> {
        let Self { pace, promise, sent: answer } = self;
        let (user, to_deliver) = (promise.user, !promise.outbox.is_empty());
        if ctx.store().promise_message(promise).await? {
            if to_deliver {
                sent(ctx);
            }
            return Ok(Promised::Sent(answer));
        }
        let Some(user) = ctx.store().find_user(user).await?.filter(|user| user.deleted_at.is_none()) else {
            return Ok(Promised::Gone);
        };
        if let Some(pace) = pace {
            pace.check(&user, ctx.now)?;
        }
        Ok(Promised::Changed(Box::new(user)))
    }

    /// Makes the account it was prepared for, with the message; a contact that is taken is a conflict.
    pub(crate) async fn promise_new(self, ctx: &Context, account: Account) -> std::result::Result<(), StoreError> {
        let to_deliver = !self.promise.outbox.is_empty();
        ctx.store().sign_up_with_message(account.user, account.identities, self.promise).await?;
        if to_deliver {
            sent(ctx);
        }
        Ok(())
    }

    /// Writes it inside a transaction that has `locked` the user. The caller commits and calls [`sent`].
    pub(crate) async fn write(self, ctx: &Context, tx: &mut Tx, locked: &User) -> Result<Sent> {
        if let Some(pace) = &self.pace {
            pace.check(locked, ctx.now)?;
        }
        let as_prepared = self.promise.expected == Some(Expected::from(locked));
        let promise = PromiseMessage { expected: None, not_sent_after: None, ..self.promise };
        if !as_prepared || !tx.promise_message(promise).await? {
            return Err(changed());
        }
        Ok(self.sent)
    }
}

/// Whether somebody else has `contact`.
pub(crate) async fn is_taken(ctx: &Context, user: &User, contact: &Contact, audience: &str) -> Result<bool> {
    let found = ctx.store().find_account(contact, audience).await?;
    Ok(found.is_some_and(|found| found.user.id != user.id))
}

/// Whether whoever has `contact` must not get what would make it `user`'s. Only where the project does not tell: elsewhere
/// such a change is refused.
async fn is_withheld(ctx: &Context, user: &User, contact: &Contact) -> Result<bool> {
    Ok(discretion::is_on(ctx) && is_taken(ctx, user, contact, &user.aud).await?)
}

/// Has the outbox delivered; to be called after the commit.
pub(crate) fn sent(ctx: &Context) {
    ctx.services.outbox.wake(&ctx.tenant);
}
