//! `POST /token?grant_type=id_token` (`contract/mfa-passkeys-oauth.md` §5): a session for an ID token of an issuer that the project
//! trusts, or its identity for the account that asks. The issuer is asked for its keys while no connection is held.

use async_trait::async_trait;
use crypto::digest::sha256_hex;
use crypto::jwt::claimed_issuer;
use domain::id_token::{self, Body, Choice, Nonce, Request, Trust};
use domain::ids::{SessionId, UserId};
use domain::provider::IdToken;
use domain::refusal::{ProviderRefusal, Refusal};
use domain::request::Bearer;
use domain::step_up::Operation;
use domain::tokens::IssuedSession;
use outbound::providers::IdTokenError;
use storage::Tx;

use crate::account::{self, Admission, Arrival, Gets, Way};
use crate::authenticate;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::settle::{Given, Proving, Settled, Step, open, settle};
use crate::step_up::{self, Proofs};

/// The method in sessions, and what the hook hears.
const METHOD: &str = "oauth";

/// Opens a session for an ID token, or links its identity.
pub async fn id_token(ctx: &Context, request: Request) -> Result<IssuedSession> {
    limits::per_address(ctx, Limited::Token).await?;
    let body = request.body?;
    body.check()?;
    let owner = match body.link_identity {
        true if !request.has_authorization => return Err(ProviderRefusal::LinkNeedsAuthorization.into()),
        true => Some(owner(ctx, &request.bearer).await?),
        false => None,
    };
    let trust = trusted(ctx, &body).await?;
    let token = verified(ctx, &trust, &body).await?;
    match settle(ctx, &ByIdToken { trust, token, owner }).await? {
        Settled::Session(issued) => Ok(*issued),
        _ => Err(Error::fault("something else in place of tokens")),
    }
}

/// Whose account an identity is to be linked to.
struct Owner {
    user: UserId,
    /// The session in which he asks for it.
    session: Option<SessionId>,
}

async fn owner(ctx: &Context, bearer: &Bearer) -> Result<Owner> {
    let authenticated = authenticate::user(ctx, bearer).await?;
    id_token::check_linking(ctx.policy())?;
    step_up::demand(ctx, Operation::IdentityLink, &authenticated, Proofs::none()).await?;
    Ok(Owner { user: authenticated.user.id, session: authenticated.session.map(|session| session.id) })
}

async fn trusted(ctx: &Context, body: &Body) -> Result<Trust> {
    let claimed = claimed_issuer(body.id_token.expose());
    match id_token::select(body, claimed.as_deref(), &ctx.policy().oauth)? {
        Choice::Trusted(trust) => Ok(trust),
        Choice::Custom(identifier) => {
            let found = ctx.store().read_custom_provider(&identifier).await?;
            Ok(Trust::custom(&identifier, found.as_ref())?)
        }
    }
}

/// The token, where its issuer has issued it for this project and for this request.
async fn verified(ctx: &Context, trust: &Trust, body: &Body) -> Result<IdToken> {
    let access_token = Some(&body.access_token).filter(|token| !token.expose().is_empty());
    let verified = ctx.services.providers.id_token(&trust.issuer, &body.id_token, access_token).await;
    let token = verified.map_err(|error| match error {
        IdTokenError::Bad => Error::from(ProviderRefusal::IdTokenBad),
        IdTokenError::Issuer(_) => Error::fault(error),
    })?;
    let nonce =
        Nonce { sent: &body.nonce, digest: &sha256_hex(&body.nonce), required: ctx.policy().oauth.nonce_required };
    trust.judge(&token, nonce)?;
    Ok(token)
}

struct ByIdToken {
    trust: Trust,
    token: IdToken,
    owner: Option<Owner>,
}

#[async_trait]
impl Proving for ByIdToken {
    async fn run(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step> {
        let arrival = Arrival {
            provider: &self.trust.provider,
            profile: &self.token.profile,
            also_known_as: &[],
            email_optional: self.trust.email_optional,
            way: self.owner.as_ref().map_or(Way::SignIn, |owner| Way::Link(owner.user)),
            gets: Gets::Session,
        };
        let admitted = match account::admit(ctx, tx, given, &arrival).await? {
            Admission::Waits(step) => return Ok(step),
            Admission::Admitted(admitted) => admitted,
        };
        // A link that was begun in a session dies with it.
        if let Some(session) = self.owner.as_ref().and_then(|owner| owner.session)
            && tx.sessions().read(session).await?.is_none()
        {
            return Err(Refusal::BearerSessionNotFound.into());
        }
        let end = open(ctx, tx, given, &admitted.before, METHOD).await?;
        Ok(admitted.done(end))
    }
}
