//! Recovery codes: second factors for the day the others are lost (`security/advisor.md` §1.9). A set is made at once, shown
//! once, and each code works once.
//!
//! A code has fewer than 112 bits, so that it is kept like a password: as a slow hash with a salt of its own. So that an
//! attempt costs one such hash and not one for each code of the set, a short keyed digest beside it says which row to compare
//! with; without the project's key it tells nothing.

use async_trait::async_trait;
use crypto::digest::constant_time_eq;
use crypto::password::dummy_hash;
use crypto::recovery_code::{generate, normalise};
use domain::factor::RECOVERY_CODE;
use domain::ids::UserId;
use domain::recovery_codes::{Delete, Generate, Generated, Get, Regenerate, Summary, Verify};
use domain::refusal::Refusal;
use domain::request::Bearer;
use domain::secret::Secret;
use domain::session::{Aal, Session};
use domain::step_up::Operation;
use domain::tokens::IssuedSession;
use domain::user::User;
use serde_json::json;
use storage::{NewRecoveryCode, RecoveryCode, Tx};
use uuid::Uuid;

use crate::audit;
use crate::authenticate::{self, Authenticated};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::factors::write_audit;
use crate::limits::{self, Attempt, Limited};
use crate::notices::Notice;
use crate::raise::{Proof, Raise, raise};
use crate::step_up::{self, Proofs};

/// How a set is named among factors.
const TYPE: &str = "recovery_code";

/// Hexadecimal digits of a digest that says which row a code belongs to.
const DIGEST_LENGTH: usize = 4;

/// What there is of the bearer's set.
pub async fn get_recovery_codes(ctx: &Context, request: Get) -> Result<Summary> {
    let bearer = authenticate::member(ctx, &request.bearer).await?;
    let codes = ctx.store().list_recovery_codes(bearer.user.id).await?;
    Ok(summary(&codes).ok_or(Refusal::FactorNotFound)?)
}

/// Makes the bearer's first set.
pub async fn generate_recovery_codes(ctx: &Context, request: Generate) -> Result<Generated> {
    make(ctx, &request.bearer, |present| match present {
        Some(_) => Err(Refusal::RecoveryCodesExist),
        None => Ok(()),
    })
    .await
}

/// Makes new codes in place of the bearer's old ones, which work no more. The set keeps its id.
pub async fn regenerate_recovery_codes(ctx: &Context, request: Regenerate) -> Result<Generated> {
    make(ctx, &request.bearer, |present| match present {
        Some(_) => Ok(()),
        None => Err(Refusal::FactorNotFound),
    })
    .await
}

/// Drops the bearer's set.
pub async fn delete_recovery_codes(ctx: &Context, request: Delete) -> Result<Uuid> {
    let bearer = authenticate::member(ctx, &request.bearer).await?;
    may_manage(ctx, &bearer).await?;
    let mut tx = ctx.store().begin().await?;
    let user = still_there(ctx, &mut tx, &bearer).await?;
    let set = tx.recovery_codes().delete_all(user.id).await?.ok_or(Refusal::FactorNotFound)?;
    let traits = json!({ "factor_id": set });
    write_audit(ctx, &mut tx, audit::by_user(&user, audit::RECOVERY_CODES_DELETED, traits)).await?;
    tx.commit().await?;
    Ok(set)
}

