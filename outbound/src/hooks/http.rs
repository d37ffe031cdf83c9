//! Hooks over HTTP (`contract/platform.md` §4.2).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::entropy::Entropy;
use domain::hook::HttpHook;
use domain::time::Clock;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use url::{Host, Url};

use super::signature::{self, Key};
use super::{HookError, HookTransport, media_type};
use crate::http::{Answer, HttpClient, HttpError};

/// Over all attempts and the pauses between them.
const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 3;
/// Between an attempt that the network failed and the next.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest answer.
const MAX_OUTPUT: usize = 200 * 1024;

/// Calls hooks over the network, signed as Standard Webhooks.
///
/// - Five seconds for everything; up to three attempts, each with an id, a time and signatures of its own. The next one
///   starts two seconds after the network failed, and at once after a 429 or 503 with `retry-after`.
/// - 204 is an answer without content, 200 and 202 must carry JSON of at most 204800 bytes; no other body is read.
/// - `http` goes to this machine only.
pub struct HttpHooks {
    client: HttpClient,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// What is the same in every attempt of a call.
struct Delivery {
    url: String,
    keys: Vec<Key>,
    body: Vec<u8>,
    deadline: Instant,
}

impl HttpHooks {
    /// Hooks that are called with `client`.
    pub fn new(client: HttpClient, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { client, clock, entropy }
    }

    async fn attempt(&self, delivery: &Delivery) -> Result<Answer, HttpError> {
        let id = self.entropy.uuid().to_string();
        let timestamp = self.clock.now().unix().to_string();
        let signatures = signature::sign(&delivery.keys, &id, &timestamp, &delivery.body);
        self.client
            .post(&delivery.url)
            .header("webhook-id", &id)
            .header("webhook-timestamp", &timestamp)
            .header("webhook-signature", &signatures)
            .header("accept-encoding", "identity")
            .body("application/json", delivery.body.clone())
            .deadline(delivery.deadline)
            .send()
            .await
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Value, HookError> {
        for left in (0..ATTEMPTS).rev() {
            let answer = match self.attempt(delivery).await {
                Ok(answer) => answer,
                Err(HttpError::Timeout) => return Err(HookError::Timeout),
                Err(HttpError::Network { .. }) if left > 0 => {
                    sleep(PAUSE).await;
                    continue;
                }
                Err(HttpError::Network { timed_out: true, .. }) => return Err(HookError::Unavailable),
                Err(error) => return Err(HookError::Unreachable(error)),
            };
            match answer.status().as_u16() {
                204 => return Ok(Value::Null),
                200 | 202 => return output(answer).await,
                400 => return Err(HookError::Payload),
                401 => return Err(HookError::Unauthorized),
                429 | 503 if answer.header("retry-after").is_some_and(|after| !after.is_empty()) => {}
                429 | 503 => return Err(HookError::Unavailable),
                status => return Err(HookError::Status(status)),
            }
        }
        Err(HookError::Unavailable)
    }
}

#[async_trait]
impl HookTransport for HttpHooks {
    async fn call(&self, hook: &HttpHook, payload: &Value) -> Result<Value, HookError> {
        let url = Url::parse(&hook.uri).ok().filter(may_be_called).ok_or(HookError::Uri)?;
        let delivery = Delivery {
            url: hook.uri.clone(),
            keys: signature::keys(&hook.secrets)?,
            body: payload.to_string().into_bytes(),
            deadline: Instant::now() + TIMEOUT,
        };
        let result = tokio::time::timeout_at(delivery.deadline, self.deliver(&delivery)).await;
        let result = result.unwrap_or(Err(HookError::Timeout));
        if let Err(error) = &result {
            // The host only: paths and queries hold secrets now and then.
            tracing::warn!(hook.host = url.host_str(), %error, "hook gave no usable answer");
        }
        result
    }
}

/// `https`, and `http` to the names that mean this machine (`contract/platform.md` §4.1).
fn may_be_called(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Domain(name))) => matches!(name, "localhost" | "host.docker.internal"),
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    }
}

async fn output(answer: Answer) -> Result<Value, HookError> {
    let content_type = answer.header("content-type").unwrap_or_default();
    media_type::demand_json(&content_type).map_err(HookError::ContentType)?;
    match answer.read(MAX_OUTPUT).await {
        Ok(body) => serde_json::from_slice(&body).map_err(|_| HookError::Output),
        Err(HttpError::Timeout) => Err(HookError::Timeout),
        Err(HttpError::TooLarge(_)) => Err(HookError::TooLarge),
        Err(_) => Err(HookError::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_in_the_clear_stay_on_the_machine() {
        let may_be_called = |uri: &str| Url::parse(uri).is_ok_and(|url| may_be_called(&url));
        for good in
            ["https://h.example/x", "https://10.0.0.1/", "http://localhost:1/", "http://[::1]/", "http://127.0.0.1"]
        {
            assert!(may_be_called(good), "{good}");
        }
        assert!(may_be_called("http://host.docker.internal:9/x"));
        for bad in ["http://h.example/", "http://10.0.0.1/", "ftp://localhost/", "http://localhost.h.example/", "x"] {
            assert!(!may_be_called(bad), "{bad}");
        }
    }
}
