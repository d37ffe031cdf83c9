//! `DELETE /user`.

use domain::user_delete::Request;

use crate::context::Context;
use crate::error::{Error, Result};

/// Stub.
pub async fn user_delete(_ctx: &Context, _request: Request) -> Result<()> {
    Err(Error::fault("not built"))
}
