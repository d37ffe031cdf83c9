//! What all work on second factors has in common: finding them, and what is kept secret of them.

use domain::factor::parse_id;
use domain::ids::{ChallengeId, FactorId, UserId};
use domain::refusal::Refusal;
use domain::secret::Secret;
use serde_json::Value;
use storage::{StoredFactor, Tx};

use crate::authenticate::Authenticated;
use crate::context::Context;
use crate::error::{Error, Result};

/// The factor that a path names.
async fn find(ctx: &Context, id: &str) -> Result<StoredFactor> {
    let factor = ctx.store().read_factor(parse_id(id)?).await?;
    Ok(factor.ok_or(Refusal::FactorNotFound)?)
}

/// The factor of `user` that a path names. Another user's is not found.
pub(crate) async fn of_user(ctx: &Context, user: UserId, id: &str) -> Result<StoredFactor> {
    let factor = find(ctx, id).await?;
    if factor.user_id == user { Ok(factor) } else { Err(Refusal::FactorNotFound.into()) }
}

/// The bearer's factor that a path names. Another user's is refused as such (mission row 9).
pub(crate) async fn own(ctx: &Context, bearer: &Authenticated, id: &str) -> Result<StoredFactor> {
    let factor = find(ctx, id).await?;
    if factor.user_id == bearer.user.id { Ok(factor) } else { Err(Refusal::FactorForeign.into()) }
}

/// What the secret of a factor is sealed for.
fn purpose(factor: FactorId) -> String {
    format!("factor:{factor}")
}

/// The secret of codes by time as it is stored.
pub(crate) fn seal_secret(ctx: &Context, factor: FactorId, secret: &Secret<String>) -> Secret<String> {
    let key = &ctx.tenant.project_key;
    Secret::new(key.seal(&purpose(factor), secret.expose().as_bytes(), ctx.entropy()))
}

/// The secret of codes by time. Rows that another server wrote have it in the open.
pub(crate) fn open_secret(ctx: &Context, factor: &StoredFactor) -> Result<Secret<String>> {
    let stored = factor.secret.as_ref().ok_or_else(|| Error::fault("a factor of codes by time has no secret"))?;
    if let Some(plain) = plain_secret(factor) {
        return Ok(plain.clone());
    }
    let opened = ctx.tenant.project_key.open(&purpose(factor.factor.id), stored.expose()).map_err(Error::fault)?;
    String::from_utf8(opened).map(Secret::new).map_err(Error::fault)
}

/// The secret of codes by time where it is stored in the open.
pub(crate) fn plain_secret(factor: &StoredFactor) -> Option<&Secret<String>> {
    let is_base32 = |text: &str| text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7' | b'='));
    factor.secret.as_ref().filter(|stored| is_base32(stored.expose()))
}

/// How the code of a challenge is stored.
pub(crate) fn code_hash(ctx: &Context, challenge: ChallengeId, code: &str) -> String {
    ctx.tenant.project_key.one_time_hash(&format!("{challenge}:{code}"))
}

/// Writes an audit row about factors, which names the caller's address (`contract/platform.md` §8).
pub(crate) async fn write_audit(ctx: &Context, tx: &mut Tx, payload: Value) -> Result<()> {
    if let Some(entry) = ctx.audit_with_address(payload) {
        tx.audit().insert(entry).await?;
    }
    Ok(())
}

/// The status of a factor on the wire.
pub(crate) fn status(verified: bool) -> &'static str {
    if verified { "verified" } else { "unverified" }
}
