//! POST /factors/{id}/challenge (`contract/mfa-passkeys-oauth.md` §1.5). A message goes out before anything is written, while
//! no connection is held; one guarded statement writes.

use std::time::Duration;

use crypto::webauthn::{Credential, Descriptor, start_authentication, start_registration};
use domain::challenge_factor::{Ceremony, Challenge, Request, check_pace};
use domain::factor::FactorType;
use domain::ids::ChallengeId;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::sms::Channel;
use domain::user::User;
use domain::webauthn::{Purpose, UserEntity};
use serde_json::{Value, json};
use storage::{ChallengeFactor, NewMfaChallenge, StoredFactor};

use crate::authenticate;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::{audit, ceremony, factors, message};

/// Challenges a factor of the bearer.
pub async fn challenge_factor(ctx: &Context, request: Request) -> Result<Challenge> {
    let bearer = authenticate::member(ctx, &request.bearer).await?;
    let factor = factors::own(ctx, &bearer, &request.factor).await?;
    limits::per_address(ctx, Limited::FactorChallenge).await?;
    let kind = factor.factor.factor_type;
    if !ctx.policy().mfa.offer(kind).verify {
        return Err(kind.verify_disabled().into());
    }
    let user = &bearer.user;
    let mut challenge = NewMfaChallenge {
        id: ChallengeId(ctx.entropy().uuid()),
        factor: factor.factor.id,
        ip: ctx.caller.ip.clone(),
        code_hash: None,
        session_data: None,
        now: ctx.now,
    };
    let id = challenge.id;
    let mut webauthn = None;
    let mut not_challenged_after = None;
    match kind {
        FactorType::Totp => {}
        FactorType::Phone => {
            let channel = Channel::parse(&request.channel?, ctx.policy())?;
            let code = send(ctx, user, &factor, channel).await?;
            challenge.code_hash = Some(factors::code_hash(ctx, id, code.expose()));
            not_challenged_after = Some(ctx.now.plus_seconds(ctx.policy().mfa.phone_max_frequency.saturating_neg()));
        }
        FactorType::WebAuthn => {
            request.channel?;
            let (ceremony, session_data) = begin(ctx, user, &factor).await?;
            challenge.session_data = Some(session_data);
            webauthn = Some(ceremony);
        }
    }
    let audit = match kind {
        FactorType::Totp | FactorType::Phone => {
            let traits =
                json!({ "factor_id": factor.factor.id, "factor_status": factors::status(factor.factor.verified) });
            ctx.audit_with_address(audit::by_user(user, audit::CHALLENGE_CREATED, traits))
        }
        FactorType::WebAuthn => None,
    };
    if !ctx.store().challenge_factor(ChallengeFactor { challenge, not_challenged_after, audit }).await? {
        let now = ctx.store().read_factor(factor.factor.id).await?.ok_or(Refusal::FactorNotFound)?;
        check_pace(&now.factor, &ctx.policy().mfa, ctx.now)?;
        return Err(Error::Busy("the factor changed while it was challenged".into()));
    }
    Ok(Challenge { id, factor_type: kind, expires_at: ceremony::end(ctx).unix(), webauthn })
}

/// Sends a code to the factor's number. Gateways share a mark of the last message, so that one of several that come at once
/// goes out; the row, which the others would lose to, is written too late for that.
async fn send(ctx: &Context, user: &User, factor: &StoredFactor, channel: Channel) -> Result<Secret<String>> {
    let settings = &ctx.policy().mfa;
    check_pace(&factor.factor, settings, ctx.now)?;
    let number = factor.factor.phone.as_deref().ok_or_else(|| Error::fault("a phone factor has no number"))?;
    let mark = format!("factor-sms:{}", factor.factor.id);
    let pause = u64::try_from(settings.phone_max_frequency).unwrap_or_default();
    if pause > 0
        && let Some(left) = limits::wait(ctx, &mark, 1, Duration::from_secs(pause)).await
    {
        return Err(Refusal::SmsCoolDown(i64::try_from(left.as_secs()).unwrap_or(i64::MAX)).into());
    }
    let sent = message::factor_code(ctx, user, number, channel).await;
    if sent.is_err() {
        limits::forget(ctx, &mark).await;
    }
    sent
}

/// Begins the ceremony that is due: the first one makes the credential.
async fn begin(ctx: &Context, user: &User, factor: &StoredFactor) -> Result<(Ceremony, Value)> {
    let party = ceremony::relying_party(ctx)?;
    let credentials = credentials(ctx, user).await?;
    let (verification, expires) = (ctx.policy().webauthn.user_verification, ceremony::end(ctx));
    let purpose = Purpose::SecondFactor;
    if factor.factor.verified {
        let user = Some(user.id);
        let begun = start_authentication(purpose, &party, user, &credentials, verification, expires, ctx.entropy());
        Ok((Ceremony::Request(begun.options), begun.session.stored_json()))
    } else {
        let user = UserEntity::of_factor(user);
        let begun = start_registration(purpose, &party, &user, &credentials, verification, expires, ctx.entropy());
        Ok((Ceremony::Create(begun.options), begun.session.stored_json()))
    }
}

/// The credentials of the user's proven factors.
async fn credentials(ctx: &Context, user: &User) -> Result<Vec<Descriptor>> {
    let factors = ctx.store().list_factors(user.id).await?;
    let proven = factors.iter().filter(|factor| factor.factor.verified);
    let credentials = proven.filter_map(|factor| Credential::from_stored_json(factor.credential.as_ref()?));
    Ok(credentials.map(|credential| credential.descriptor()).collect())
}
