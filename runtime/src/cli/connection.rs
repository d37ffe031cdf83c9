//! Finding a running gateway and speaking its Management API.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use domain::secret::Secret;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::failure::Failure;
use super::progress;
use crate::gateway_files;

/// How long an answer may take: the gateway says sooner that it cannot, but removing or checking all of a large project is work.
const PATIENCE: Duration = Duration::from_secs(300);

/// Which gateway a command speaks to, and how it answers.
#[derive(Args)]
pub(super) struct Arguments {
    /// The gateway's address [env: TENANTRY_URL] [default: the gateway of the data directory]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,

    /// The operator token [env: TENANTRY_TOKEN] [default: the token file of the data directory]
    #[arg(long, global = true, value_name = "TOKEN")]
    token: Option<String>,

    /// Data directory of a gateway on this machine [env: TENANTRY_DATA_DIR] [default: ./tenantry-data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Print JSON instead of tables
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// A gateway's Management API.
pub(super) struct Management {
    http: reqwest::Client,
    url: String,
    token: Secret<String>,
}

impl Arguments {
    /// The gateway that the arguments, the environment or the data directory name.
    pub(super) fn gateway(&self) -> Result<Management, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let data_dir = self.data_dir.clone().or_else(|| variable("TENANTRY_DATA_DIR").map(PathBuf::from));
        let data_dir = data_dir.unwrap_or_else(|| PathBuf::from("./tenantry-data"));
        let url = match self.url.clone().or_else(|| variable("TENANTRY_URL")) {
            Some(url) => url,
            None => gateway_files::admin_url(&data_dir).map_err(|error| not_found(&data_dir, &error))?,
        };
        let token = match self.token.clone().or_else(|| variable("TENANTRY_TOKEN")) {
            Some(token) => Secret::new(token),
            None => gateway_files::operator_token(&data_dir).map_err(|error| no_token(&data_dir, &error))?,
        };
        Management::new(&url, token)
    }
}

fn not_found(data_dir: &Path, error: &std::io::Error) -> Failure {
    Failure::new("no gateway was found", format!("{}: {error}", data_dir.display())).next(
        "start one with `tenantry serve`, name its data directory with --data-dir, or give --url and --token \
         (TENANTRY_URL, TENANTRY_TOKEN)",
    )
}

fn no_token(data_dir: &Path, error: &std::io::Error) -> Failure {
    let file = gateway_files::token_file(data_dir);
    Failure::new("no operator token was found", format!("{}: {error}", file.display()))
        .next("give one with --token or TENANTRY_TOKEN: an owner makes it with `tenantry tokens create`")
}

impl Management {
    /// The Management API at `url`, asked with `token`.
    pub(super) fn new(url: &str, token: Secret<String>) -> Result<Self, Failure> {
        let url = match url::Url::parse(url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => url.as_str().trim_end_matches('/').to_owned(),
            _ => {
                return Err(Failure::usage(
                    "the gateway's URL cannot be used",
                    format!("`{url}` is no http or https URL"),
                ));
            }
        };
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(PATIENCE)
            // What another crate of the build may turn on.
            .no_gzip()
            .user_agent(concat!("tenantry/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::caused("the HTTP client cannot be made", &error))?;
        Ok(Self { http, url, token })
    }

    /// Answer of `GET path`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, Body::Nothing).await
    }

    /// Answer of `POST path`.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Body::Json(body)).await
    }

