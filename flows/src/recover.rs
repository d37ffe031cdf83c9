//! `POST /recover`.

use domain::recover::Request;

use crate::context::Context;
use crate::error::{Error, Result};

/// Stub.
pub async fn recover(_ctx: &Context, _request: Request) -> Result<()> {
    Err(Error::fault("not built"))
}
