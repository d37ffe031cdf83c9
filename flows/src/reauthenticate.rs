//! `GET /reauthenticate`.

use domain::reauthenticate::Request;

use crate::context::Context;
use crate::error::{Error, Result};

/// Stub.
pub async fn reauthenticate(_ctx: &Context, _request: Request) -> Result<domain::sms::Sent> {
    Err(Error::fault("not built"))
}
