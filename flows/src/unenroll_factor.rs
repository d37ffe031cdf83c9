//! DELETE /factors/{id} (`contract/mfa-passkeys-oauth.md` §1.7).

use domain::bearer;
use domain::factor::{FactorType, RECOVERY_CODE};
use domain::ids::FactorId;
use domain::refusal::Refusal;
use domain::step_up::Operation;
use domain::unenroll_factor::{Request, check};
use domain::user::User;
use serde_json::json;
use storage::Tx;

use crate::context::Context;
use crate::error::Result;
use crate::notices::{self, Notice};
use crate::step_up::{self, Proofs};
use crate::{audit, authenticate, factors};

/// Removes a factor of the bearer. Sessions that it raised last are of one factor again.
pub async fn unenroll_factor(ctx: &Context, request: Request) -> Result<FactorId> {
    let bearer = authenticate::member(ctx, &request.bearer).await?;
    let factor = factors::of_user(ctx, bearer.user.id, &request.factor).await?;
    let id = factor.factor.id;
    let session = bearer.session.as_ref().ok_or(Refusal::UnenrollNeedsSession)?;
    check(factor.factor.verified, session.aal)?;
    if factor.factor.verified {
        step_up::demand(ctx, Operation::FactorUnenroll, &bearer, Proofs::none()).await?;
    }
    let mut tx = ctx.store().begin().await?;
    let locked = tx.users().lock(bearer.user.id).await?.map(|locked| locked.user);
    // Another removal may have lowered the session.
    let session = tx.sessions().read(session.id).await?;
    bearer::admit(&bearer.claims, locked.as_ref(), session.as_ref(), ctx.now)?;
    let (user, session) = locked.zip(session).ok_or(Refusal::BearerSessionNotFound)?;
    let held = user.factors.iter().find(|held| held.id == id).ok_or(Refusal::FactorNotFound)?;
    let (verified, kind) = (held.verified, held.factor_type);
    check(verified, session.aal)?;
    remove(ctx, &mut tx, &user, id, kind).await?;
    let traits = json!({ "factor_id": id, "factor_status": factors::status(verified), "session_id": session.id });
    factors::write_audit(ctx, &mut tx, audit::by_user(&user, audit::FACTOR_UNENROLLED, traits)).await?;
    let notices = notices_of(verified, kind);
    notices::write(ctx, &mut tx, &notices, &user).await?;
    tx.commit().await?;
    notices::tell(ctx, &notices, &user).await;
    Ok(id)
}

/// Of a factor that nobody proved nobody is told.
pub(crate) fn notices_of(verified: bool, kind: FactorType) -> Vec<Notice> {
    if verified { vec![Notice::FactorUnenrolled(kind)] } else { Vec::new() }
}

/// Removes a factor of the locked `user`, and what hangs on it: the level of sessions, and the recovery codes of a user who
/// has no other factor, with the level that they gave.
pub(crate) async fn remove(ctx: &Context, tx: &mut Tx, user: &User, id: FactorId, kind: FactorType) -> Result<()> {
    if !tx.factors().delete(id).await? {
        return Err(Refusal::FactorNotFound.into());
    }
    tx.sessions().drop_factor(user.id, id, kind.method(), ctx.now).await?;
    let other = user.factors.iter().any(|held| held.verified && held.id != id);
    let verified = user.factors.iter().any(|held| held.verified && held.id == id);
    if verified && !other {
        tx.recovery_codes().delete_all(user.id).await?;
        tx.sessions().drop_method(user.id, RECOVERY_CODE, ctx.now).await?;
    }
    Ok(())
}
