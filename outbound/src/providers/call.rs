//! One call to a provider, and what its end means.

use reqwest::StatusCode;

use super::ProviderError;
use super::fault::Fault;
use crate::http::{Call, HttpError};

/// The longest answer that is read.
pub(super) const LIMIT: usize = 1 << 20;

/// Makes a call and reads a bounded answer with whatever status.
pub(super) async fn answer(call: Call) -> Result<(StatusCode, Vec<u8>), HttpError> {
    let answer = call.send().await?;
    Ok((answer.status(), answer.read(LIMIT).await?))
}

/// Makes a call; anything but an answer of 2xx is `error`.
pub(super) async fn body(call: Call, error: ProviderError) -> Result<Vec<u8>, Fault> {
    match answer(call).await {
        Ok((status, body)) if status.is_success() => Ok(body),
        Ok((status, _)) => Err(Fault { error, outage: status.is_server_error() }),
        Err(failed) => Err(Fault { error, outage: is_outage(&failed) }),
    }
}

/// Whether a call that brought no answer says that the provider is out of service.
pub(super) fn is_outage(error: &HttpError) -> bool {
    matches!(error, HttpError::Timeout | HttpError::Network { .. })
}
