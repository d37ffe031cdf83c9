//! Somebody links an identity to the account he is signed in to (§3.9).

use domain::account::{Address, Addresses, address_of_link, may_come_in};
use domain::ids::UserId;
use domain::refusal::ProviderRefusal;
use storage::Tx;

use super::entry::Entry;
use super::facts::known;
use super::sign_in::mail;
use super::{Admission, Arrival};
use crate::context::Context;
use crate::error::Result;
use crate::notices::Notice;
use crate::settle::{Given, Step};
use crate::user_update::taken;
use crate::{change_contact, discretion};

/// Links.
pub(super) async fn admit(
    ctx: &Context,
    tx: &mut Tx,
    given: &Given,
    arrival: &Arrival<'_>,
    user: UserId,
) -> Result<Admission> {
    let user_id = user;
    let user = tx.users().lock(user_id).await?.ok_or(ProviderRefusal::LinkTargetGone)?.user;
    if user.deleted_at.is_some() {
        return Err(ProviderRefusal::LinkTargetGone.into());
    }
    may_come_in(&user, ctx.now)?;
    match known(tx, arrival).await? {
        Some(identity) if identity.user_id == user.id => return Err(ProviderRefusal::IdentityAlreadyLinked.into()),
        Some(_) => return Err(ProviderRefusal::IdentityOfAnother.into()),
        None => {}
    }
    let address = address_of_link(&user, &Addresses::of(arrival.profile));
    let Some(mut entry) = Entry::by_new(ctx, tx, arrival, user).await? else {
        return Ok(Admission::Waits(Step::Again));
    };
    entry.log_link(ctx, tx).await?;
    let conflict = || taken(ProviderRefusal::LinkedEmailExists.into());
    match address {
        Address::Stays => entry.write(ctx, tx).await?,
        Address::Taken(email) => {
            entry.changes.email = Some(Some(email));
            entry.changes.is_anonymous = Some(false);
            change_contact::confirm_email(ctx, &entry.before, &mut entry.changes);
            entry.write(ctx, tx).await.map_err(conflict())?;
        }
        Address::Claimed(email) if discretion::is_on(ctx) => {
            entry.write_as_it_is(ctx, tx).await?;
            return claim_quietly(ctx, tx, given, arrival, user_id, email).await;
        }
        Address::Claimed(email) => {
            entry.changes.email = Some(Some(email));
            entry.write_as_it_is(ctx, tx).await.map_err(conflict())?;
            let waits = mail(ctx, tx, given, entry.before.id).await?;
            let refusal = ProviderRefusal::LinkedEmailUnverified(arrival.provider.to_owned());
            return Ok(Admission::Waits(waits.unwrap_or(Step::Refused(refusal.into()))));
        }
        Address::Missing => return Err(ProviderRefusal::LinkedEmailMissing.into()),
    }
    entry.notices.push(Notice::IdentityLinked { provider: arrival.provider.to_owned() });
    entry.admitted(tx).await
}

/// Where the project does not tell whose an address is, it waits as a change does: the account looks the same whether somebody
/// has the address or nobody.
async fn claim_quietly(
    ctx: &Context,
    tx: &mut Tx,
    given: &Given,
    arrival: &Arrival<'_>,
    user: UserId,
    email: String,
) -> Result<Admission> {
    let Some(user) = tx.users().read(user).await? else { return Ok(Admission::Waits(Step::Again)) };
    let Some(prepared) = given.change_for(&user, &email) else {
        return Ok(Admission::Waits(Step::NeedsChange(Box::new(user), email)));
    };
    prepared.write(ctx, tx, &user).await?;
    let refusal = ProviderRefusal::LinkedEmailUnverified(arrival.provider.to_owned());
    Ok(Admission::Waits(Step::Refused(refusal.into())))
}
