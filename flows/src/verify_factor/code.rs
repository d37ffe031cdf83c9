//! Codes by time and by SMS.

use std::time::Duration;

use async_trait::async_trait;
use crypto::{digest, totp};
use domain::factor::{CHALLENGE_LIFE, FactorType};
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::tokens::IssuedSession;
use domain::user::User;
use domain::verify::is_guess;
use domain::verify_factor::wrong_code;
use storage::Tx;

use super::{Answer, find, prove, traits, write_audit};
use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Attempt};
use crate::notices::Notice;
use crate::raise::{Proof, Raise, raise};
use crate::{factors, hooks, message};

/// Raises the session by a code. A wrong one leaves the challenge open.
pub(super) async fn verify(ctx: &Context, answer: &Answer<'_>, code: &Secret<String>) -> Result<IssuedSession> {
    let factor = &answer.factor.factor;
    let kind = factor.factor_type;
    let known = match kind {
        _ if !can_be_right(ctx, kind, code) => None,
        FactorType::Totp => by_time(ctx, answer, code).await?,
        FactorType::Phone => by_sms(ctx, answer, code).await?,
        FactorType::WebAuthn => None,
    };
    hooks::factor_verified(ctx, answer.bearer.user.id, (factor.id, kind), known.is_some()).await?;
    let right = known.ok_or_else(|| wrong_code(kind))?;
    let method = kind.method();
    let proof = RightCode { answer, right };
    let issued = raise(ctx, Raise { bearer: answer.bearer, method, factor: Some((factor.id, kind)) }, &proof).await?;
    if kind == FactorType::Totp {
        limits::succeeded(ctx, Attempt::Totp(factor.id)).await;
    }
    Ok(issued)
}

/// Whether a code is looked at, and then counted: what cannot be one is no attempt.
pub(super) fn can_be_right(ctx: &Context, kind: FactorType, code: &Secret<String>) -> bool {
    match kind {
        FactorType::Totp => is_guess(code.expose().trim()),
        // A provider that makes codes says how long they are.
        FactorType::Phone => message::factor_checker(ctx).is_some() || is_guess(code.expose()),
        FactorType::WebAuthn => true,
    }
}

/// What a right code uses up besides its challenge.
#[derive(Clone, Copy)]
enum Right {
    /// The step of a code by time.
    Step(i64),
    /// Nothing.
    Alone,
}

async fn by_time(ctx: &Context, answer: &Answer<'_>, code: &Secret<String>) -> Result<Option<Right>> {
    let secret = factors::open_secret(ctx, &answer.factor)?;
    limits::attempt(ctx, Attempt::Totp(answer.factor.factor.id)).await?;
    let step = totp::matching_step(&secret, code.expose(), ctx.now);
    let fresh = |step: &i64| answer.factor.last_accepted_step.is_none_or(|last| *step > last);
    Ok(step.filter(fresh).map(Right::Step))
}

async fn by_sms(ctx: &Context, answer: &Answer<'_>, code: &Secret<String>) -> Result<Option<Right>> {
    if let Some(provider) = message::factor_checker(ctx) {
        let number = answer.factor.factor.phone.as_deref().unwrap_or_default();
        return match message::is_right(ctx, provider, number, code).await? {
            true => Ok(Some(Right::Alone)),
            false => Err(Refusal::CodeExpired.into()),
        };
    }
    let dead = guess(ctx, answer).await;
    let right = answer.challenge.code_hash.as_deref().is_some_and(|stored| matches(ctx, answer, stored, code.expose()));
    Ok((right && !dead).then_some(Right::Alone))
}

/// Counts a guess at the challenge's code; after too many of them it is dead.
async fn guess(ctx: &Context, answer: &Answer<'_>) -> bool {
    let most = u32::try_from(ctx.policy().otp_max_attempts).unwrap_or_default();
    let life = Duration::from_secs(CHALLENGE_LIFE.unsigned_abs());
    limits::wait(ctx, &format!("factor-code:{}", answer.challenge.id), most, life).await.is_some()
}

fn matches(ctx: &Context, answer: &Answer<'_>, stored: &str, code: &str) -> bool {
    // Rows that another server wrote have the code itself. A hash is never compared with what was typed.
    let plain = stored.len() <= 10 && stored.bytes().all(|b| b.is_ascii_digit());
    let given = if plain { code.to_owned() } else { factors::code_hash(ctx, answer.challenge.id, code) };
    digest::constant_time_eq(stored.as_bytes(), given.as_bytes())
}

struct RightCode<'a> {
    answer: &'a Answer<'a>,
    right: Right,
}

#[async_trait]
impl Proof for RightCode<'_> {
    async fn consume(&self, ctx: &Context, tx: &mut Tx, user: &mut User) -> Result<Vec<Notice>> {
        let answer = self.answer;
        let factor = find(user, answer)?;
        if !tx.mfa_challenges().consume(answer.challenge.id, ctx.now).await? {
            return Err(Refusal::FactorChallengeAddress.into());
        }
        if let Right::Step(step) = self.right
            && !tx.factors().accept_step(factor.id, step).await?
        {
            return Err(Refusal::TotpInvalid.into());
        }
        // What another server wrote in the open is not left so. Whoever changed it meanwhile wins.
        if let (Right::Step(_), Some(plain)) = (self.right, factors::plain_secret(&answer.factor)) {
            let sealed = factors::seal_secret(ctx, factor.id, plain);
            tx.factors().set_secret(factor.id, plain, &sealed).await?;
        }
        let notices = prove(ctx, tx, factor).await?;
        write_audit(ctx, tx, user, traits(answer)).await?;
        Ok(notices)
    }
}
