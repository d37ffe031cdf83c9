//! `POST /otp`.

use domain::otp::Request;

use crate::context::Context;
use crate::error::{Error, Result};

/// Stub.
pub async fn otp(_ctx: &Context, _request: Request) -> Result<domain::sms::Sent> {
    Err(Error::fault("not built"))
}