/// Raises the bearer's session by one of his codes.
pub async fn verify_recovery_code(ctx: &Context, request: Verify) -> Result<IssuedSession> {
    let bearer = authenticate::member(ctx, &request.bearer).await?;
    let session = bearer.session.as_ref().ok_or(Refusal::VerifyNeedsSession)?.id;
    limits::per_address(ctx, Limited::FactorVerify).await?;
    let code = normalise(request.code?.expose());
    if code.is_empty() {
        return Err(Refusal::FactorCodeRequired.into());
    }
    if !ctx.policy().mfa.recovery_codes.verify {
        return Err(Refusal::RecoveryCodesVerifyDisabled.into());
    }
    let user = bearer.user.id;
    let codes = ctx.store().list_recovery_codes(user).await?;
    if codes.is_empty() || !bearer.user.has_verified_factor() {
        return Err(Refusal::FactorNotFound.into());
    }
    limits::attempt(ctx, Attempt::RecoveryCode(user)).await?;
    limits::factor_attempt(ctx, session, user).await?;
    let Some(code) = matching(ctx, user, &codes, &Secret::new(code)).await? else {
        note_failure(ctx, &bearer.user, &codes).await?;
        return Err(Refusal::RecoveryCodeInvalid.into());
    };
    let issued = raise(ctx, Raise { bearer: &bearer, method: RECOVERY_CODE, factor: None }, &OneCode(code)).await?;
    limits::succeeded(ctx, Attempt::RecoveryCode(user)).await;
    limits::factor_succeeded(ctx, session, user).await;
    Ok(issued)
}

/// Whoever makes or drops codes has used a second factor in this session, lately where the project asks for that.
async fn may_manage(ctx: &Context, bearer: &Authenticated) -> Result<()> {
    if !bearer.session.as_ref().is_some_and(is_raised) {
        return Err(Refusal::RecoveryCodesNeedAal2.into());
    }
    step_up::demand(ctx, Operation::RecoveryCodes, bearer, Proofs::none()).await
}

fn is_raised(session: &Session) -> bool {
    session.level() == Aal::Aal2
}

/// Locks the bearer and his session, both of which may have ended meanwhile.
async fn still_there(ctx: &Context, tx: &mut Tx, bearer: &Authenticated) -> Result<User> {
    let user = tx.users().lock(bearer.user.id).await?.map(|locked| locked.user);
    let session = match &bearer.session {
        Some(session) => tx.sessions().lock(session.id).await?,
        None => None,
    };
    domain::bearer::admit(&bearer.claims, user.as_ref(), session.as_ref(), ctx.now)?;
    if !session.as_ref().is_some_and(is_raised) {
        return Err(Refusal::RecoveryCodesNeedAal2.into());
    }
    Ok(user.ok_or(Refusal::BearerUserNotFound)?)
}

/// Makes codes for the bearer if `allowed` by the set there is. It is asked before the codes are hashed, and again in the
/// transaction that writes them.
async fn make(
    ctx: &Context,
    bearer: &Bearer,
    allowed: impl Fn(Option<Uuid>) -> std::result::Result<(), Refusal>,
) -> Result<Generated> {
    let bearer = authenticate::member(ctx, bearer).await?;
    if !ctx.policy().mfa.recovery_codes.enroll {
        return Err(Refusal::RecoveryCodesEnrollDisabled.into());
    }
    may_manage(ctx, &bearer).await?;
    has_other_factor(&bearer.user)?;
    allowed(set(&ctx.store().list_recovery_codes(bearer.user.id).await?))?;
    let (codes, rows) = fresh(ctx, bearer.user.id).await?;
    let mut tx = ctx.store().begin().await?;
    let user = still_there(ctx, &mut tx, &bearer).await?;
    has_other_factor(&user)?;
    let present = set(&tx.recovery_codes().list(user.id).await?);
    allowed(present)?;
    let id = present.unwrap_or_else(|| ctx.entropy().uuid());
    tx.recovery_codes().replace(user.id, id, &rows, ctx.now).await?;
    let traits = json!({ "factor_id": id });
    write_audit(ctx, &mut tx, audit::by_user(&user, audit::RECOVERY_CODES_GENERATED, traits)).await?;
    tx.commit().await?;
    // Wrong guesses were guesses of codes that are no more.
    limits::succeeded(ctx, Attempt::RecoveryCode(user.id)).await;
    let total = count(codes.len());
    Ok(Generated { summary: Summary { id, total, remaining: total }, codes })
}

fn has_other_factor(user: &User) -> std::result::Result<(), Refusal> {
    if user.has_verified_factor() { Ok(()) } else { Err(Refusal::RecoveryCodesSoleFactor) }
}

