//! `POST /admin/introspect`.

use domain::introspect::Request;

use crate::context::Context;
use crate::error::{Error, Result};

/// Stub.
pub async fn introspect(_ctx: &Context, _request: Request) -> Result<domain::introspect::Answer> {
    Err(Error::fault("not built"))
}
