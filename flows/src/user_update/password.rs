//! A new password: who may set it, and that it is new (rows 9 and 10).

use domain::refusal::Refusal;
use domain::secret::Secret;
use domain::user_update::{Request, needs_current_password};

use crate::authenticate::Authenticated;
use crate::context::Context;
use crate::error::Result;

/// The new hash and the old one, which guards the write: a password that changed meanwhile is not overwritten.
pub(super) struct NewPassword {
    pub(super) hash: Secret<String>,
    pub(super) replaces: Option<Secret<String>>,
}

/// Checks that `password` may replace the old one, and hashes it. No connection is held.
pub(super) async fn accept(
    ctx: &Context,
    request: &Request,
    authenticated: &Authenticated,
    password: &Secret<String>,
) -> Result<NewPassword> {
    let replaces = judge(ctx, request, authenticated, password).await?;
    Ok(NewPassword { hash: ctx.hash_password(password).await?, replaces })
}

/// Whether the stored password lets itself be replaced by `password`; gives its hash. To be asked again when another one
/// was set meanwhile.
pub(super) async fn judge(
    ctx: &Context,
    request: &Request,
    authenticated: &Authenticated,
    password: &Secret<String>,
) -> Result<Option<Secret<String>>> {
    let stored = ctx.store().find_password(authenticated.user.id).await?;
    if let Some(stored) = &stored {
        if needs_current_password(authenticated.session.as_ref(), ctx.policy()) {
            let current = given(request).ok_or(Refusal::CurrentPasswordRequired)?;
            if !ctx.verify_password(current, stored).await? {
                return Err(Refusal::CurrentPasswordInvalid.into());
            }
        }
        if ctx.verify_password(password, stored).await? {
            return Err(Refusal::SamePassword.into());
        }
    }
    Ok(stored)
}

fn given(request: &Request) -> Option<&Secret<String>> {
    request.current_password.as_ref().filter(|password| !password.expose().is_empty())
}
