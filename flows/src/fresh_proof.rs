//! A fresh proof of who asks: the nonce of a reauthentication (`contract/core.md` §16.2 row 8), or the password where the
//! project takes that instead (`security/advisor.md` §1.7).

use crypto::digest::constant_time_eq;
use domain::project::Profile;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::sms::test_code;
use domain::user::User;
use domain::user_update::needs_fresh_proof;
use domain::verify::{is_expired, is_guess};
use storage::TokenKind;

use crate::authenticate::Authenticated;
use crate::context::Context;
use crate::error::Result;
use crate::{message, one_time};

/// Demands a fresh proof where the project wants one and the session is not fresh itself. A right nonce is used up at once,
/// whatever becomes of the request.
pub(crate) async fn demand(
    ctx: &Context,
    authenticated: &Authenticated,
    nonce: &Secret<String>,
    password: Option<&Secret<String>>,
) -> Result<()> {
    if !needs_fresh_proof(authenticated.session.as_ref(), ctx.policy(), ctx.now) {
        return Ok(());
    }
    if !nonce.expose().is_empty() {
        return consume(ctx, &authenticated.user, nonce).await;
    }
    let password = password.filter(|_| ctx.policy().profile == Profile::Shield);
    let Some(password) = password else { return Err(Refusal::ReauthenticationNeeded.into()) };
    match ctx.store().find_password(authenticated.user.id).await? {
        Some(stored) if ctx.verify_password(password, &stored).await? => Ok(()),
        Some(_) => Err(Refusal::CurrentPasswordInvalid.into()),
        None => Err(Refusal::ReauthenticationNeeded.into()),
    }
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
