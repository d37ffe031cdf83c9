//! `POST /token?grant_type=password` (`contract/core.md` §13.1): two statements. No connection is held while the hash is
//! computed or a hook is asked.

use crypto::password;
use domain::contact::Contact;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::sign_in::Request;
use domain::sms::Channel;
use domain::tokens::IssuedSession;
use domain::user::User;
use serde_json::json;
use storage::Credentials;

use crate::confirmation::{self, Applicant};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::issue::Proof;
use crate::limits::{self, Attempt, Limited};
use crate::{audit, captcha, discretion, hooks, issue, password_strength};

/// Signs a user in by password.
pub async fn sign_in(ctx: &Context, request: Request) -> Result<IssuedSession> {
    captcha::check(ctx, &request.captcha).await?;
    limits::per_address(ctx, Limited::Token).await?;
    let contact = request.contact(ctx.policy())?;
    limits::attempt(ctx, Attempt::SignIn(&contact)).await?;
    match by_password(ctx, &contact, &request.password).await {
        Ok(issued) => {
            limits::succeeded(ctx, Attempt::SignIn(&contact)).await;
            Ok(issued)
        }
        Err(Error::Refused(refusal)) => {
            note_failure(ctx, &contact, &refusal).await?;
            Err(refusal.into())
        }
        Err(error) => Err(error),
    }
}

async fn by_password(ctx: &Context, contact: &Contact, password: &Secret<String>) -> Result<IssuedSession> {
    let (user, stored) = proven(ctx, contact, password).await?;
    let weakness = password_strength::assess(ctx, password).await;
    let upgraded_hash = match password::needs_upgrade(stored.expose()) {
        true => Some(ctx.hash_password(password).await?),
        false => None,
    };
    let opening = issue::opening(ctx, user.id, "password");
    let approved = issue::approve(ctx, &opening, &user).await?;
    let entry = ctx.audit(audit::by_user(&user, audit::LOGIN, json!({ "provider": contact.provider() })));
    let proof = Proof { verified_hash: Some(stored), upgraded_hash };
    let opened = issue::open(ctx, &opening, &user, proof, entry).await?.ok_or(Refusal::InvalidCredentials)?;
    let session = opened.session.ok_or(Refusal::InvalidCredentials)?;
    let mut issued = opening.finish(ctx, opened.user, session, approved).await?;
    issued.weak_password = Some(weakness);
    Ok(issued)
}

/// The account that `contact` and `password` prove, and its hash. With enumeration protection nothing but a right password
/// tells a banned or unconfirmed account from one that does not exist (`security/advisor.md` §1.11).
async fn proven(ctx: &Context, contact: &Contact, password: &Secret<String>) -> Result<(User, Secret<String>)> {
    let found = ctx.store().find_credentials(contact, ctx.asked_audience()).await?;
    let Some((user, stored)) = with_password(found) else {
        // The same work as for a known account: the answer must not tell by its time.
        let dummy = Secret::new(password::dummy_hash().to_owned());
        ctx.verify_password(password, &dummy).await?;
        return Err(Refusal::InvalidCredentials.into());
    };
    let protected = discretion::is_on(ctx);
    let banned = user.is_banned(ctx.now);
    if banned && !protected {
        return Err(Refusal::UserBanned.into());
    }
    let valid = ctx.verify_password(password, &stored).await?;
    if !banned {
        hooks::password_verified(ctx, user.id, valid).await?;
    }
    if !valid {
        return Err(Refusal::InvalidCredentials.into());
    }
    if banned {
        return Err(Refusal::UserBanned.into());
    }
    match contact.confirmed(&user) {
        Err(_) if protected => {
            remind(ctx, contact, &user).await;
            Err(Refusal::InvalidCredentials.into())
        }
        confirmed => confirmed.map(|()| (user, stored)).map_err(Error::from),
    }
}

fn with_password(found: Option<Credentials>) -> Option<(User, Secret<String>)> {
    let Credentials { user, password_hash, .. } = found?;
    let stored = password_hash.filter(|hash| !hash.expose().is_empty())?;
    Some((user, stored))
}

/// Mails the confirmation again to somebody who is not told that it is missing. The answer is the same if that fails.
async fn remind(ctx: &Context, contact: &Contact, user: &User) {
    if matches!(contact, Contact::Phone(_)) {
        return;
    }
    let applicant = Applicant { contact, challenge: None, channel: Channel::Sms, data: &user.user_metadata };
    if let Err(error) = confirmation::send_again(ctx, user, applicant).await {
        tracing::debug!(%error, "confirmation not sent again");
    }
}

/// Writes down a refused sign-in, where the project wants that.
async fn note_failure(ctx: &Context, contact: &Contact, refusal: &Refusal) -> Result<()> {
    ctx.write_failure(|| {
        let traits = json!({ "provider": contact.provider(), "reason": refusal.wire().code });
        ctx.audit(audit::by_stranger(contact.as_str(), audit::LOGIN_FAILED, traits))
    })
    .await
}
