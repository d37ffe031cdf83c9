//! Calls to the hooks of a project (`contract/platform.md` §4).

pub mod answer;
mod bounded;
mod http;
mod media_type;
mod recording;
mod signature;

use async_trait::async_trait;
use domain::hook::HttpHook;
use domain::refusal::HookRefusal;
use serde_json::Value;

pub use bounded::BoundedHooks;
pub use http::HttpHooks;
pub use recording::RecordingHooks;

use crate::http::HttpError;

/// Asks a hook.
#[async_trait]
pub trait HookTransport: Send + Sync {
    /// Hands `payload` to `hook` and returns what it says; [`Value::Null`] where it says nothing.
    /// What the answer means is for [`answer::read`] to tell.
    ///
    /// # Errors
    /// The hook could not be asked, or its answer cannot be used.
    async fn call(&self, hook: &HttpHook, payload: &Value) -> Result<Value, HookError>;
}

/// Why a hook gave no usable answer (`contract/platform.md` §4.2, §4.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// Not a URI that hooks are called at: neither `https` nor `http` to this machine.
    #[error("the hook's uri cannot be called")]
    Uri,
    /// A secret that cannot sign.
    #[error("the hook's secret cannot sign: {0}")]
    Secret(&'static str),
    /// The deadline over all attempts has passed.
    #[error("the hook took too long")]
    Timeout,
    /// The network failed at the last attempt, or the address may not be reached.
    #[error("the hook cannot be reached: {0}")]
    Unreachable(HttpError),
    /// The hook is overloaded (429, 503), or its answer broke off.
    #[error("the hook is unavailable")]
    Unavailable,
    /// The hook does not take the payload (400).
    #[error("the hook does not take the payload")]
    Payload,
    /// The hook wants an authorization that it did not get (401).
    #[error("the hook wants authorization")]
    Unauthorized,
    /// Any other status that is not success.
    #[error("the hook answered with status {0}")]
    Status(u16),
    /// The answer does not say that it is JSON; holds the contract's text.
    #[error("{0}")]
    ContentType(String),
    /// The answer is over the limit.
    #[error("the hook's answer is too long")]
    TooLarge,
    /// The answer is not JSON, or not of the shape that the hook must give.
    #[error("the hook's answer is not the json that is wanted")]
    Output,
    /// The hook refuses.
    #[error("the hook refused with status {status}")]
    Rejected {
        /// The status that the client gets.
        status: u16,
        /// What the client reads.
        message: String,
    },
}

impl HookError {
    /// What the client is told.
    pub fn refusal(&self) -> HookRefusal {
        let failed = |message: &str| HookRefusal::Failed(message.to_owned());
        match self {
            Self::Uri => failed("Unexpected failure, please check server logs for more information"),
            Self::Secret(reason) => HookRefusal::Failed(format!("Error generating signatures: {reason}")),
            Self::Timeout => HookRefusal::Timeout,
            Self::Unreachable(_) => HookRefusal::TimeoutAfterRetry,
            Self::Unavailable => failed("Service currently unavailable due to hook"),
            Self::Payload => failed("Invalid payload sent to hook"),
            Self::Unauthorized => failed("Hook requires authorization token"),
            Self::Status(status) => HookRefusal::Failed(format!("Unexpected status code returned from hook: {status}")),
            Self::ContentType(message) => HookRefusal::ContentType(message.clone()),
            Self::TooLarge => HookRefusal::PayloadTooLarge,
            Self::Output => failed("Error unmarshaling JSON output."),
            Self::Rejected { status, message } => HookRefusal::Rejected(*status, message.clone()),
        }
    }
}
