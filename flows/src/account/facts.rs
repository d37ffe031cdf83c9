//! What the decision hangs on, as the database has it.

use domain::account::{Addresses, HeldBy, Holding, is_proven, is_verified};
use domain::config::Policy;
use domain::ids::UserId;
use domain::user::{Identity, User};
use storage::Tx;

use super::Arrival;
use crate::context::Context;
use crate::error::Result;

/// The identity that somebody has proven, if an account has it.
pub(super) async fn known(tx: &mut Tx, arrival: &Arrival<'_>) -> Result<Option<Identity>> {
    let (subject, spellings) = (&arrival.profile.subject, arrival.also_known_as);
    let first = (!spellings.contains(subject)).then_some(subject);
    for subject in first.into_iter().chain(spellings) {
        if let Some(identity) = tx.identities().find(arrival.provider, subject).await? {
            return Ok(Some(identity));
        }
    }
    Ok(None)
}

/// How accounts hold the addresses that matter.
pub(super) async fn holdings(ctx: &Context, tx: &mut Tx, addresses: &Addresses) -> Result<Vec<Holding>> {
    let wanted = addresses.to_look_for();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut users: Vec<UserId> = tx.users().by_emails(&wanted).await?;
    users.extend(tx.identities().by_emails(&wanted).await?.iter().map(|identity| identity.user_id));
    users.sort_unstable();
    users.dedup();
    let mut holdings = Vec::new();
    for id in users {
        if let Some(user) = tx.users().read(id).await?.filter(|user| user.deleted_at.is_none()) {
            holdings.extend(of_user(&user, &wanted, ctx.policy()));
        }
    }
    Ok(holdings)
}

fn of_user(user: &User, wanted: &[String], policy: &Policy) -> Vec<Holding> {
    let confirmed = is_proven(user, policy);
    let own = user.email.clone().map(|address| (address, HeldBy::Account { confirmed }));
    let by_identities = user.identities.iter().filter_map(|identity| {
        let by = HeldBy::Identity { provider: identity.provider.clone(), verified: is_verified(identity) };
        Some((identity.email()?, by))
    });
    own.into_iter()
        .chain(by_identities)
        .filter(|(address, _)| wanted.contains(address))
        .map(|(address, by)| Holding { user: user.id, is_sso: user.is_sso_user, address, by })
        .collect()
}
