//! What ceremonies of Web Authentication have in common, and those of passkeys: challenges, each of which is answered once, by
//! the one it was given to.

use crypto::webauthn::{SessionData, Started};
use domain::factor::CHALLENGE_LIFE;
use domain::ids::{ChallengeId, UserId};
use domain::passkey_registration::Challenge;
use domain::passkeys::in_time;
use domain::refusal::{PasskeyRefusal, Refusal};
use domain::time::Timestamp;
use domain::webauthn::RelyingParty;
use storage::{CeremonyKind, NewWebauthnChallenge};

use crate::context::Context;
use crate::error::{Error, Result};

/// Refuses everything where the project has no passkeys, before it is looked at who asks.
pub(crate) fn enabled(ctx: &Context) -> Result<()> {
    if ctx.policy().passkey_enabled { Ok(()) } else { Err(PasskeyRefusal::Disabled.into()) }
}

/// What the project's credentials are made for.
pub(crate) fn relying_party(ctx: &Context) -> Result<RelyingParty> {
    RelyingParty::of(ctx.policy(), &ctx.tenant.project.name).ok_or_else(|| Refusal::WebauthnNotConfigured.into())
}

/// When a challenge that is given now ends.
pub(crate) fn end(ctx: &Context) -> Timestamp {
    ctx.now.plus_seconds(CHALLENGE_LIFE)
}

/// Keeps a ceremony that has begun, for `user` or for whoever answers.
pub(crate) async fn begin(
    ctx: &Context,
    started: Started,
    kind: CeremonyKind,
    user: Option<UserId>,
) -> Result<Challenge> {
    let id = ChallengeId(ctx.entropy().uuid());
    let expires_at = end(ctx);
    let session_data = started.session.stored_json();
    let challenge = NewWebauthnChallenge { id, user, kind, session_data, now: ctx.now, expires_at };
    ctx.store().insert_webauthn_challenge(challenge).await?;
    Ok(Challenge { id, options: started.options, expires_at: expires_at.unix() })
}

/// Uses a challenge up, whatever becomes of its answer. Challenges of another kind, of others and of other projects are not
/// known.
pub(crate) async fn consume(
    ctx: &Context,
    id: ChallengeId,
    kind: CeremonyKind,
    user: Option<UserId>,
) -> Result<SessionData> {
    let found = ctx.store().consume_webauthn_challenge(id, kind, user).await?;
    let found = found.ok_or(PasskeyRefusal::ChallengeNotFound)?;
    in_time(found.expires_at, ctx.now)?;
    let begun = SessionData::from_stored_json(&found.session_data);
    let begun = begun.ok_or_else(|| Error::fault("the stored data of a challenge cannot be read"))?;
    Ok(begun.under(ctx.policy().webauthn.user_verification))
}
