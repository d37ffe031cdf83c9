//! `POST /admin/introspect` (RFC 7662).

use domain::introspect::{Answer, Request, is_within_limits};
use domain::request::Bearer;

use crate::authenticate;
use crate::context::Context;
use crate::error::{Error, Result};

/// The claims of a user's access token that is good now: its signature and times, its user and its session. Why another
/// text is not good is not told.
pub async fn introspect(ctx: &Context, request: Request) -> Result<Answer> {
    authenticate::admin(ctx, &request.bearer).await?;
    match authenticate::person(ctx, &Bearer(Some(request.token))).await {
        Ok(found) if is_within_limits(&found.user, found.session.as_ref(), ctx.policy(), ctx.now) => {
            Ok(Some(found.claims))
        }
        Ok(_) | Err(Error::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
