//! POST /factors/{id}/verify (`contract/mfa-passkeys-oauth.md` §1.6). The proof is looked at while no connection is held; the
//! transaction that raises the session uses it up.

mod code;
mod webauthn;

use domain::factor::may_add;
use domain::ids::ChallengeId;
use domain::refusal::Refusal;
use domain::session::Aal;
use domain::tokens::IssuedSession;
use domain::user::{Factor, User};
use domain::verify_factor::{Asked, Given, Request, check_challenge};
use serde_json::{Value, json};
use storage::{MfaChallenge, StoredFactor, Tx};

use crate::authenticate::{self, Authenticated};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::notices::Notice;
use crate::{audit, factors};
use webauthn::Said;

/// An answer that may be looked at.
struct Answer<'a> {
    bearer: &'a Authenticated,
    /// What the session shows so far.
    level: Aal,
    factor: StoredFactor,
    challenge: MfaChallenge,
}

/// Raises the bearer's session by a factor.
pub async fn verify_factor(ctx: &Context, request: Request) -> Result<IssuedSession> {
    let bearer = authenticate::member(ctx, &request.bearer).await?;
    let factor = factors::own(ctx, &bearer, &request.factor).await?;
    limits::per_address(ctx, Limited::FactorVerify).await?;
    let body = request.body?;
    let challenge = ChallengeId(body.challenge);
    let given = body.given(factor.factor.factor_type, &ctx.policy().mfa)?;
    let held = bearer.session.as_ref().ok_or(Refusal::VerifyNeedsSession)?;
    let (session, level) = (held.id, held.level());
    admit(factor.factor.verified, &bearer.user, level)?;
    let challenge = open_challenge(ctx, &factor, challenge).await?;
    let answer = Answer { bearer: &bearer, level, factor, challenge };
    let raised = match given {
        Given::Code(code) => {
            if code::can_be_right(ctx, answer.factor.factor.factor_type, &code) {
                limits::factor_attempt(ctx, session, bearer.user.id).await?;
            }
            code::verify(ctx, &answer, &code).await
        }
        Given::Credential(ceremony, credential) => {
            // What cannot be read is no attempt.
            let said = Said::read(ceremony, &credential)?;
            limits::factor_attempt(ctx, session, bearer.user.id).await?;
            webauthn::verify(ctx, &answer, said).await
        }
    };
    match &raised {
        Ok(_) => limits::factor_succeeded(ctx, session, bearer.user.id).await,
        Err(Error::Refused(refusal)) => note_failure(ctx, &answer, refusal).await?,
        Err(_) => {}
    }
    raised
}

/// Writes down a proof that was refused, where the project wants that.
async fn note_failure(ctx: &Context, answer: &Answer<'_>, refusal: &Refusal) -> Result<()> {
    if matches!(refusal, Refusal::OverAttemptLimit(_)) {
        return Ok(());
    }
    ctx.write_failure(|| {
        let mut traits = traits(answer);
        if let Some(traits) = traits.as_object_mut() {
            traits.insert("reason".to_owned(), json!(refusal.wire().code));
        }
        ctx.audit_with_address(audit::by_user(&answer.bearer.user, audit::LOGIN_FAILED, traits))
    })
    .await
}

/// The factor's challenge, as long as it can be answered.
async fn open_challenge(ctx: &Context, factor: &StoredFactor, id: ChallengeId) -> Result<MfaChallenge> {
    let challenge = ctx.store().find_mfa_challenge(id, factor.factor.id).await?;
    let challenge = challenge.ok_or(Refusal::FactorChallengeNotFound)?;
    let asked = Asked {
        id,
        created_at: challenge.created_at,
        answered: challenge.verified_at.is_some(),
        ip: challenge.ip.as_deref(),
    };
    match check_challenge(asked, ctx.caller.ip.as_deref(), ctx.now) {
        Ok(()) => Ok(challenge),
        Err(refusal @ Refusal::FactorChallengeExpired(_)) => {
            let mut tx = ctx.store().begin().await?;
            tx.mfa_challenges().delete(id).await?;
            tx.commit().await?;
            Err(refusal.into())
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Whether a session of `level` may prove a factor: one that was left unverified is no way around those that were not.
fn admit(verified: bool, user: &User, level: Aal) -> std::result::Result<(), Refusal> {
    if verified { Ok(()) } else { may_add(&user.factors, level) }
}

/// The factor as the locked `user` has it.
fn find<'u>(user: &'u mut User, answer: &Answer<'_>) -> Result<&'u mut Factor> {
    let id = answer.factor.factor.id;
    let verified = user.factors.iter().any(|held| held.id == id && held.verified);
    admit(verified, user, answer.level)?;
    Ok(user.factors.iter_mut().find(|held| held.id == id).ok_or(Refusal::FactorNotFound)?)
}

/// Marks the first proof of a factor, of which the user is told.
async fn prove(ctx: &Context, tx: &mut Tx, factor: &mut Factor) -> Result<Vec<Notice>> {
    if factor.verified {
        return Ok(Vec::new());
    }
    if !tx.factors().verify(factor.id, ctx.now).await? {
        return Err(Refusal::FactorNotFound.into());
    }
    factor.verified = true;
    factor.updated_at = ctx.now;
    Ok(vec![Notice::FactorEnrolled(factor.factor_type)])
}

/// The traits of the audit row of a right answer.
fn traits(answer: &Answer<'_>) -> Value {
    json!({
        "factor_id": answer.factor.factor.id,
        "challenge_id": answer.challenge.id,
        "factor_type": answer.factor.factor.factor_type.as_str(),
    })
}

async fn write_audit(ctx: &Context, tx: &mut Tx, user: &User, traits: Value) -> Result<()> {
    factors::write_audit(ctx, tx, audit::by_user(user, audit::VERIFICATION_ATTEMPTED, traits)).await
}
