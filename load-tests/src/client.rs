//! The project under test and one signed-in client of it.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::args::Run;
use crate::users::User;

/// Why a request failed, in the few words under which the report counts it: `429 over_request_rate_limit`, `timeout`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Failure(pub(crate) String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// The auth API of a project.
#[derive(Clone)]
pub(crate) struct Project {
    http: reqwest::Client,
    auth: String,
    service_key: String,
    anon_key: String,
}

impl Project {
    pub(crate) fn new(run: &Run) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("tenantry-load/", env!("CARGO_PKG_VERSION")))
            .timeout(run.timeout())
            .pool_max_idle_per_host(run.clients() as usize)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("the http client cannot be set up")?;
        Ok(Self { http, auth: auth_url(&run.url), service_key: run.key.clone(), anon_key: run.anon_key().to_owned() })
    }

    /// A request of the operator.
    pub(crate) fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/admin/{path}", self.auth);
        self.http.request(method, url).header("apikey", &self.service_key).bearer_auth(&self.service_key)
    }

    /// A request of a user.
    pub(crate) fn public(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/{path}", self.auth)).header("apikey", &self.anon_key)
    }
}

fn auth_url(url: &str) -> String {
    let url = url.trim_end_matches('/');
    format!("{}/auth/v1", url.strip_suffix("/auth/v1").unwrap_or(url))
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
    serde_json::from_slice(&body).map_err(|_| Failure("unexpected answer".to_owned()))
}

async fn read(response: Response) -> Result<Vec<u8>, Failure> {
    response.bytes().await.map(Vec::from).map_err(|error| transport(&error))
}

fn transport(error: &reqwest::Error) -> Failure {
    let kind = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "no connection"
    } else {
        "connection lost"
    };
    Failure(kind.to_owned())
}

fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Body {
        error_code: Option<String>,
        error: Option<String>,
    }
    let status = status.as_u16();
    let code = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.error_code.or(body.error));
    Failure(code.map_or_else(|| status.to_string(), |code| format!("{status} {code}")))
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

/// One session of a user.
pub(crate) struct Client {
    project: Project,
    user: User,
    tokens: Tokens,
}

impl Client {
    /// Opens a session.
    pub(crate) async fn sign_in(project: Project, user: User) -> Result<Self, Failure> {
        let tokens = password_grant(&project, &user).await?;
        Ok(Self { project, user, tokens })
    }

    /// How long the access token is valid from its issue on.
    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.tokens.expires_in)
    }

    /// Leaves the session behind and opens another.
    pub(crate) async fn sign_in_again(&mut self) -> Result<(), Failure> {
        self.tokens = password_grant(&self.project, &self.user).await?;
        Ok(())
    }

    /// Exchanges the refresh token.
    pub(crate) async fn refresh(&mut self) -> Result<(), Failure> {
        let body = json!({"refresh_token": self.tokens.refresh_token});
        let request = self.project.public(Method::POST, "token?grant_type=refresh_token").json(&body);
        self.tokens = send_json(request).await?;
        Ok(())
    }

    /// Reads the user and makes sure that it is the right one.
    pub(crate) async fn read_user(&self) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Body<'a> {
            id: &'a str,
        }
        let body = send(self.project.public(Method::GET, "user").bearer_auth(&self.tokens.access_token)).await?;
        match serde_json::from_slice::<Body<'_>>(&body) {
            Ok(Body { id }) if id == self.user.id => Ok(()),
            Ok(_) => Err(Failure("another user's data".to_owned())),
            Err(_) => Err(Failure("unexpected answer".to_owned())),
        }
    }
}

async fn password_grant(project: &Project, user: &User) -> Result<Tokens, Failure> {
    let body = json!({"email": user.email, "password": &*user.password});
    send_json(project.public(Method::POST, "token?grant_type=password").json(&body)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_url_may_end_as_people_paste_it() {
        for url in ["http://h/p/r", "http://h/p/r/", "http://h/p/r/auth/v1", "http://h/p/r/auth/v1/"] {
            assert_eq!(auth_url(url), "http://h/p/r/auth/v1");
        }
    }

    #[test]
    fn a_refusal_is_named_by_status_and_code() {
        let named = |body: &str| refusal(StatusCode::BAD_REQUEST, body.as_bytes()).0;
        assert_eq!(named(r#"{"code":400,"error_code":"bad_json","msg":"m"}"#), "400 bad_json");
        assert_eq!(named(r#"{"error":"invalid_grant"}"#), "400 invalid_grant");
        assert_eq!(named("<html>"), "400");
    }
}