    /// Answer of `PUT path`.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::PUT, path, Body::Json(body)).await
    }

    /// Answer of `PATCH path`.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::PATCH, path, Body::Json(body)).await
    }

    /// Answer of `DELETE path`.
    pub(super) async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::DELETE, path, Body::Nothing).await
    }

    async fn call(&self, method: Method, path: &str, body: Body<'_>) -> Result<Value, Failure> {
        self.send(method, path, body, &[]).await.map(|answer| answer.json())
    }

    /// The whole answer, headers and all. An answer that takes its time is waited for with a sign of life on the terminal.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Body<'_>,
        headers: &[(&'static str, &Secret<String>)],
    ) -> Result<Answer, Failure> {
        let asked = named(&method, path);
        let answer = self.answer(method, path, body, headers).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(refused(&asked, answer.status, &answer.json(), &answer.text))
    }

    /// The answer to `GET path`, also where it is a refusal.
    ///
    /// # Errors
    /// No answer.
    pub(super) async fn look(&self, path: &str) -> Result<Answer, Failure> {
        self.answer(Method::GET, path, Body::Nothing, &[]).await
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Body<'_>,
        headers: &[(&'static str, &Secret<String>)],
    ) -> Result<Answer, Failure> {
        let asked = named(&method, path);
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(self.token.expose());
        for (name, value) in headers {
            request = request.header(*name, value.expose().as_str());
        }
        request = match body {
            Body::Nothing => request,
            Body::Json(body) => request.json(body),
            Body::Lines(lines) => request.header("content-type", "application/x-ndjson").body(lines.to_owned()),
        };
        let answered = async {
            let response = request.send().await.map_err(|error| self.silent(&error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let text = response
                .text()
                .await
                .map_err(|error| Failure::caused(format!("the answer to {asked} broke off"), &error))?;
            Ok(Answer { status, headers, text })
        };
        progress::with_sign_of_life("waiting for the gateway", answered).await
    }

    fn silent(&self, error: &reqwest::Error) -> Failure {
        Failure::caused(format!("the gateway at {} does not answer", self.url), error)
            .next("start it with `tenantry serve`, or name another with --url")
    }
}

/// What goes with a request.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    /// Nothing.
    Nothing,
    /// One JSON document.
    Json(&'a Value),
    /// JSON documents, one a line.
    Lines(&'a str),
}

/// An answer.
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    headers: HeaderMap,
    /// The body.
    pub(super) text: String,
}

impl Answer {
    /// The body as JSON, `null` where it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Names and values as the part of a URL behind the question mark, with it; empty where there is none. Missing values are left
/// out.
pub(super) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// A request as messages name it.
fn named(method: &Method, path: &str) -> String {
    format!("{method} {}", path.split('?').next().unwrap_or(path))
}

fn refused(asked: &str, status: StatusCode, answer: &Value, text: &str) -> Failure {
    let message = ["message", "msg", "error"].iter().find_map(|key| answer.get(*key)?.as_str()).unwrap_or(text);
    let failure = Failure::new(format!("the gateway refused {asked}"), format!("{status}: {message}"));
    match status {
        StatusCode::UNAUTHORIZED => failure.next(
            "give the operator token with --token or TENANTRY_TOKEN; it stands in the file `operator-token` of the \
             gateway's data directory",
        ),
        StatusCode::FORBIDDEN => failure.next(
            "use a token that may do this: `tenantry tokens list` shows the role of each, `tenantry tokens create` makes \
             another",
        ),
        StatusCode::NOT_FOUND => failure.next(
            "check the names: `tenantry project list` shows the projects there are, the other `list` commands what a \
             project has",
        ),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            failure.next("try again in a moment; `tenantry doctor` looks for the cause")
        }
        status if status.is_server_error() => failure.next("the gateway's log on stderr has the cause"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_query_reaches_nothing_else() {
        let given = |text: &str| Some(text.to_owned());
        assert_eq!(query(&[("a", given("x&b=1 #")), ("b", None), ("c", given("ä"))]), "?a=x%26b%3D1+%23&c=%C3%A4");
        assert_eq!(query(&[("a", None)]), "");
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let told = |status| refused("GET /v1/x", status, &serde_json::json!({"message": "no"}), "").told();
        assert_eq!(told(StatusCode::CONFLICT), "the gateway refused GET /v1/x: 409 Conflict: no");
    }
}
