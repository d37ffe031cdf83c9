//! `GET /user/identities/authorize` (`contract/mfa-passkeys-oauth.md` §3.9).

use domain::authorize::Redirect;
use domain::link_identity::Request;
use domain::refusal::ProviderRefusal;
use domain::step_up::Operation;

use crate::authenticate;
use crate::authorize::depart;
use crate::context::Context;
use crate::error::Result;
use crate::step_up::{self, Proofs};

/// Sends a signed-in browser to a provider whose identity is to be linked.
pub async fn link_identity(ctx: &Context, request: Request) -> Result<Redirect> {
    let bearer = authenticate::user(ctx, &request.bearer).await?;
    if !ctx.policy().security_manual_linking_enabled {
        return Err(ProviderRefusal::ManualLinkingDisabled.into());
    }
    step_up::demand(ctx, Operation::IdentityLink, &bearer, Proofs::none()).await?;
    depart(ctx, &request.departure, Some(&bearer)).await
}
