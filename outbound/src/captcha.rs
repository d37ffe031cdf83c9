//! Captcha tokens, judged by hCaptcha or Turnstile (`contract/platform.md` §7).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::config::{CaptchaProvider, CaptchaSettings};
use domain::secret::Secret;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::http::{HttpClient, HttpError};

/// From the look-up of the judge's name to the end of its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER: usize = 64 * 1024;

/// What the judge says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Verdict {
    /// A person solved it.
    pub success: bool,
    /// Why not, in the judge's own words.
    #[serde(rename = "error-codes", deserialize_with = "null_as_default")]
    pub error_codes: Vec<String>,
    /// The site on which it was solved. Whether that is the right one is for the caller to say.
    pub hostname: Option<String>,
}

/// The judge could not be asked, or did not answer in its own format. Nothing is known about the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptchaError {
    /// No answer.
    #[error("the captcha could not be checked: {0}")]
    Http(#[from] HttpError),
    /// An answer, but no verdict.
    #[error("the answer to the captcha check is no verdict")]
    NoVerdict,
}

/// Asks the judge of a project's captcha.
#[async_trait]
pub trait CaptchaTransport: Send + Sync {
    /// What the judge says about `token`, which a client at `remote_ip` brought.
    ///
    /// # Errors
    /// No verdict; the request that brought the token must then fail.
    async fn verify(
        &self,
        captcha: &CaptchaSettings,
        token: &Secret<String>,
        remote_ip: Option<&str>,
    ) -> Result<Verdict, CaptchaError>;
}

/// Where the judges are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// hCaptcha's.
    pub hcaptcha: String,
    /// Turnstile's.
    pub turnstile: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            hcaptcha: "https://hcaptcha.com/siteverify".to_owned(),
            turnstile: "https://challenges.cloudflare.com/turnstile/v0/siteverify".to_owned(),
        }
    }
}

/// Asks over the network; ten seconds for everything. The status of the answer says nothing, its JSON does.
pub struct HttpCaptcha {
    client: HttpClient,
    endpoints: Endpoints,
}

impl HttpCaptcha {
    /// Judges that are asked with `client`.
    pub fn new(client: HttpClient, endpoints: Endpoints) -> Self {
        Self { client, endpoints }
    }
}

#[async_trait]
impl CaptchaTransport for HttpCaptcha {
    async fn verify(
        &self,
        captcha: &CaptchaSettings,
        token: &Secret<String>,
        remote_ip: Option<&str>,
    ) -> Result<Verdict, CaptchaError> {
        let url = match captcha.provider {
            CaptchaProvider::Hcaptcha => &self.endpoints.hcaptcha,
            CaptchaProvider::Turnstile => &self.endpoints.turnstile,
        };
        let mut fields = vec![("secret", captcha.secret.expose().as_str()), ("response", token.expose().as_str())];
        fields.extend(remote_ip.map(|address| ("remoteip", address)));
        let call = self.client.post(url).form(&fields).deadline(Instant::now() + TIMEOUT);
        let answer = call.send().await?.read(MAX_ANSWER).await?;
        let fields: Map<String, Value> = serde_json::from_slice(&answer).map_err(|_| CaptchaError::NoVerdict)?;
        Verdict::deserialize(Value::Object(fields)).map_err(|_| CaptchaError::NoVerdict)
    }
}

fn null_as_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What a judge in a test was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who was asked.
    pub provider: CaptchaProvider,
    /// About what.
    pub token: String,
    /// And where it came from.
    pub remote_ip: Option<String>,
}

/// A judge for tests: it keeps what it is asked, and finds everybody human unless told otherwise.
#[derive(Default)]
pub struct RecordingCaptcha {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    next: VecDeque<Result<Verdict, CaptchaError>>,
}

impl RecordingCaptcha {
    /// A judge that was asked nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plans the next unplanned verdict; several calls plan several in order.
    pub fn reply_next(&self, verdict: Result<Verdict, CaptchaError>) {
        self.state().next.push_back(verdict);
    }

    /// What was asked so far, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CaptchaTransport for RecordingCaptcha {
    async fn verify(
        &self,
        captcha: &CaptchaSettings,
        token: &Secret<String>,
        remote_ip: Option<&str>,
    ) -> Result<Verdict, CaptchaError> {
        let mut state = self.state();
        state.asked.push(Asked {
            provider: captcha.provider,
            token: token.expose().clone(),
            remote_ip: remote_ip.map(str::to_owned),
        });
        let human = || Ok(Verdict { success: true, ..Verdict::default() });
        state.next.pop_front().unwrap_or_else(human)
    }
}
