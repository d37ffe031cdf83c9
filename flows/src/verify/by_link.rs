//! A link proves: its token, as it stands there.

use async_trait::async_trait;
use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::user::User;
use domain::verify::Kind;
use storage::{OneTimeToken, TokenKind, Tx};

use super::effects::{self, Proven};
use super::{belongs, has_expired, tokens_of};
use crate::context::Context;
use crate::error::Result;
use crate::one_time;
use crate::settle::{Given, Gives, Proving, Step};

/// Consumes the token of a link.
pub(super) struct ByLink {
    pub(super) kind: Kind,
    pub(super) token: Secret<String>,
    /// What the link gives.
    pub(super) gives: Gives,
    /// The new password of a recovery or an invitation.
    pub(super) password: Option<Secret<String>>,
}

#[async_trait]
impl Proving for ByLink {
    async fn run(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step> {
        let token = find(ctx, tx, self.kind, &self.token).await?;
        let locked = tx.users().lock(token.user_id).await?.ok_or(Refusal::LinkExpired)?;
        check(ctx, self.kind, &locked.user, &token)?;
        // Exactly one caller gets past the guarded delete.
        if !tx.one_time_tokens().consume(token.id).await? {
            return Err(Refusal::LinkExpired.into());
        }
        let proven = Proven {
            kind: self.kind,
            locked,
            token: token.kind,
            sent_at: Some(token.created_at),
            gives: self.gives,
            password: self.password.as_ref(),
        };
        effects::apply(ctx, tx, given, proven).await
    }
}

/// Whether a link would be taken; nothing is used up.
pub(super) async fn look(ctx: &Context, kind: Kind, token: &Secret<String>) -> Result<()> {
    let mut tx = ctx.store().begin().await?;
    let token = find(ctx, &mut tx, kind, token).await?;
    let user = tx.users().read(token.user_id).await?.ok_or(Refusal::LinkExpired)?;
    check(ctx, kind, &user, &token)
}

/// What a link of `kind` is: `email` stands for a sign-up or a sign-in by mail, and only the token tells (§15.2).
pub(super) async fn resolve(ctx: &Context, kind: Kind, token: &Secret<String>) -> Result<Kind> {
    if kind != Kind::Email {
        return Ok(kind);
    }
    let mut tx = ctx.store().begin().await?;
    let found = find(ctx, &mut tx, kind, token).await?;
    Ok(if found.kind == TokenKind::Confirmation { Kind::Signup } else { Kind::MagicLink })
}

async fn find(ctx: &Context, tx: &mut Tx, kind: Kind, token: &Secret<String>) -> Result<OneTimeToken> {
    Ok(one_time::find(ctx, tx, token, tokens_of(kind)).await?.ok_or(Refusal::LinkExpired)?)
}

fn check(ctx: &Context, kind: Kind, user: &User, token: &OneTimeToken) -> Result<()> {
    if user.is_banned(ctx.now) {
        return Err(Refusal::BearerUserBanned.into());
    }
    if !belongs(kind, user, token) || has_expired(ctx, kind, user, token) {
        return Err(Refusal::LinkExpired.into());
    }
    Ok(())
}
