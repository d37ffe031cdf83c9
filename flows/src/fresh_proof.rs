//! A fresh proof of who asks: the nonce of a reauthentication (`contract/core.md` §16.2 row 8), or the password where that is
//! taken instead (`security/advisor.md` §1.7, §1.9).

use crypto::digest::constant_time_eq;
use domain::contact::Contact;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::sms::test_code;
use domain::user::User;
use domain::verify::{is_expired, is_guess};
use storage::TokenKind;

use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Attempt};
use crate::step_up::Proofs;
use crate::{message, one_time};

/// What counts as a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// The nonce alone.
    Nonce,
    /// The nonce, or the password.
    NonceOrPassword,
}

/// Looks at what a request shows; without any it is answered `refusal`. A right nonce is used up at once, whatever becomes
/// of the request.
pub(crate) async fn show(ctx: &Context, user: &User, proofs: Proofs<'_>, takes: Takes, refusal: Refusal) -> Result<()> {
    if let Some(nonce) = proofs.nonce() {
        return consume(ctx, user, nonce).await;
    }
    match proofs.current_password() {
        Some(password) if takes == Takes::NonceOrPassword => is_password(ctx, user, password, refusal).await,
        _ => Err(refusal.into()),
    }
}

/// Checks the password as a sign-in would: wrong ones count as failed sign-ins, so that an open session is no way around
/// that limit.
async fn is_password(ctx: &Context, user: &User, password: &Secret<String>, refusal: Refusal) -> Result<()> {
    let contact = user.email.clone().map(Contact::Email).or_else(|| user.phone.clone().map(Contact::Phone));
    let attempt = contact.as_ref().map(Attempt::SignIn);
    if let Some(attempt) = attempt {
        limits::attempt(ctx, attempt).await?;
    }
    let stored = ctx.store().find_password(user.id).await?;
    let Some(stored) = stored else { return Err(refusal.into()) };
    if !ctx.verify_password(password, &stored).await? {
        return Err(Refusal::CurrentPasswordInvalid.into());
    }
    if let Some(attempt) = attempt {
        limits::succeeded(ctx, attempt).await;
    }
    Ok(())
}

/// Uses the nonce up, and with it every other code of the user. Wrong ones are counted on its row.
async fn consume(ctx: &Context, user: &User, nonce: &Secret<String>) -> Result<()> {
    let checked_elsewhere = ask_provider(ctx, user, nonce).await?;
    let policy = ctx.policy();
    let mut tx = ctx.store().begin().await?;
    let user = tx.users().lock(user.id).await?.ok_or(Refusal::BearerUserNotFound)?.user;
    let token = tx.one_time_tokens().find_by_user(user.id, TokenKind::Reauthentication).await?;
    let token = token.ok_or(Refusal::ReauthenticationNotValid)?;
    let (contact, life) = match (&user.email, &user.phone) {
        (Some(email), _) => (email, policy.mailer_otp_exp),
        (None, Some(phone)) => (phone, policy.sms.otp_exp),
        (None, None) => return Err(Refusal::ReauthenticationNotValid.into()),
    };
    let fixed = test_code(&policy.sms, contact, ctx.now)
        .is_some_and(|code| constant_time_eq(code.as_bytes(), nonce.expose().as_bytes()));
    let expired = is_expired(user.reauthentication_sent_at.unwrap_or(token.created_at), life, ctx.now);
    let alive = token.attempts < policy.otp_max_attempts && token.relates_to == *contact;
    let matches = one_time::matches_code(ctx, &token, contact, nonce.expose()) && !expired;
    if alive && (checked_elsewhere || fixed || matches) {
        if !tx.one_time_tokens().consume(token.id).await? {
            return Err(Refusal::ReauthenticationNotValid.into());
        }
        tx.one_time_tokens().clear(user.id).await?;
        tx.commit().await?;
        return Ok(());
    }
    if is_guess(nonce.expose()) && tx.one_time_tokens().count_attempt(token.id).await? >= policy.otp_max_attempts {
        tx.one_time_tokens().consume(token.id).await?;
    }
    tx.commit().await?;
    Err(Refusal::ReauthenticationNotValid.into())
}

/// Whether Twilio Verify, which made the code, says that it is right. False where the code is ours.
async fn ask_provider(ctx: &Context, user: &User, nonce: &Secret<String>) -> Result<bool> {
    let (None, Some(phone)) = (&user.email, &user.phone) else { return Ok(false) };
    let Some(provider) = message::checker(ctx, phone) else { return Ok(false) };
    match message::is_right(ctx, provider, phone, nonce).await? {
        true => Ok(true),
        false => Err(Refusal::CodeExpired.into()),
    }
}
