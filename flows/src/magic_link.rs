//! `POST /magiclink`.

use domain::magic_link::Request;

use crate::context::Context;
use crate::error::{Error, Result};

/// Stub.
pub async fn magic_link(_ctx: &Context, _request: Request) -> Result<()> {
    Err(Error::fault("not built"))
}
