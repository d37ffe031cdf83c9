//! `POST /token?grant_type=pkce` (`contract/core.md` §13.3): trades a code for a session, once.

use async_trait::async_trait;
use crypto::pkce;
use domain::pkce::{Exchange, is_expired};
use domain::provider::ProviderTokens;
use domain::refusal::{ProviderRefusal, Refusal};
use domain::tokens::IssuedSession;
use serde_json::json;
use storage::{Tx, UserChanges};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::limits::{self, Limited};
use crate::settle::{Done, Given, Proving, Settled, Step, open, settle};
use crate::{audit, authorize, connection, oauth_state, one_time};

/// Trades an authorization code and its verifier.
pub async fn exchange(ctx: &Context, request: Exchange) -> Result<IssuedSession> {
    limits::per_address(ctx, Limited::Token).await?;
    if request.auth_code.expose().is_empty() || request.code_verifier.expose().is_empty() {
        return Err(Refusal::PkceFieldsRequired.into());
    }
    match settle(ctx, &request).await? {
        Settled::Session(session) => Ok(*session),
        Settled::Code(_) | Settled::Plain | Settled::HalfDone => Err(Error::fault("an exchange without a session")),
    }
}

#[async_trait]
impl Proving for Exchange {
    async fn run(&self, ctx: &Context, tx: &mut Tx, given: &Given) -> Result<Step> {
        let hash = one_time::stored(ctx, self.auth_code.expose());
        let flow = tx.flow_states().find_by_code(&hash).await?.ok_or(Refusal::FlowStateNotFound)?;
        let user_id = flow.user_id.ok_or(Refusal::FlowStateNotFound)?;
        if is_expired(&flow.authentication_method, flow.created_at, flow.auth_code_issued_at, ctx.now) {
            return Err(Refusal::FlowStateExpired.into());
        }
        let (method, challenge) = flow.challenge.as_ref().ok_or(Refusal::FlowStateNotFound)?;
        if !pkce::verify(method.as_str(), challenge, self.code_verifier.expose()) {
            return Err(Refusal::BadCodeVerifier.into());
        }
        let user = tx.users().lock(user_id).await?.ok_or(Refusal::FlowStateNotFound)?.user;
        if user.deleted_at.is_some() {
            return Err(Refusal::FlowStateNotFound.into());
        }
        if user.is_banned(ctx.now) {
            return Err(Refusal::BearerUserBanned.into());
        }
        if flow.authentication_method == authorize::METHOD {
            let usable = connection::is_usable(ctx, tx, &flow.provider_type).await?;
            usable.map_err(ProviderRefusal::NotSupported)?;
            // A code from before somebody proved the address may be another person's.
            if user.email_confirmed_at > flow.auth_code_issued_at {
                return Err(Refusal::FlowStateNotFound.into());
            }
        }
        // Exactly one caller gets past the guarded delete.
        if !tx.flow_states().consume(flow.id).await? {
            return Err(Refusal::FlowStateNotFound.into());
        }
        let traits = json!({ "provider_type": flow.provider_type });
        ctx.write_audit(tx, audit::by_user(&user, audit::LOGIN, traits)).await?;
        let signed_in = UserChanges { last_sign_in_at: Some(Some(ctx.now)), ..UserChanges::default() };
        tx.users().update(user.id, signed_in, ctx.now).await?;
        let mut end = open(ctx, tx, given, &user, &flow.authentication_method).await?;
        let (access_token, refresh_token) = (flow.provider_access_token, flow.provider_refresh_token);
        if let Some(tokens) = oauth_state::opened(ctx, flow.id, ProviderTokens { access_token, refresh_token })? {
            end = end.handing(tokens);
        }
        let user = tx.users().read(user.id).await?.ok_or(Refusal::BearerUserNotFound)?;
        Ok(Step::Done(Box::new(Done { end, user, ended: Vec::new(), notices: Vec::new() })))
    }
}
