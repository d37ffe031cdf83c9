//! `POST /invite`.

use domain::invite::Request;

use crate::context::Context;
use crate::error::{Error, Result};

/// Stub.
pub async fn invite(_ctx: &Context, _request: Request) -> Result<domain::user::User> {
    Err(Error::fault("not built"))
}
