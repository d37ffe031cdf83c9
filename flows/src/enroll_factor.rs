//! POST /factors (`contract/mfa-passkeys-oauth.md` §1.4).

use crypto::{qr, totp};
use domain::bearer;
use domain::enroll_factor::{Details, Enrolled, Request, Wanted, admit};
use domain::factor::UNPROVEN_LIFE;
use domain::ids::FactorId;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::user::User;
use serde_json::json;
use storage::{NewFactor, StoreError, Tx};

use crate::authenticate;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::{audit, factors};

/// Adds a factor that waits for its first proof.
pub async fn enroll_factor(ctx: &Context, request: Request) -> Result<Enrolled> {
    let bearer = authenticate::member(ctx, &request.bearer).await?;
    let session = bearer.session.as_ref().ok_or(Refusal::EnrollNeedsSession)?;
    let body = request.body?;
    let wanted = body.wanted(ctx.policy())?;
    let mut tx = ctx.store().begin().await?;
    let locked = tx.users().lock(bearer.user.id).await?.map(|locked| locked.user);
    bearer::admit(&bearer.claims, locked.as_ref(), Some(session), ctx.now)?;
    let user = locked.ok_or(Refusal::BearerUserNotFound)?;
    let user = drop_leftovers(ctx, &mut tx, &wanted, user).await?;
    let level = match user.has_verified_factor() {
        // The session may have been lowered since.
        true => tx.sessions().read(session.id).await?.ok_or(Refusal::BearerSessionNotFound)?.aal,
        false => session.aal,
    };
    let admitted = admit(&wanted, &body.friendly_name, &user.factors, level, &ctx.policy().mfa);
    let made = admitted.and_then(|()| make(ctx, &wanted, &user, &body.phone));
    let (id, secret, details) = match made {
        Ok(made) => made,
        Err(refusal) => {
            // What was left over stays gone.
            tx.commit().await?;
            return Err(refusal.into());
        }
    };
    let factor = NewFactor {
        id,
        user_id: user.id,
        factor_type: wanted.factor_type(),
        friendly_name: body.friendly_name.clone(),
        phone: wanted.number().map(str::to_owned),
        secret,
        now: ctx.now,
    };
    match tx.factors().insert(factor).await {
        Ok(()) => {}
        Err(StoreError::Conflict) => return Err(Refusal::FactorNameConflict(body.friendly_name).into()),
        Err(error) => return Err(error.into()),
    }
    let traits = match wanted {
        Wanted::Totp { .. } => json!({ "factor_id": id }),
        Wanted::Phone { .. } | Wanted::WebAuthn => {
            json!({ "factor_id": id, "factor_type": wanted.factor_type().as_str() })
        }
    };
    factors::write_audit(ctx, &mut tx, audit::by_user(&user, audit::FACTOR_IN_PROGRESS, traits)).await?;
    tx.commit().await?;
    Ok(Enrolled { id, friendly_name: body.friendly_name, details })
}

/// Removes what was never proven and is in the way: factors nobody tried for a while, and those of the same number.
async fn drop_leftovers(ctx: &Context, tx: &mut Tx, wanted: &Wanted, user: User) -> Result<User> {
    if user.factors.iter().all(|factor| factor.verified) {
        return Ok(user);
    }
    let mut dropped = match wanted.number() {
        Some(number) => tx.factors().delete_unverified_phone(user.id, number).await?,
        None => 0,
    };
    dropped += tx.factors().delete_stale(user.id, ctx.now.plus_seconds(-UNPROVEN_LIFE)).await?;
    if dropped == 0 {
        return Ok(user);
    }
    let user = tx.users().read(user.id).await?;
    user.ok_or_else(|| Error::fault("a locked user is gone"))
}

type Made = (FactorId, Option<Secret<String>>, Details);

/// The id of a new factor, its secret as it is stored, and what the user is told. `phone` is the number as it was sent.
fn make(ctx: &Context, wanted: &Wanted, user: &User, phone: &str) -> std::result::Result<Made, Refusal> {
    let id = FactorId(ctx.entropy().uuid());
    match wanted {
        Wanted::Totp { issuer } => {
            // A user without address is named by his number.
            let account = [&user.email, &user.phone].into_iter().flatten().find(|contact| !contact.is_empty());
            let secret = totp::new_secret(ctx.entropy());
            let uri = totp::uri(issuer, account.ok_or(Refusal::FactorQrCode)?, &secret);
            let qr_code = qr::svg(&uri).map_err(|_| Refusal::FactorLabelTooLong)?;
            let sealed = factors::seal_secret(ctx, id, &secret);
            Ok((id, Some(sealed), Details::Totp { qr_code, secret, uri }))
        }
        Wanted::Phone { .. } => Ok((id, None, Details::Phone(phone.to_owned()))),
        Wanted::WebAuthn => Ok((id, None, Details::WebAuthn)),
    }
}
