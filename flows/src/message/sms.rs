//! Codes by SMS (`contract/core.md` §18.2): cool-down, test number, limit, then the hook or the provider.

use domain::config::SmsProvider;
use domain::contact::Contact;
use domain::hook::Point;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::sms::{Channel, Sent, Sms, TEST_MESSAGE_ID, test_code};
use domain::user::User;
use storage::{SentAt, TokenKind};

use super::pace::Pace;
use super::{Prepared, is_withheld};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::{hooks, limits, one_time};

/// What a code by SMS is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SmsPurpose {
    /// To sign up or to sign in.
    Confirmation,
    /// To prove a new number.
    PhoneChange,
    /// A nonce.
    Reauthentication,
}

impl SmsPurpose {
    /// As the refusal of a failed message names it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::PhoneChange => "phone_change",
            Self::Reauthentication => "reauthentication",
        }
    }

    fn token(self) -> TokenKind {
        match self {
            Self::Confirmation => TokenKind::Confirmation,
            Self::PhoneChange => TokenKind::PhoneChange,
            Self::Reauthentication => TokenKind::Reauthentication,
        }
    }

    fn sent_at(self) -> SentAt {
        match self {
            Self::Confirmation => SentAt::Confirmation,
            Self::PhoneChange => SentAt::PhoneChange,
            Self::Reauthentication => SentAt::Reauthentication,
        }
    }
}

/// Sends a code to `phone` and prepares its row. Twilio Verify sends a code of its own: there the row only says that one was
/// asked for. A new number that somebody else has, in a project that does not tell, gets nothing.
pub(crate) async fn sms(
    ctx: &Context,
    purpose: SmsPurpose,
    user: &User,
    phone: &str,
    channel: Channel,
) -> Result<Prepared> {
    let pace = Pace::of_sms(ctx, purpose.sent_at());
    pace.check(user, ctx.now)?;
    let mut prepared = Prepared::of(ctx, user, purpose.sent_at()).paced(ctx, pace);
    let contact = Contact::Phone(phone.to_owned());
    let withheld = purpose == SmsPurpose::PhoneChange && is_withheld(ctx, user, &contact).await?;
    let fresh = match test_code(&ctx.policy().sms, phone, ctx.now) {
        Some(code) => {
            prepared.sent = Sent { message_id: Some(TEST_MESSAGE_ID.to_owned()) };
            one_time::with_code(ctx, &contact, Secret::new(code.to_owned()), None)
        }
        None => {
            limits::sms(ctx).await?;
            let fresh = one_time::fresh(ctx, &contact, None);
            if !withheld {
                hand_over(ctx, purpose, user, phone, channel, &fresh.code).await?;
            } else if !hooks::is_on(ctx, Point::SendSms) && ctx.policy().sms.provider.is_none() {
                return Err(Refusal::SmsProviderMissing.into());
            }
            fresh
        }
    };
    if purpose == SmsPurpose::PhoneChange {
        prepared.promise.phone_change = Some(phone.to_owned());
    }
    let row = one_time::row(ctx, user.id, purpose.token(), &contact, &fresh);
    prepared.promise.tokens.push(if withheld { one_time::dead(ctx, row) } else { row });
    Ok(prepared)
}

async fn hand_over(
    ctx: &Context,
    purpose: SmsPurpose,
    user: &User,
    phone: &str,
    channel: Channel,
    code: &Secret<String>,
) -> Result<()> {
    if hooks::is_on(ctx, Point::SendSms) {
        let shown = match purpose {
            SmsPurpose::PhoneChange => &User { phone_change: phone.to_owned(), ..user.clone() },
            SmsPurpose::Confirmation | SmsPurpose::Reauthentication => user,
        };
        return hooks::send_sms(ctx, shown, code, phone).await;
    }
    let settings = &ctx.policy().sms;
    let provider = settings.provider.as_ref().ok_or(Refusal::SmsProviderMissing)?;
    let body = outbound::sms::text(&settings.template, code.expose()).map_err(Error::fault)?;
    let message = Sms { phone: phone.to_owned(), channel, body: Secret::new(body), code: code.clone() };
    let taken = ctx.services.sms.send(provider, &message).await;
    taken.map_err(|error| Refusal::SmsSendFailed(purpose.as_str(), error.to_string()).into())
}

/// Who checks the codes that go to `phone`, where that is not us: Twilio Verify, which makes them as well, unless a hook sends
/// ours or the number has a fixed one.
pub(crate) fn checker<'a>(ctx: &'a Context, phone: &str) -> Option<&'a SmsProvider> {
    let settings = &ctx.policy().sms;
    let provider =
        settings.provider.as_ref().filter(|provider| matches!(provider, SmsProvider::TwilioVerify { .. }))?;
    let ours = hooks::is_on(ctx, Point::SendSms) || test_code(settings, phone, ctx.now).is_some();
    (!ours).then_some(provider)
}

/// Asks `provider` whether `code` is the one it sent to `phone`; no connection is held.
pub(crate) async fn is_right(
    ctx: &Context,
    provider: &SmsProvider,
    phone: &str,
    code: &Secret<String>,
) -> Result<bool> {
    ctx.services.sms.check(provider, phone, code).await.map_err(|error| {
        tracing::warn!(%error, "the SMS provider could not check a code");
        Refusal::CodeExpired.into()
    })
}
