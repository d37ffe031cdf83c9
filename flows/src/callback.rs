//! `GET` and `POST /callback` (`contract/mfa-passkeys-oauth.md` §3.3, §3.4): a browser comes back from a provider. The provider
//! is asked while no connection is held; one transaction then uses the state up, decides whose account it is, and opens the
//! session or stores the code of a flow that began with a challenge.

use async_trait::async_trait;
use domain::callback::{Landing, Outcome, Request, is_answered_by};
use domain::ids::UserId;
use domain::pkce::is_expired;
use domain::provider::{Connection, ProviderTokens, Return, SignedIn};
use domain::redirect;
use domain::refusal::{ProviderRefusal, Refusal};
use domain::secret::Secret;
use outbound::providers::ProviderError;
use storage::{FlowState, Tx};

use crate::account::{Admission, Arrival, Gets, Way, admit};
use crate::authorize::METHOD;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::oauth_state::{State, sealed};
use crate::settle::{End, Given, Proving, Settled, Step, open, settle};
use crate::{connection, one_time};

/// The provider that speaks OAuth 1.0a.
const TWITTER: &str = "twitter";

/// Letters of a refused code that the answer repeats.
const CODE_START: usize = 4;

/// Ends a sign-in at a provider. Whatever goes wrong becomes part of the redirect: whoever comes back is in the app in any case.
pub async fn callback(ctx: &Context, request: Request) -> Result<Landing> {
    let site = ctx.policy().site_url.clone();
    let (state, flow) = match find(ctx, &request).await {
        Ok(found) => found,
        Err(Error::Refused(refusal)) => return Ok(Landing { target: site, outcome: Outcome::NoFlow(refusal) }),
        Err(error) => return Err(error),
    };
    // The list of targets may have changed while the person was away.
    let kept = flow.referrer.as_deref().and_then(|target| redirect::allowed(target, ctx.policy()));
    let target = kept.unwrap_or_else(|| site.clone());
    let outcome = match arrive(ctx, request, &state, flow).await {
        Ok(outcome) => outcome,
        Err(Error::Refused(refusal)) if is_of_flow(&refusal) => {
            return Ok(Landing { target: site, outcome: Outcome::NoFlow(refusal) });
        }
        Err(Error::Refused(refusal)) => Outcome::Refused(refusal),
        Err(Error::Fault(source)) => {
            tracing::error!(error = %source, request = ctx.caller.request_id, "a sign-in at a provider could not be ended");
            Outcome::Refused(Refusal::LinkFailed)
        }
        Err(error) => return Err(error),
    };
    Ok(Landing { target, outcome })
}

/// The flow of the state, if this browser can still end it.
async fn find(ctx: &Context, request: &Request) -> Result<(State, FlowState)> {
    if request.state.is_empty() {
        return Err(ProviderRefusal::StateMissing.into());
    }
    let state = State::parse(&request.state).ok_or(ProviderRefusal::StateInvalid)?;
    let flow = ctx.store().read_flow_state(state.row(ctx)).await?;
    let flow = flow.filter(|flow| flow.authentication_method == METHOD).ok_or(ProviderRefusal::StateUnknown)?;
    if state.is_bound() && !state.is_marked(ctx, &request.cookie) {
        return Err(ProviderRefusal::StateInvalid.into());
    }
    if is_expired(METHOD, flow.created_at, None, ctx.now) {
        return Err(ProviderRefusal::StateExpired.into());
    }
    if flow.user_id.is_some() {
        return Err(ProviderRefusal::StateUsed.into());
    }
    if let Some(target) = flow.linking_target {
        let found = ctx.store().read_user(target, flow.linking_session).await?;
        let found = found.filter(|found| found.user.deleted_at.is_none()).ok_or(ProviderRefusal::LinkTargetGone)?;
        if flow.linking_session.is_some() && found.session.is_none() {
            return Err(Refusal::BearerSessionNotFound.into());
        }
    }
    Ok((state, flow))
}

/// Whether a refusal is about the flow itself, which then says nothing about where to go any more.
fn is_of_flow(refusal: &Refusal) -> bool {
    use ProviderRefusal::{LinkTargetGone, StateUnknown, StateUsed};
    matches!(refusal, Refusal::Provider(StateUnknown | StateUsed | LinkTargetGone) | Refusal::BearerSessionNotFound)
}

