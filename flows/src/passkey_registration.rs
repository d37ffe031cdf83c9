//! A user gets a passkey (`contract/mfa-passkeys-oauth.md` §2.2, §2.3).

use crypto::webauthn::{Descriptor, NewCredential, Registration, authenticator_name, start_registration};
use domain::ids::{PasskeyId, UserId};
use domain::passkey_registration::{self, Challenge, Options, Verify, has_room};
use domain::passkeys::{DEFAULT_NAME, Passkey};
use domain::refusal::{PasskeyRefusal, Refusal};
use domain::request::Bearer;
use domain::step_up::Operation;
use domain::webauthn::{Purpose, UserEntity};
use serde_json::json;
use storage::{CeremonyKind, StoredPasskey};

use crate::authenticate::Authenticated;
use crate::context::Context;
use crate::error::Result;
use crate::step_up::{self, Proofs};
use crate::user_update::taken;
use crate::{audit, authenticate, ceremony};

/// What the browser of a user asks an authenticator that holds none of his passkeys yet.
pub async fn passkey_registration_options(ctx: &Context, request: Options) -> Result<Challenge> {
    let user = admitted(ctx, &request.bearer).await?.user;
    let existing = ctx.store().list_passkeys(user.id).await?;
    has_room(existing.len() as u64)?;
    let party = ceremony::relying_party(ctx)?;
    let existing: Vec<Descriptor> = existing
        .into_iter()
        .map(|passkey| Descriptor { id: passkey.credential_id, transports: passkey.transports })
        .collect();
    let started = start_registration(
        Purpose::Passkey,
        &party,
        &UserEntity::of_passkey(&user),
        &existing,
        ctx.policy().webauthn.user_verification,
        ceremony::end(ctx),
        ctx.entropy(),
    );
    ceremony::begin(ctx, started, CeremonyKind::Registration, Some(user.id)).await
}

/// Keeps the passkey that an authenticator made. Opens no session and raises none.
pub async fn passkey_registration_verify(ctx: &Context, request: Verify) -> Result<Passkey> {
    let Authenticated { user, session, .. } = admitted(ctx, &request.bearer).await?;
    let (challenge, credential) = request.body?.parts()?;
    let party = ceremony::relying_party(ctx)?;
    let begun = ceremony::consume(ctx, challenge, CeremonyKind::Registration, Some(user.id)).await?;
    let registration = Registration::parse(&credential).map_err(|error| {
        tracing::debug!(%error, "new passkey refused");
        PasskeyRefusal::ResponseInvalid
    })?;
    let credential = registration.verify(&party, &begun).map_err(|error| {
        tracing::debug!(%error, "new passkey refused");
        PasskeyRefusal::Invalid
    })?;
    let new = row(ctx, user.id, credential);
    let mut tx = ctx.store().begin().await?;
    // Whoever registers at the same time waits for the user's row, so that the count holds; what the registration hung on may
    // have changed meanwhile.
    let user = tx.users().lock(user.id).await?.ok_or(Refusal::BearerUserNotFound)?.user;
    if user.deleted_at.is_some() {
        return Err(Refusal::BearerUserNotFound.into());
    }
    if user.is_banned(ctx.now) {
        return Err(Refusal::BearerUserBanned.into());
    }
    passkey_registration::admit(&user, session.as_ref())?;
    has_room(tx.passkeys().count(user.id).await?)?;
    tx.passkeys().insert(&new).await.map_err(taken(PasskeyRefusal::Exists.into()))?;
    ctx.write_audit(&mut tx, audit::by_user(&user, audit::PASSKEY_CREATED, json!({ "passkey_id": new.passkey.id })))
        .await?;
    tx.commit().await?;
    Ok(new.passkey)
}

/// The bearer, who may have another passkey as far as he himself is concerned. Asked at both steps: the second one is what
/// counts, the first one spares the user a ceremony in vain.
async fn admitted(ctx: &Context, bearer: &Bearer) -> Result<Authenticated> {
    ceremony::enabled(ctx)?;
    let authenticated = authenticate::member(ctx, bearer).await?;
    passkey_registration::admit(&authenticated.user, authenticated.session.as_ref())?;
    step_up::demand(ctx, Operation::PasskeyManage, &authenticated, Proofs::none()).await?;
    Ok(authenticated)
}

fn row(ctx: &Context, user_id: UserId, credential: NewCredential) -> StoredPasskey {
    let name = authenticator_name(credential.aaguid).unwrap_or(DEFAULT_NAME);
    StoredPasskey {
        passkey: Passkey {
            id: PasskeyId(ctx.entropy().uuid()),
            friendly_name: name.to_owned(),
            created_at: ctx.now,
            last_used_at: None,
        },
        user_id,
        credential_id: credential.id,
        public_key: credential.public_key,
        attestation_type: credential.attestation_format,
        aaguid: Some(credential.aaguid).filter(|model| !model.is_nil()),
        sign_count: credential.sign_count.into(),
        transports: credential.transports,
        backup_eligible: credential.flags.backup_eligible,
        backed_up: credential.flags.backup_state,
    }
}
