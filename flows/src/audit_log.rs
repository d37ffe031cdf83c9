//! `GET /admin/audit`.

use domain::audit_log::List;

use crate::context::Context;
use crate::error::{Error, Result};

/// Stub.
pub async fn admin_list_audit(_ctx: &Context, _request: List) -> Result<domain::audit_log::Listing> {
    Err(Error::fault("not built"))
}