async fn arrive(ctx: &Context, request: Request, state: &State, flow: FlowState) -> Result<Outcome> {
    if flow.linking_target.is_some() && !ctx.policy().security_manual_linking_enabled {
        return Err(ProviderRefusal::ManualLinkingDisabled.into());
    }
    let connection = connection::of(&ctx.tenant, &flow.provider_type).await?;
    let connection = connection.map(|connection| Connection { strict: state.is_strict(), ..connection });
    let is_foreign = |connection| !request.iss.is_empty() && !is_answered_by(connection, &request.iss);
    if connection.as_ref().is_ok_and(is_foreign) {
        return Err(ProviderRefusal::ForeignAnswer.into());
    }
    if !request.error.is_empty() {
        let Request { error, error_description: description, .. } = request;
        return Ok(Outcome::ProviderRefused { error, description });
    }
    let by_twitter = flow.provider_type == TWITTER;
    let (code, none) = match by_twitter {
        true => (request.oauth_verifier, ProviderRefusal::TokenFailed),
        false => (request.code, ProviderRefusal::CodeMissing),
    };
    if code.expose().is_empty() {
        return Err(none.into());
    }
    let connection = connection.map_err(ProviderRefusal::NotSupported)?;
    let start: String = code.expose().chars().take(CODE_START).collect();
    let back = Return {
        code,
        oauth_token: request.oauth_token,
        user: request.user,
        code_verifier: state.code_verifier(ctx),
        nonce: state.nonce(ctx),
    };
    let arrived = ctx.services.providers.arrive(ctx.tenant.project.id, &connection, &back).await;
    let signed_in = arrived.map_err(|error| match error {
        ProviderError::Discovery(reason) => ProviderRefusal::NotSupported(reason),
        ProviderError::Code if by_twitter => ProviderRefusal::TokenFailed,
        ProviderError::Code => ProviderRefusal::CodeRefused(start),
        ProviderError::Profile if by_twitter => ProviderRefusal::EmailMissing,
        ProviderError::Profile => ProviderRefusal::ProfileFailed,
        ProviderError::Unavailable | ProviderError::Host => ProviderRefusal::Unavailable(connection.name),
    })?;
    land(ctx, Ending { flow, signed_in }).await
}

/// Ends the flow with what the provider says.
async fn land(ctx: &Context, ending: Ending) -> Result<Outcome> {
    let profile = &ending.signed_in.profile;
    // An empty profile is nobody's.
    if profile.subject.is_empty() {
        return Err(ProviderRefusal::ProfileFailed.into());
    }
    if !ending.flow.email_optional && profile.emails.iter().all(|address| address.email.is_empty()) {
        return Err(ProviderRefusal::EmailMissing.into());
    }
    match settle(ctx, &ending).await? {
        Settled::Session(session) => Ok(Outcome::Session { session, tokens: ending.signed_in.tokens }),
        Settled::Code(code) => Ok(Outcome::Code(code)),
        Settled::Plain | Settled::HalfDone => {
            Err(Error::fault("a sign-in at a provider with neither session nor code"))
        }
    }
}

/// A flow whose person has signed in at the provider.
struct Ending {
    flow: FlowState,
    signed_in: SignedIn,
}

impl Ending {
    fn is_implicit(&self) -> bool {
        self.flow.challenge.is_none()
    }

    /// Uses the state up, or keeps everybody else from it until this transaction ends. One caller gets past here.
    async fn claim(&self, tx: &mut Tx) -> Result<()> {
        let mut flows = tx.flow_states();
        match self.is_implicit() {
            true if flows.consume(self.flow.id).await? => Ok(()),
            true => Err(ProviderRefusal::StateUnknown.into()),
            false if flows.lock(self.flow.id).await? => Ok(()),
            false => Err(ProviderRefusal::StateUsed.into()),
        }
    }

    /// Stores the code of the flow, its hash only, and seals what the provider gave until the code is traded.
    async fn finish(&self, ctx: &Context, tx: &mut Tx, user: UserId) -> Result<Secret<String>> {
        let (id, tokens) = (self.flow.id, &self.signed_in.tokens);
        let ProviderTokens { access_token, refresh_token } = sealed(ctx, id, tokens);
        let code = ctx.entropy().uuid().to_string();
        let hash = one_time::stored(ctx, &code);
        let mut flows = tx.flow_states();
        match flows.finish(id, user, &hash, access_token.expose(), refresh_token.expose(), ctx.now).await? {
            true => Ok(Secret::new(code)),
            false => Err(ProviderRefusal::StateUsed.into()),
        }
    }
}

#[async_trait]
impl Proving for Ending {
    async fn run(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step> {
        self.claim(tx).await?;
        let flow = &self.flow;
        let way = match (flow.linking_target, &flow.invite_token) {
            (Some(user), _) => Way::Link(user),
            (None, Some(hash)) => Way::Invitation(hash),
            (None, None) => Way::SignIn,
        };
        let arrival = Arrival {
            provider: &flow.provider_type,
            profile: &self.signed_in.profile,
            also_known_as: &[],
            email_optional: flow.email_optional,
            way,
            gets: if self.is_implicit() { Gets::Session } else { Gets::Code },
        };
        let admitted = match admit(ctx, tx, given, &arrival).await? {
            Admission::Admitted(admitted) => admitted,
            Admission::Waits(step) => {
                // What was written for a sign-in that needs a confirmation is written once.
                if matches!(step, Step::Refused(_) | Step::MadeAndRefused(..)) && !self.is_implicit() {
                    tx.flow_states().consume(flow.id).await?;
                }
                return Ok(step);
            }
        };
        // Whoever was thrown out of an account links nothing to it any more.
        if let Some(session) = flow.linking_session
            && tx.sessions().read(session).await?.is_none()
        {
            return Err(Refusal::BearerSessionNotFound.into());
        }
        let end = match self.is_implicit() {
            true => open(ctx, tx, given, &admitted.before, METHOD).await?,
            false => End::Code(self.finish(ctx, tx, admitted.user.id).await?),
        };
        Ok(admitted.done(end))
    }
}
