//! `POST /token?grant_type=password` (`contract/core.md` §13.1): two statements, the hash in between holds no connection.

use crypto::password;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::sign_in::Request;
use domain::tokens::IssuedSession;
use serde_json::json;
use storage::{Credentials, OpenSession};

use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Limited};
use crate::{audit, issue};

/// Signs a user in by password.
pub async fn sign_in(ctx: &Context, request: Request) -> Result<IssuedSession> {
    limits::per_address(ctx, Limited::Token).await?;
    let contact = request.contact(ctx.policy())?;
    let Some((credentials, stored)) = with_password(ctx.store().find_credentials(&contact, ctx.audience()).await?)
    else {
        // The same work as for a known account: the answer must not tell by its time.
        let dummy = Secret::new(password::dummy_hash().to_owned());
        ctx.verify_password(&request.password, &dummy).await?;
        return Err(Refusal::InvalidCredentials.into());
    };
    if credentials.user.is_banned(ctx.now) {
        return Err(Refusal::UserBanned.into());
    }
    if !ctx.verify_password(&request.password, &stored).await? {
        return Err(Refusal::InvalidCredentials.into());
    }
    contact.confirmed(&credentials.user)?;

    let weakness = domain::password::assess(request.password.expose(), &ctx.policy().password).unwrap_or_default();
    let upgraded_hash = match password::needs_upgrade(stored.expose()) {
        true => Some(ctx.hash_password(&request.password).await?),
        false => None,
    };
    let user = credentials.user;
    let opening = issue::opening(ctx, user.id, "password");
    let opened = ctx
        .store()
        .open_session(OpenSession {
            session: opening.session.clone(),
            verified_hash: Some(stored),
            upgraded_hash,
            audit: ctx.audit(audit::by_user(&user, audit::LOGIN, json!({ "provider": contact.provider() }))),
            now: ctx.now,
        })
        .await?
        .ok_or(Refusal::InvalidCredentials)?;
    let session = opened.session.ok_or(Refusal::InvalidCredentials)?;
    let mut issued = opening.finish(ctx, opened.user, session).await?;
    issued.weak_password = Some(weakness);
    Ok(issued)
}

fn with_password(found: Option<Credentials>) -> Option<(Credentials, Secret<String>)> {
    let mut credentials = found?;
    let stored = credentials.password_hash.take().filter(|hash| !hash.expose().is_empty())?;
    Some((credentials, stored))
}
