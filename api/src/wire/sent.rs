//! The answer of what sends a code (`contract/core.md` §14).

use axum::response::Response;
use domain::sms::Sent;
use http::StatusCode;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::json;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
}

/// 200 with the id of the message, where there is one.
///
/// # Errors
/// Never.
pub(crate) fn answer(sent: &Sent) -> Result<Response, Failure> {
    json::answer(StatusCode::OK, &Body { message_id: sent.message_id.as_deref() })
}
