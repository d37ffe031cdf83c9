//! HTTP to places that a project names: only to addresses that may be reached, within a deadline, with bounded answers.

mod error;
mod resolver;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use domain::secret::Secret;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::{self, Attempt};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::{Instant, timeout, timeout_at};
use url::{Host, Url, form_urlencoded};

pub use error::HttpError;
use error::Refused;
use resolver::Resolver;

use crate::reach::Reach;

/// Look-up, TCP and TLS of one connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// How long an unused connection stays open.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Unused connections kept for one server.
const IDLE_PER_HOST: usize = 8;
/// Redirects that are followed in one call, as many as Go's client follows.
const MAX_REDIRECTS: usize = 10;
/// Who calls, where the caller says nothing else.
const USER_AGENT: &str = concat!("Tenantry/", env!("CARGO_PKG_VERSION"));

/// TLS as all clients of the process have it, or why there is none: the machine's certificate authorities are read once.
static TLS: LazyLock<Result<ClientConfig, String>> = LazyLock::new(|| {
    let setup = |error: rustls::Error| error.to_string();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(setup)?;
    let mut config = builder.with_platform_verifier().map_err(setup)?.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
});

/// One pool of connections for calls to the outside.
///
/// - A connection goes only to an address that the [`Reach`] lets through, after a redirect too. The check stands where
///   a name becomes addresses, so a name that changes its mind between check and connection gains nothing.
/// - Redirects are followed as Go's client does: at most ten, a `POST` becomes a `GET` after 301, 302 and 303. None leads
///   from `https` to `http`. [`HttpClient::without_redirects`] follows none.
/// - No proxy of the environment, no cookies, no compressed answers, no `Referer`.
/// - Errors hold neither URL nor credentials.
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
    direct: Client,
    reach: Reach,
    resolver: Arc<Resolver>,
    timeout: Duration,
}

impl HttpClient {
    /// A client that connects only where `reach` allows it and gives a call `timeout`, answer included, unless the call
    /// says otherwise.
    ///
    /// # Errors
    /// [`HttpError::Setup`] where the machine has no certificate authorities to trust.
    pub fn new(reach: Reach, timeout: Duration) -> Result<Self, HttpError> {
        let hops = Arc::clone(&reach);
        let resolver = Arc::new(Resolver::new(Arc::clone(&reach)));
        let tls = TLS.as_ref().map_err(|why| HttpError::Setup(why.clone()))?;
        let client = |redirects| {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(USER_AGENT)
                .no_proxy()
                // What another crate of the build may turn on: an answer is as large as it looks.
                .no_gzip()
                .referer(false)
                .retry(reqwest::retry::never())
                .redirect(redirects)
                .dns_resolver(Arc::clone(&resolver))
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .pool_max_idle_per_host(IDLE_PER_HOST)
                .build()
                .map_err(|error| HttpError::Setup(error::chain(&error.without_url())))
        };
        Ok(Self {
            client: client(redirect::Policy::custom(move |attempt| follow(attempt, &hops)))?,
            direct: client(redirect::Policy::none())?,
            reach,
            resolver,
            timeout,
        })
    }

    /// The same client for calls that nobody may send elsewhere: a redirect is an answer like any other.
    pub fn without_redirects(&self) -> Self {
        Self { client: self.direct.clone(), ..self.clone() }
    }

    /// The addresses of a name, also those that may not be reached; of an address itself.
    ///
    /// # Errors
    /// The name has none, or its name servers do not answer in time.
    pub async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, HttpError> {
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        let network = |timed_out, detail| HttpError::Network { timed_out, detail };
        match timeout(CONNECT_TIMEOUT, self.resolver.addresses(host)).await {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(network(false, "no addresses".to_owned())),
            Ok(found) => found.map_err(|detail| network(false, detail)),
            Err(_elapsed) => Err(network(true, "no answer from the name servers".to_owned())),
        }
    }

    /// A `GET` of `url`.
    pub fn get(&self, url: &str) -> Call {
        self.call(url, |url| self.client.get(url))
    }

    /// A `POST` to `url`.
    pub fn post(&self, url: &str) -> Call {
        self.call(url, |url| self.client.post(url))
    }

    fn call(&self, url: &str, start: impl FnOnce(Url) -> RequestBuilder) -> Call {
        let url = Url::parse(url).map_err(|_| HttpError::Url).and_then(|url| match url.scheme() {
            "http" | "https" if may_reach(&url, &self.reach) => Ok(url),
            "http" | "https" => Err(HttpError::Forbidden),
            _ => Err(HttpError::Url),
        });
        Call { request: url.map(start), deadline: Instant::now() + self.timeout }
    }
}

/// One call being put together.
#[must_use = "nothing is called before `send`"]
pub struct Call {
    request: Result<RequestBuilder, HttpError>,
    deadline: Instant,
}

impl Call {
    /// Sets a header.
    pub fn header(self, name: &'static str, value: &str) -> Self {
        self.with(|request| request.header(name, value))
    }

    /// HTTP Basic authentication.
    pub fn basic_auth(self, user: &str, password: &Secret<String>) -> Self {
        self.with(|request| request.basic_auth(user, Some(password.expose())))
    }

