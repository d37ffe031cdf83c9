//! The code of a phone factor (`contract/mfa-passkeys-oauth.md` §1.5): by the hook or the provider, before anything is
//! written. Numbers with a fixed code and the project's limit of messages have no part in it.

use domain::config::SmsProvider;
use domain::hook::Point;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::sms::{Channel, Sms};
use domain::user::User;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::hooks;

/// Sends a fresh code to `phone`. Twilio Verify sends one of its own: there what is answered opens nothing.
pub(crate) async fn factor_code(ctx: &Context, user: &User, phone: &str, channel: Channel) -> Result<Secret<String>> {
    let settings = ctx.policy();
    let code = Secret::new(ctx.entropy().otp(settings.mfa.phone_otp_length));
    if hooks::is_on(ctx, Point::SendSms) {
        return match hooks::send_factor_sms(ctx, user, &code, phone).await {
            Ok(()) => Ok(code),
            // What the hook says is for the log: the client hears that it failed.
            Err(Error::Refused(refusal)) => {
                tracing::warn!(?refusal, "the hook did not send the code of a factor");
                Err(Refusal::FactorSmsHookFailed.into())
            }
            Err(error) => Err(error),
        };
    }
    let provider = settings.sms.provider.as_ref().ok_or(Refusal::FactorSmsProviderMissing)?;
    let body = outbound::sms::text(&settings.mfa.phone_template, code.expose()).map_err(Error::fault)?;
    let message = Sms { phone: phone.to_owned(), channel, body: Secret::new(body), code: code.clone() };
    match ctx.services.sms.send(provider, &message).await {
        Ok(()) => Ok(code),
        Err(error) => {
            tracing::warn!(%error, "the SMS provider did not send the code of a factor");
            Err(Refusal::FactorSmsFailed.into())
        }
    }
}

/// Who checks the codes of factors, where that is not us: Twilio Verify, which makes them as well, unless a hook sends ours.
pub(crate) fn factor_checker(ctx: &Context) -> Option<&SmsProvider> {
    let provider = ctx.policy().sms.provider.as_ref();
    let provider = provider.filter(|provider| matches!(provider, SmsProvider::TwilioVerify { .. }));
    provider.filter(|_| !hooks::is_on(ctx, Point::SendSms))
}
