//! `GET /user` (`contract/core.md` §16.1): one statement.

use domain::bearer;
use domain::refusal::Refusal;
use domain::user::User;
use domain::user_read::Request;

use crate::authenticate;
use crate::context::Context;
use crate::error::Result;

/// The bearer's user.
pub async fn user_read(ctx: &Context, request: Request) -> Result<User> {
    let authenticated = authenticate::person(ctx, &request.bearer).await?;
    let claims = &authenticated.claims;
    if bearer::audience(claims) != bearer::request_audience(ctx.caller.audience.as_deref(), claims, ctx.policy()) {
        return Err(Refusal::AudienceMismatch.into());
    }
    Ok(authenticated.user)
}
