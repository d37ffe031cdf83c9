//! `POST /admin/generate_link`.

use domain::generate_link::Request;

use crate::context::Context;
use crate::error::{Error, Result};

/// Stub.
pub async fn generate_link(_ctx: &Context, _request: Request) -> Result<domain::generate_link::Link> {
    Err(Error::fault("not built"))
}
