//! Keeping it to ourselves whether an account exists, where the project wants that (`security/advisor.md` §1.11): answers are
//! the same for known and unknown contacts, and so is the work behind them.

use std::time::Duration;

use domain::contact::Contact;
use domain::refusal::{HookRefusal, Refusal};
use outbound::mails::Kind;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::{limits, message};

/// Whether the project does not tell.
pub(crate) fn is_on(ctx: &Context) -> bool {
    ctx.policy().enumeration_protection
}

/// The cool-down of `contact`, known or not, for every message it could get. Only where the project does not tell: elsewhere
/// the columns of the account decide, and unknown contacts have none.
pub(crate) async fn cool_down(ctx: &Context, contact: &Contact) -> Result<()> {
    if !is_on(ctx) {
        return Ok(());
    }
    let every = match contact {
        Contact::Email(_) => ctx.policy().smtp_max_frequency,
        Contact::Phone(_) => ctx.policy().sms.max_frequency,
    };
    let key = limits::key_of(ctx, "cool-down", contact);
    let window = Duration::from_secs(u64::try_from(every).unwrap_or_default());
    // While the counts are away, the account's own cool-down is still kept in the database.
    let Some(left) = limits::wait(ctx, &key, 1, window).await else { return Ok(()) };
    let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
    Err(match contact {
        Contact::Email(_) => Refusal::EmailCoolDown(seconds),
        Contact::Phone(_) => Refusal::SmsCoolDown(seconds),
    }
    .into())
}

/// The answer to a request for a message where the account's own cool-down stands, or what should have sent it failed: for who
/// must not learn of the account, as if the message had gone out.
pub(crate) fn quiet<T: Default>(ctx: &Context, result: Result<T>) -> Result<T> {
    match result {
        Err(Error::Refused(Refusal::EmailCoolDown(_) | Refusal::SmsCoolDown(_))) if is_on(ctx) => Ok(T::default()),
        Err(Error::Refused(refusal)) if is_on(ctx) && is_of_the_sender(&refusal) => {
            tracing::warn!(code = refusal.wire().code, "a message was not sent, and nobody is told");
            Ok(T::default())
        }
        result => result,
    }
}

/// Only a message to an account reaches a hook or a provider: their refusals would tell that there is one.
fn is_of_the_sender(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Hook(
            HookRefusal::Rejected(..)
                | HookRefusal::Failed(_)
                | HookRefusal::Timeout
                | HookRefusal::TimeoutAfterRetry
                | HookRefusal::ContentType(_)
                | HookRefusal::PayloadTooLarge
                | HookRefusal::Raised(..)
        ) | Refusal::SmsSendFailed(..)
            | Refusal::SmsProviderMissing
    )
}

/// In place of a message to an account that does not exist, or may not get one: the same limits, the same work, as many round
/// trips, a row that is dropped instead of delivered. Nothing where the project tells. What an SMS provider takes cannot be
/// pretended.
pub(crate) async fn pretend(ctx: &Context, kind: Kind, contact: &Contact) -> Result<()> {
    if !is_on(ctx) {
        return Ok(());
    }
    match contact {
        Contact::Email(email) => {
            let row = message::decoy(ctx, kind, email).await?;
            ctx.store().promise_to_nobody(row).await?;
            message::sent(ctx);
            Ok(())
        }
        Contact::Phone(_) => limits::sms(ctx).await,
    }
}
