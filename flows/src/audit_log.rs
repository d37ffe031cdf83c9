//! `GET /admin/audit` (`contract/core.md` §17.9).

use domain::audit_log::{self, List, Listing};
use domain::pagination::{Page, Paged};
use storage::ListAudit;

use crate::authenticate;
use crate::context::Context;
use crate::error::Result;

/// A page of the project's audit log, newest first, of all audiences.
pub async fn admin_list_audit(ctx: &Context, request: List) -> Result<Listing> {
    authenticate::admin(ctx, &request.bearer).await?;
    let page = Page::parse(request.page.as_deref(), request.per_page.as_deref())?;
    let search = audit_log::search(&request.query)?;
    let list = ListAudit { search, limit: page.size, offset: page.offset() };
    let (items, total) = ctx.store().list_audit(list).await?;
    Ok(Paged { items, total, page })
}
