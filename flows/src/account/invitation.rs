//! Somebody accepts an invitation through a provider (§3.7): his address there, verified, is the invited one.

use domain::account::{Addresses, may_come_in};
use domain::refusal::ProviderRefusal;
use domain::verify::Kind;
use storage::{TokenKind, Tx};

use super::entry::Entry;
use super::facts::known;
use super::{Admission, Arrival};
use crate::context::Context;
use crate::error::Result;
use crate::settle::Step;
use crate::{audit, verify};

/// Lets the invited in.
pub(super) async fn admit(ctx: &Context, tx: &mut Tx, arrival: &Arrival<'_>, hash: &str) -> Result<Admission> {
    let token = tx.one_time_tokens().find_by_hash(hash, &[TokenKind::Confirmation]).await?;
    let token = token.ok_or(ProviderRefusal::InviteNotFound)?;
    let user = tx.users().lock(token.user_id).await?.ok_or(ProviderRefusal::InviteNotFound)?.user;
    may_come_in(&user, ctx.now)?;
    let alive = verify::belongs(Kind::Invite, &user, &token) && !verify::has_expired(ctx, Kind::Invite, &user, &token);
    if user.invited_at.is_none() || !alive {
        return Err(ProviderRefusal::InviteNotFound.into());
    }
    let addresses = Addresses::of(arrival.profile);
    if !user.email.as_ref().is_some_and(|invited| addresses.proves(invited)) {
        return Err(ProviderRefusal::InviteForAnother.into());
    }
    // Exactly one caller gets past the guarded delete.
    if !tx.one_time_tokens().consume(token.id).await? {
        return Err(ProviderRefusal::InviteNotFound.into());
    }
    let entry = match known(tx, arrival).await? {
        Some(identity) if identity.user_id != user.id => return Err(ProviderRefusal::IdentityOfAnother.into()),
        Some(identity) => Entry::by_own(ctx, tx, arrival, user, &identity).await?,
        None => Entry::by_new(ctx, tx, arrival, user).await?,
    };
    let Some(mut entry) = entry else { return Ok(Admission::Waits(Step::Again)) };
    entry.log(ctx, tx, audit::INVITE_ACCEPTED).await?;
    entry.merge();
    if entry.before.email_confirmed_at.is_none() {
        entry.take_over(ctx, tx).await?;
    }
    entry.write(ctx, tx).await?;
    entry.admitted(tx).await
}
