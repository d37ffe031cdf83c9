//! Whether a password is good enough (`contract/core.md` §5.1, `security/advisor.md` §1.7): length and characters, the list
//! of passwords that anybody would try first, and collections of breached ones.

use domain::refusal::{Refusal, WeakPassword};
use domain::secret::Secret;
use outbound::breaches::blocklist;

use crate::context::Context;
use crate::error::Result;

/// Refuses a new password that is too long to be taken, or weak. `context` holds what is known of its owner: his address.
/// Called while no connection is held.
pub(crate) async fn accept(ctx: &Context, password: &Secret<String>, context: &[&str]) -> Result<()> {
    let breached = is_known(ctx, password, context).await?;
    match domain::password::assess(password.expose(), &ctx.policy().password, breached)? {
        Some(weak) => Err(Refusal::WeakPassword(weak).into()),
        None => Ok(()),
    }
}

/// How a password that signs in is weak, if it is: advice, never a refusal. A service that cannot be asked says nothing.
pub(crate) async fn assess(ctx: &Context, password: &Secret<String>) -> Option<WeakPassword> {
    let breached = is_known(ctx, password, &[]).await.unwrap_or(false);
    domain::password::assess(password.expose(), &ctx.policy().password, breached).unwrap_or_default()
}

/// Whether the password is common, made of what is known of its owner, or breached. Where the breach service cannot be
/// asked, the project says whether the password is refused; if not, it counts as not breached, and the list of common ones,
/// where it is on, has had its say by then.
async fn is_known(ctx: &Context, password: &Secret<String>, context: &[&str]) -> Result<bool> {
    let policy = ctx.policy();
    domain::password::check_limits(password.expose())?;
    if policy.password_blocklist_enabled && is_guessable(ctx, password.expose(), context) {
        return Ok(true);
    }
    if !policy.password_hibp_enabled {
        return Ok(false);
    }
    match ctx.services.breaches.is_breached(password).await {
        Ok(breached) => Ok(breached),
        Err(error) if policy.password_hibp_fail_closed => {
            tracing::warn!(%error, "a password could not be looked up and is refused");
            Err(Refusal::BreachCheckUnavailable.into())
        }
        Err(error) => {
            tracing::warn!(%error, "a password could not be looked up");
            Ok(false)
        }
    }
}

fn is_guessable(ctx: &Context, password: &str, context: &[&str]) -> bool {
    let site = ctx.policy().site_url.as_str();
    let host = site.split_once("://").map_or(site, |(_, rest)| rest).split(['/', ':', '?', '#']).next();
    let own = [Some(ctx.tenant.project.name.as_str()), host];
    let owner = context.iter().map(|text| text.split_once('@').map_or(*text, |(local, _)| local));
    let words: Vec<&str> = own.into_iter().flatten().chain(owner).collect();
    blocklist::is_guessable(password, &words)
}