/// New codes, and how they are stored: no two of a set have the same digest.
async fn fresh(ctx: &Context, user: UserId) -> Result<(Vec<Secret<String>>, Vec<NewRecoveryCode>)> {
    let settings = &ctx.policy().mfa;
    let (mut codes, mut digests, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    while codes.len() < settings.recovery_code_count {
        let code = generate(settings.recovery_code_length, ctx.entropy());
        let digest = digest(ctx, user, &code);
        if digests.contains(&digest) {
            continue;
        }
        let hash = ctx.hash_password(&code).await?;
        rows.push(NewRecoveryCode {
            id: ctx.entropy().uuid(),
            hash: Secret::new(format!("{digest}{}", hash.expose())),
        });
        digests.push(digest);
        codes.push(code);
    }
    Ok((codes, rows))
}

fn digest(ctx: &Context, user: UserId, code: &Secret<String>) -> String {
    let mut digest = ctx.tenant.project_key.one_time_hash(&format!("recovery code {user} {}", code.expose()));
    digest.truncate(DIGEST_LENGTH);
    digest
}

/// The unused code of `codes` that `code` is. One password hash whether or not there is one that it could be.
async fn matching(ctx: &Context, user: UserId, codes: &[RecoveryCode], code: &Secret<String>) -> Result<Option<Uuid>> {
    let wanted = digest(ctx, user, code);
    let candidate = codes.iter().filter(|row| row.used_at.is_none()).find_map(|row| {
        let (digest, hash) = row.hash.expose().split_at_checked(DIGEST_LENGTH)?;
        constant_time_eq(digest.as_bytes(), wanted.as_bytes()).then(|| (row.id, Secret::new(hash.to_owned())))
    });
    let (id, hash) = match candidate {
        Some((id, hash)) => (Some(id), hash),
        None => (None, Secret::new(dummy_hash().to_owned())),
    };
    let right = ctx.verify_password(code, &hash).await?;
    Ok(id.filter(|_| right))
}

/// Writes a wrong code down, where the project wants that.
async fn note_failure(ctx: &Context, user: &User, codes: &[RecoveryCode]) -> Result<()> {
    ctx.write_failure(|| {
        let reason = Refusal::RecoveryCodeInvalid.wire().code;
        let traits = json!({ "factor_id": set(codes), "factor_type": TYPE, "reason": reason });
        ctx.audit(audit::by_user(user, audit::LOGIN_FAILED, traits))
    })
    .await
}

/// A code that matched, to be used up.
struct OneCode(Uuid);

#[async_trait]
impl Proof for OneCode {
    async fn consume(&self, ctx: &Context, tx: &mut Tx, user: &mut User) -> Result<Vec<Notice>> {
        // Codes go with the last factor.
        if !user.has_verified_factor() || !tx.recovery_codes().consume(self.0, ctx.now).await? {
            return Err(Refusal::RecoveryCodeInvalid.into());
        }
        let codes = tx.recovery_codes().list(user.id).await?;
        let Summary { id, remaining, .. } =
            summary(&codes).ok_or_else(|| Error::fault("a used code without its set"))?;
        let traits = json!({ "factor_id": id, "factor_type": TYPE });
        write_audit(ctx, tx, audit::by_user(&*user, audit::VERIFICATION_ATTEMPTED, traits)).await?;
        Ok(vec![Notice::RecoveryCodeUsed { remaining }])
    }
}

fn set(codes: &[RecoveryCode]) -> Option<Uuid> {
    codes.first().map(|code| code.set)
}

fn summary(codes: &[RecoveryCode]) -> Option<Summary> {
    let remaining = codes.iter().filter(|code| code.used_at.is_none()).count();
    Some(Summary { id: set(codes)?, total: count(codes.len()), remaining: count(remaining) })
}

fn count(codes: usize) -> u32 {
    u32::try_from(codes).unwrap_or(u32::MAX)
}
