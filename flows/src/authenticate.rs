//! Who asks: the checks of a bearer token (`contract/core.md` §8.4, §8.5), each with at most one read.

use crypto::digest;
use domain::bearer::{self, Claims};
use domain::refusal::Refusal;
use domain::request::Bearer;
use domain::secret::Secret;
use domain::session::Session;
use domain::step_up::{Operation, Verdict, judge};
use domain::user::User;
use serde_json::Value;

use crate::context::Context;
use crate::error::Result;

/// A bearer whose user and session were found alive.
pub struct Authenticated {
    /// What the token says.
    pub claims: Claims,
    /// The user as he is now.
    pub user: User,
    /// His session; `None` for tokens without one.
    pub session: Option<Session>,
}

/// The claims of `token`: signature, times and types checked. No statement.
pub fn claims(ctx: &Context, token: &Bearer) -> Result<Claims> {
    let token = token.0.as_ref().ok_or(Refusal::NoAuthorization)?;
    if let Some(claims) = api_key_claims(ctx, token) {
        return Ok(claims);
    }
    let claims = ctx.tenant.keys.verify(token.expose(), ctx.now).map_err(|error| Refusal::BadJwt(error.to_string()))?;
    bearer::check_types(&claims)?;
    if !ctx.tenant.legacy_keys_enabled && is_legacy_key(&claims) {
        return Err(Refusal::LegacyKeysDisabled.into());
    }
    Ok(claims)
}

/// A new-style API key of the project stands for a token of its role; it never names a user
/// (`contract/management.md` §3.2).
fn api_key_claims(ctx: &Context, token: &Secret<String>) -> Option<Claims> {
    crypto::api_key::is_well_formed(token.expose())?;
    let hash = crypto::api_key::hash(token.expose());
    let known =
        ctx.tenant.api_keys.iter().find(|key| digest::constant_time_eq(key.hash.as_bytes(), hash.as_bytes()))?;
    Some(Claims::from_iter([("role".to_owned(), Value::from(known.role))]))
}

/// An old-style API key is a token of the issuer `supabase` that names a project instead of a user.
fn is_legacy_key(claims: &Claims) -> bool {
    claims.get("iss").and_then(Value::as_str) == Some("supabase") && claims.contains_key("ref")
}

/// A user's token with its user and session.
pub async fn user(ctx: &Context, token: &Bearer) -> Result<Authenticated> {
    let claims = claims(ctx, token)?;
    let id = bearer::subject(&claims)?;
    let session = bearer::session(&claims).ok().flatten();
    let found = ctx.store().read_user(id, session).await?;
    let (user, session) = found.map_or((None, None), |found| (Some(found.user), found.session));
    bearer::admit(&claims, user.as_ref(), session.as_ref(), ctx.now)?;
    let user = user.ok_or(Refusal::BearerUserNotFound)?;
    Ok(Authenticated { claims, user, session })
}

/// A user's token that is no guest's, as the token says.
pub async fn member(ctx: &Context, token: &Bearer) -> Result<Authenticated> {
    let authenticated = user(ctx, token).await?;
    if authenticated.claims.get("is_anonymous") == Some(&Value::Bool(true)) {
        return Err(Refusal::AnonymousNotAllowed.into());
    }
    Ok(authenticated)
}

/// An admin's token: a key of the project, or a person whose role is one of the project's admin roles. A person must have
/// used a second factor lately, where the project asks for that; keys have no session and are machines. Gives the role.
pub async fn admin(ctx: &Context, token: &Bearer) -> Result<String> {
    let claims = claims(ctx, token)?;
    let (mut user, mut session) = (None, None);
    if let Some((id, session_id)) = bearer::admin_session(&claims)?
        && let Some(found) = ctx.store().read_user(id, session_id).await?
    {
        (user, session) = (Some(found.user), found.session);
    }
    bearer::admit_admin(&claims, user.as_ref(), session.as_ref(), ctx.policy(), ctx.now)?;
    if let Some(user) = &user
        && let Verdict::Refused(refusal) | Verdict::NeedsProof(refusal) =
            judge(Operation::Admin, user, session.as_ref(), ctx.policy(), ctx.now)
    {
        return Err(refusal.into());
    }
    Ok(bearer::role(&claims))
}
