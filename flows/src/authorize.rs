//! `GET /authorize` (`contract/mfa-passkeys-oauth.md` §3.2).

use domain::authorize::{Redirect, Request, answers_by_form, binds_browser};
use domain::provider::Departure;
use domain::redirect;
use domain::refusal::ProviderRefusal;
use domain::secret::Secret;
use outbound::providers::ProviderError;
use storage::{NewFlowState, TokenKind};

use crate::authenticate::Authenticated;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::oauth_state::State;
use crate::{connection, one_time};

/// The authentication method of sessions that a sign-in at a provider opens.
pub(crate) const METHOD: &str = "oauth";

/// Sends a browser to a provider.
pub async fn authorize(ctx: &Context, request: Request) -> Result<Redirect> {
    depart(ctx, &request, None).await
}

/// Begins the flow that `request` describes; what it ends with is linked to the account of `linking`, if there is one, as
/// long as his session lives.
pub(crate) async fn depart(ctx: &Context, request: &Request, linking: Option<&Authenticated>) -> Result<Redirect> {
    let policy = ctx.policy();
    let connection = connection::of(&ctx.tenant, &request.provider).await?.map_err(ProviderRefusal::Unsupported)?;
    let invite_token = invitation(ctx, &request.invite_token).await?;
    let challenge = request.challenge(policy.pkce_required)?;
    request.check_scopes(&connection, policy)?;
    // A link begins in a script, whose answer is no page of the browser; whose account it is for is settled already.
    let is_bound = linking.is_none() && binds_browser(policy, &ctx.tenant.base_url);
    let state = State::fresh(ctx, connection.strict, is_bound);
    let departure = Departure {
        state: state.text(),
        scopes: request.scopes.clone(),
        parameters: request.forwarded(),
        code_verifier: state.code_verifier(ctx),
        nonce: state.nonce(ctx),
    };
    let left = ctx.services.providers.depart(ctx.tenant.project.id, &connection, &departure).await;
    let url = left.map_err(|error| stayed(error, &connection.name))?;
    let flow = NewFlowState {
        id: state.row(ctx),
        user_id: None,
        challenge: challenge.map(|challenge| (challenge.method(), challenge.value().to_owned())),
        provider_type: connection.name.clone(),
        authentication_method: METHOD.to_owned(),
        referrer: Some(redirect::choose(&ctx.caller.redirect_candidates, policy)),
        invite_token,
        linking_target: linking.map(|bearer| bearer.user.id),
        linking_session: linking.and_then(|bearer| bearer.session.as_ref()).map(|session| session.id),
        email_optional: connection.settings.email_optional,
        now: ctx.now,
    };
    ctx.store().insert_flow_state(flow).await?;
    let cookie = is_bound.then(|| state.cookie(ctx, &request.cookie, answers_by_form(&connection)));
    Ok(Redirect { url, cookie })
}

/// The stored form of an invitation's token.
async fn invitation(ctx: &Context, token: &Secret<String>) -> Result<Option<String>> {
    if token.expose().is_empty() {
        return Ok(None);
    }
    // The answer tells whether the token is good, as that of `/verify` does.
    limits::per_address(ctx, Limited::Verify).await?;
    let mut tx = ctx.store().begin().await?;
    let found = one_time::find(ctx, &mut tx, token, &[TokenKind::Confirmation]).await?;
    Ok(Some(found.ok_or(ProviderRefusal::InviteTokenUnknown)?.hash))
}

/// Why there is no page to go to.
fn stayed(error: ProviderError, provider: &str) -> Error {
    match error {
        ProviderError::Discovery(reason) => ProviderRefusal::Unsupported(reason).into(),
        ProviderError::Code | ProviderError::Profile | ProviderError::Unavailable | ProviderError::Host => {
            ProviderRefusal::Unavailable(provider.to_owned()).into()
        }
    }
}
