//! Sending a request, and what may go wrong with it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::guard::Guard;

/// The connections of a run.
pub(crate) type Http = reqwest::Client;

/// Connections for `clients` that act at once and give a request up after `timeout`; they lead where `guard` lets them.
pub(crate) fn guarded(clients: u32, timeout: Duration, guard: &Guard) -> anyhow::Result<Http> {
    let builder = Http::builder().dns_resolver(Arc::new(guard.clone()));
    // A proxy would look up names by itself.
    let builder = if guard.is_open() { builder } else { builder.no_proxy() };
    builder
        .user_agent(concat!("tenantry-load/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .pool_max_idle_per_host(clients as usize)
        .tcp_nodelay(true)
        // Goose brings reqwest's gzip in; answers are asked for as they would be without.
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("the http client cannot be set up")
}

/// Why a request failed, in the few words under which the report counts it: `429 over_request_rate_limit`, `timeout`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Failure(pub(crate) String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// An answer that does not have the shape of the contract.
    pub(crate) fn unexpected() -> Self {
        Self("unexpected answer".to_owned())
    }

    /// Whether the server said so on purpose: a refusal of the contract (4xx).
    pub(crate) fn is_refusal(&self) -> bool {
        self.0.starts_with('4')
    }
}

/// Sends a request and reads the whole answer, which must be a success.
pub(crate) async fn send(request: RequestBuilder) -> Result<Vec<u8>, Failure> {
    let response = request.send().await.map_err(|error| transport(&error))?;
    let status = response.status();
    let body = read(response).await?;
    if status.is_success() { Ok(body) } else { Err(refusal(status, &body)) }
}

/// As [`send`], for an answer in JSON.
pub(crate) async fn send_json<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Failure> {
    let body = send(request).await?;
    serde_json::from_slice(&body).map_err(|_| Failure::unexpected())
}

async fn read(response: Response) -> Result<Vec<u8>, Failure> {
    response.bytes().await.map(Vec::from).map_err(|error| transport(&error))
}

pub(super) fn transport(error: &reqwest::Error) -> Failure {
    let kind = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "no connection"
    } else {
        "connection lost"
    };
    Failure(kind.to_owned())
}

pub(super) fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Body {
        error_code: Option<String>,
        error: Option<String>,
    }
    let status = status.as_u16();
    let code = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.error_code.or(body.error));
    Failure(code.map_or_else(|| status.to_string(), |code| format!("{status} {code}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_named_by_status_and_code() {
        let named = |body: &str| refusal(StatusCode::BAD_REQUEST, body.as_bytes()).0;
        assert_eq!(named(r#"{"code":400,"error_code":"bad_json","msg":"m"}"#), "400 bad_json");
        assert_eq!(named(r#"{"error":"invalid_grant"}"#), "400 invalid_grant");
        assert_eq!(named("<html>"), "400");
    }
}