    /// A bearer token, or whatever else follows the `scheme` in `Authorization`.
    pub fn authorization(self, scheme: &str, credentials: &Secret<String>) -> Self {
        let mut value = HeaderValue::try_from(format!("{scheme} {}", credentials.expose()));
        if let Ok(value) = &mut value {
            value.set_sensitive(true);
        }
        self.with(|request| match value {
            Ok(value) => request.header(reqwest::header::AUTHORIZATION, value),
            // An impossible header: the builder reports it when the call is sent.
            Err(_) => request.header(reqwest::header::AUTHORIZATION, "\n"),
        })
    }

    /// A form as body.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body.into_bytes())
    }

    /// Any body.
    pub fn body(self, content_type: &'static str, body: Vec<u8>) -> Self {
        self.with(|request| request.header(CONTENT_TYPE, content_type).body(body))
    }

    /// When the answer, body included, must be there; in place of the client's own time limit.
    pub fn deadline(self, deadline: Instant) -> Self {
        Self { deadline, ..self }
    }

    /// Makes the call and waits for the head of the answer.
    ///
    /// # Errors
    /// No answer: see [`HttpError`]. Any status is an answer.
    pub async fn send(self) -> Result<Answer, HttpError> {
        match timeout_at(self.deadline, self.request?.send()).await {
            Ok(Ok(response)) => Ok(Answer { response, deadline: self.deadline }),
            Ok(Err(error)) => Err(HttpError::from_client(error)),
            Err(_elapsed) => Err(HttpError::Timeout),
        }
    }

    fn with(self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        Self { request: self.request.map(change), deadline: self.deadline }
    }
}

/// The head of an answer, and its body as long as nobody has read it.
#[derive(Debug)]
pub struct Answer {
    response: Response,
    deadline: Instant,
}

impl Answer {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The first header called `name`.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    /// The body.
    ///
    /// # Errors
    /// It is longer than `limit` bytes, does not end before the call's deadline, or breaks off.
    pub async fn read(mut self, limit: usize) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        loop {
            match timeout_at(self.deadline, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) if body.len() + chunk.len() > limit => return Err(HttpError::TooLarge(limit)),
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(body),
                Ok(Err(error)) => return Err(HttpError::from_client(error)),
                Err(_elapsed) => return Err(HttpError::Timeout),
            }
        }
    }
}

/// Whether `url` names no forbidden address. Names are judged when they are looked up, addresses never are: here is the
/// only place where one that stands in the URL can be stopped.
fn may_reach(url: &Url, reach: &Reach) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => reach(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => reach(IpAddr::V6(address)),
        Some(Host::Domain(_)) => true,
        None => false,
    }
}

fn follow(attempt: Attempt<'_>, reach: &Reach) -> redirect::Action {
    match hop(attempt.previous(), attempt.url(), reach) {
        Ok(()) => attempt.follow(),
        Err(refused) => attempt.error(refused),
    }
}

/// Whether a redirect from the last of `previous` to `next` is followed.
fn hop(previous: &[Url], next: &Url, reach: &Reach) -> Result<(), Refused> {
    if previous.len() > MAX_REDIRECTS {
        return Err(Refused::TooManyRedirects);
    }
    // What was meant to be encrypted must not travel in the clear because a server says so.
    if next.scheme() != "https" && previous.last().is_some_and(|url| url.scheme() == "https") {
        return Err(Refused::Downgrade);
    }
    if may_reach(next, reach) { Ok(()) } else { Err(Refused::Address) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(texts: &[&str]) -> Vec<Url> {
        texts.iter().map(|text| Url::parse(text).unwrap()).collect()
    }

    fn hop_between(previous: &[&str], next: &str) -> Option<String> {
        let public: Reach = Arc::new(|address: IpAddr| !address.is_loopback());
        hop(&urls(previous), &Url::parse(next).unwrap(), &public).err().map(|refused| refused.to_string())
    }

    #[test]
    fn a_redirect_never_leaves_encryption() {
        assert_eq!(hop_between(&["https://a.example/"], "https://b.example/"), None);
        assert_eq!(hop_between(&["http://a.example/"], "http://b.example/"), None);
        assert_eq!(hop_between(&["http://a.example/"], "https://b.example/"), None);
        let refused = hop_between(&["https://a.example/"], "http://a.example/");
        assert_eq!(refused.as_deref(), Some("redirect from https to http"));
    }

    #[test]
    fn addresses_in_redirects_are_judged_however_they_are_written() {
        for next in ["https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://[::1]/"] {
            let refused = hop_between(&["https://a.example/"], next);
            assert_eq!(refused.as_deref(), Some("the address is not allowed"), "{next}");
        }
    }

    #[test]
    fn ten_redirects_are_followed() {
        assert_eq!(hop_between(&["https://a.example/"; 10], "https://b.example/"), None);
        let refused = hop_between(&["https://a.example/"; 11], "https://b.example/");
        assert_eq!(refused.as_deref(), Some("too many redirects"));
    }
}
