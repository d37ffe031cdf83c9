//! The addresses a project writes to (`contract/core.md` §18.1).

use domain::contact::is_authorised;
use domain::refusal::Refusal;

use crate::context::Context;
use crate::error::Result;

/// Refuses an address the project does not write to.
pub(crate) fn must_be_authorised(ctx: &Context, email: &str) -> Result<()> {
    if is_authorised(email, &ctx.policy().external_email_authorized_addresses) {
        return Ok(());
    }
    Err(Refusal::EmailNotAuthorized(email.to_owned()).into())
}
