//! Sign-ups that must be confirmed by mail: the message, and what happens when it is answered.

use domain::contact::Contact;
use domain::ids::UserId;
use domain::pkce::Challenge;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::signup::Answer;
use domain::tokens::IssuedSession;
use domain::user::{Metadata, User};
use outbound::mails::Kind;
use serde_json::json;
use storage::{NewFlowState, TokenKind, Tx, UserChanges};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::new_user::{self, Proven};
use crate::signup::SignUpError;
use crate::{audit, issue, mail, one_time};

/// The method a confirmed sign-up gives its session when it began with a challenge.
const METHOD: &str = "email/signup";

/// Makes an unconfirmed account and mails its confirmation, all or nothing.
pub(crate) async fn sign_up(
    ctx: &Context,
    contact: &Contact,
    challenge: Option<&Challenge>,
    data: &Metadata,
    hash: Secret<String>,
) -> std::result::Result<Answer, SignUpError> {
    mail::count_against_limit(ctx).await?;
    let account = new_user::account(ctx, contact, data, Some(hash), Proven::Later);
    let id = account.user.id;
    let mut tx = ctx.store().begin().await?;
    tx.users().insert(&account.user, ctx.now).await?;
    let sent = UserChanges { confirmation_sent_at: Some(Some(ctx.now)), ..UserChanges::default() };
    tx.users().update(id, sent, ctx.now).await?;
    for identity in &account.identities {
        tx.identities().insert(identity, ctx.now).await?;
    }
    let traits = json!({ "provider": contact.provider() });
    ctx.write_audit(&mut tx, audit::by_user(&account.user, audit::USER_CONFIRMATION_REQUESTED, traits)).await?;
    let user = tx.users().read(id).await?.ok_or_else(|| Error::fault("new user is gone"))?;
    write_mail(ctx, &mut tx, &user, challenge).await?;
    tx.commit().await?;
    ctx.services.outbox.wake(&ctx.tenant);
    Ok(Answer::User(Box::new(user)))
}

/// Mails the confirmation of an account again, unless one went out a moment ago.
pub(crate) async fn send_again(ctx: &Context, user: &User, challenge: Option<&Challenge>) -> Result<User> {
    let mut tx = ctx.store().begin().await?;
    let locked = tx.users().lock(user.id).await?.ok_or(Refusal::SignupConflict)?.user;
    let every = ctx.policy().smtp_max_frequency;
    if let Some(refusal) = Refusal::email_cool_down(locked.confirmation_sent_at, every, ctx.now) {
        return Err(refusal.into());
    }
    mail::count_against_limit(ctx).await?;
    let changes = UserChanges { confirmation_sent_at: Some(Some(ctx.now)), ..UserChanges::default() };
    tx.users().update(user.id, changes, ctx.now).await?;
    let traits = json!({ "provider": "email" });
    ctx.write_audit(&mut tx, audit::by_user(&locked, audit::USER_CONFIRMATION_REQUESTED, traits)).await?;
    write_mail(ctx, &mut tx, &locked, challenge).await?;
    let user = tx.users().read(user.id).await?.ok_or(Refusal::SignupConflict)?;
    tx.commit().await?;
    ctx.services.outbox.wake(&ctx.tenant);
    Ok(user)
}

async fn write_mail(ctx: &Context, tx: &mut Tx, user: &User, challenge: Option<&Challenge>) -> Result<()> {
    let email = user.email.as_deref().unwrap_or_default();
    let fresh = one_time::fresh(ctx, email, challenge);
    let data = one_time::mail_data(ctx, Kind::Confirmation, email, &fresh, &user.user_metadata);
    tx.one_time_tokens().put(one_time::row(ctx, user.id, TokenKind::Confirmation, email, &fresh), ctx.now).await?;
    if let Some(challenge) = challenge {
        tx.flow_states()
            .insert(NewFlowState {
                id: ctx.entropy().uuid(),
                user_id: Some(user.id),
                challenge: Some((challenge.method(), challenge.value().to_owned())),
                provider_type: "email".to_owned(),
                authentication_method: METHOD.to_owned(),
                referrer: None,
                now: ctx.now,
            })
            .await?;
    }
    tx.outbox().put(mail::compose(ctx, Kind::Confirmation, email, &data)?).await?;
    Ok(())
}

/// Marks `contact` of `user` as proven, in the transaction that consumed the proof (`contract/core.md` §15.4).
pub(crate) async fn confirm(ctx: &Context, tx: &mut Tx, user: &User, contact: &Contact) -> Result<()> {
    let mut changes = UserChanges { confirmation_token: Some(String::new()), ..UserChanges::default() };
    match contact {
        Contact::Email(email) => {
            changes.email_confirmed_at = Some(Some(ctx.now));
            let mut metadata = user.user_metadata.clone();
            metadata.insert("email_verified".to_owned(), json!(true));
            changes.user_metadata = Some(metadata);
            for identity in &user.identities {
                if identity.email().as_deref() == Some(email) {
                    let mut data = identity.data.clone();
                    data.insert("email_verified".to_owned(), json!(true));
                    tx.identities().update_data(identity.id, &data, ctx.now).await?;
                }
            }
        }
        Contact::Phone(_) => changes.phone_confirmed_at = Some(Some(ctx.now)),
    }
    changes.is_anonymous = Some(false);
    tx.users().update(user.id, changes, ctx.now).await?;
    tx.one_time_tokens().clear(user.id).await?;
    let traits = json!({ "provider": contact.provider() });
    ctx.write_audit(tx, audit::by_user(user, audit::USER_SIGNED_UP, traits)).await?;
    Ok(())
}

/// Confirms an account whose password the request has proven, in a project that confirms without mail, and signs it in.
pub(crate) async fn confirm_by_password(ctx: &Context, user: UserId, contact: &Contact) -> Result<IssuedSession> {
    let mut tx = ctx.store().begin().await?;
    let locked = tx.users().lock(user).await?.ok_or(Refusal::UserAlreadyExists)?.user;
    confirm(ctx, &mut tx, &locked, contact).await?;
    let issued = open_in(ctx, &mut tx, &locked, "password").await?;
    tx.commit().await?;
    issued.finish(ctx).await
}

/// A session written in a transaction that is not committed yet.
pub(crate) struct Opened {
    opening: issue::Opening,
    user: User,
    session: domain::session::Session,
}

impl Opened {
    /// The tokens; to be called once the transaction is committed.
    pub(crate) async fn finish(self, ctx: &Context) -> Result<IssuedSession> {
        self.opening.finish(ctx, self.user, self.session).await
    }
}

/// Opens a session of `user` inside `tx`.
pub(crate) async fn open_in(ctx: &Context, tx: &mut Tx, user: &User, method: &str) -> Result<Opened> {
    let opening = issue::opening(ctx, user.id, method);
    let session = tx.sessions().insert(&opening.session, ctx.now).await?;
    let signed_in = UserChanges { last_sign_in_at: Some(Some(ctx.now)), ..UserChanges::default() };
    tx.users().update(user.id, signed_in, ctx.now).await?;
    let user = tx.users().read(user.id).await?.ok_or(Refusal::BearerUserNotFound)?;
    Ok(Opened { opening, user, session })
}
