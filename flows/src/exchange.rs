//! `POST /token?grant_type=pkce` (`contract/core.md` §13.3): trades a code for a session, once.

use crypto::pkce;
use domain::pkce::Exchange;
use domain::refusal::Refusal;
use domain::tokens::IssuedSession;
use serde_json::json;

use crate::context::Context;
use crate::error::Result;
use crate::limits::{self, Limited};
use crate::{audit, confirmation, one_time};

/// Life of a flow, in seconds.
const FLOW_LIFE: i64 = 300;

/// Trades an authorization code and its verifier.
pub async fn exchange(ctx: &Context, request: Exchange) -> Result<IssuedSession> {
    limits::per_address(ctx, Limited::Token).await?;
    if request.auth_code.expose().is_empty() || request.code_verifier.expose().is_empty() {
        return Err(Refusal::PkceFieldsRequired.into());
    }
    let hash = one_time::stored(ctx, request.auth_code.expose());
    let mut tx = ctx.store().begin().await?;
    let flow = tx.flow_states().find_by_code(&hash).await?.ok_or(Refusal::FlowStateNotFound)?;
    let user_id = flow.user_id.ok_or(Refusal::FlowStateNotFound)?;
    let since = match flow.authentication_method.as_str() {
        "magiclink" => flow.auth_code_issued_at.unwrap_or(flow.created_at),
        _ => flow.created_at,
    };
    if ctx.now > since.plus_seconds(FLOW_LIFE) {
        return Err(Refusal::FlowStateExpired.into());
    }
    let (method, challenge) = flow.challenge.as_ref().ok_or(Refusal::FlowStateNotFound)?;
    if !pkce::verify(method.as_str(), challenge, request.code_verifier.expose()) {
        return Err(Refusal::BadCodeVerifier.into());
    }
    let user = tx.users().lock(user_id).await?.ok_or(Refusal::FlowStateNotFound)?.user;
    if user.deleted_at.is_some() {
        return Err(Refusal::FlowStateNotFound.into());
    }
    if user.is_banned(ctx.now) {
        return Err(Refusal::BearerUserBanned.into());
    }
    if !tx.flow_states().consume(flow.id).await? {
        return Err(Refusal::FlowStateNotFound.into());
    }
    let traits = json!({ "provider_type": flow.provider_type });
    ctx.write_audit(&mut tx, audit::by_user(&user, audit::LOGIN, traits)).await?;
    let opened = confirmation::open_in(ctx, &mut tx, &user, &flow.authentication_method).await?;
    tx.commit().await?;
    opened.finish(ctx).await
}
