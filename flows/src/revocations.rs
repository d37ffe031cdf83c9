//! `GET /admin/revocations`: the project's feed of sessions that ended. A trigger of the database writes it, so that it has every
//! end, whatever brought it about.

use domain::revocations::{Page, Request};

use crate::authenticate;
use crate::context::Context;
use crate::error::Result;

/// Ends on one page.
const MOST: u32 = 500;

/// What is there now; whoever wants to wait asks again.
pub async fn read_revocations(ctx: &Context, request: Request) -> Result<Page> {
    authenticate::admin(ctx, &request.bearer).await?;
    let after = request.query?.after;
    let read = ctx.store().read_revocations(after, MOST).await?;
    Ok(Page::after(after, read.rows, read.newest, read.swept))
}
