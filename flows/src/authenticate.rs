//! Who asks: the checks of a bearer token (`contract/core.md` §8.4, §8.5), each with at most one read; more only for the first
//! token of another issuer.

use crypto::digest;
use domain::bearer::{self, Claims};
use domain::binding;
use domain::refusal::{ProviderRefusal, Refusal};
use domain::request::Bearer;
use domain::secret::Secret;
use domain::session::Session;
use domain::step_up::{Operation, Verdict, judge};
use domain::user::User;
use serde_json::Value;

use crate::context::{AcceptedApiKey, Context};
use crate::error::Result;
use crate::third_party;

/// A bearer whose user and session were found alive.
pub struct Authenticated {
    /// What the token says.
    pub claims: Claims,
    /// The user as he is now.
    pub user: User,
    /// His session; `None` for tokens without one.
    pub session: Option<Session>,
    /// The token is of another issuer: it says who he is, and no more.
    pub foreign: bool,
}

impl Authenticated {
    /// Lets the project's own tokens through, to all that a token without a session has no business with. A token of another
    /// issuer that was stolen must not outlive itself.
    pub(crate) fn must_be_own(&self) -> Result<()> {
        if self.foreign { Err(ProviderRefusal::ForeignToken.into()) } else { Ok(()) }
    }
}

/// A bearer by his token alone.
enum Known {
    /// A token of the project's: what it says.
    Own(Claims),
    /// A token of another issuer: whose it is.
    Foreign(Box<Authenticated>),
}

/// The claims of a `token` of the project's: signature, times, types and project checked. No statement, unless the token is of another
/// issuer.
pub async fn claims(ctx: &Context, token: &Bearer) -> Result<Claims> {
    match known(ctx, token).await? {
        Known::Own(claims) => Ok(claims),
        Known::Foreign(_) => Err(ProviderRefusal::ForeignToken.into()),
    }
}

/// Tokens of other issuers are looked at only where they are no tokens of the project.
async fn known(ctx: &Context, token: &Bearer) -> Result<Known> {
    match own(ctx, token) {
        Ok(claims) => Ok(Known::Own(claims)),
        Err(refusal @ Refusal::BadJwt(_)) => {
            let token = token.0.as_ref().ok_or(Refusal::NoAuthorization)?;
            let foreign = third_party::bearer(ctx, token).await?;
            foreign.map(|bearer| Known::Foreign(Box::new(bearer))).ok_or_else(|| refusal.into())
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// The claims of a token of the project.
fn own(ctx: &Context, token: &Bearer) -> std::result::Result<Claims, Refusal> {
    let token = token.0.as_ref().ok_or(Refusal::NoAuthorization)?;
    if let Some(claims) = api_key_claims(ctx, token) {
        return Ok(claims);
    }
    let claims = ctx.tenant.keys.verify(token.expose(), ctx.now).map_err(|error| Refusal::BadJwt(error.to_string()))?;
    bearer::check_types(&claims)?;
    binding::check(&claims, &ctx.tenant.project.project_ref, &ctx.tenant.base_url)?;
    if !ctx.tenant.legacy_keys_enabled && is_legacy_key(&claims) {
        return Err(Refusal::LegacyKeysDisabled);
    }
    Ok(claims)
}

/// A new-style API key of the project stands for a token of its role; it never names a user
/// (`contract/management.md` §3.2).
fn api_key_claims(ctx: &Context, token: &Secret<String>) -> Option<Claims> {
    crypto::api_key::is_well_formed(token.expose())?;
    let hash = crypto::api_key::hash(token.expose());
    let is_it = |key: &&AcceptedApiKey| digest::constant_time_eq(key.hash.as_bytes(), hash.as_bytes());
    let known = ctx.tenant.api_keys.iter().find(is_it).filter(|key| key.is_good(ctx.now))?;
    ctx.services.books.key_used(&known.hash, ctx.now);
    Some(Claims::from_iter([("role".to_owned(), Value::from(known.role))]))
}

/// An old-style API key is a token of the issuer `supabase` that names a project instead of a user.
fn is_legacy_key(claims: &Claims) -> bool {
    claims.get("iss").and_then(Value::as_str) == Some("supabase") && claims.contains_key("ref")
}

/// A user's token of the project's, with its user and session.
pub async fn user(ctx: &Context, token: &Bearer) -> Result<Authenticated> {
    let bearer = person(ctx, token).await?;
    bearer.must_be_own()?;
    Ok(bearer)
}

/// A user's token, also one of another issuer, with its user and session.
pub async fn person(ctx: &Context, token: &Bearer) -> Result<Authenticated> {
    let claims = match known(ctx, token).await? {
        Known::Own(claims) => claims,
        Known::Foreign(bearer) => return Ok(*bearer),
    };
    let id = bearer::subject(&claims)?;
    let session = bearer::session(&claims).ok().flatten();
    let found = ctx.store().read_user(id, session).await?;
    let (user, session) = found.map_or((None, None), |found| (Some(found.user), found.session));
    bearer::admit(&claims, user.as_ref(), session.as_ref(), ctx.now)?;
    let user = user.ok_or(Refusal::BearerUserNotFound)?;
    Ok(Authenticated { claims, user, session, foreign: false })
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
/// used a second factor lately, where the project asks for that; keys have no session and are machines. Gives the role. Tokens
/// of other issuers are never an admin's.
pub async fn admin(ctx: &Context, token: &Bearer) -> Result<String> {
    let claims = own(ctx, token)?;
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
