//! A code is traded for tokens (RFC 6749 §4.1.3, `contract/mfa-passkeys-oauth.md` §4.1), by way of `oauth2`.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use domain::secret::Secret;
use futures::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardRevocableToken, TokenResponse, TokenUrl,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::form_urlencoded;

use super::super::call::{LIMIT, is_outage};
use super::super::plan::{Credentials, TokenAnswer};
use crate::http::HttpClient;

/// Token addresses of which is known how they take credentials.
const MOST: usize = 4096;

type Client = oauth2::Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Trades codes, and remembers how each provider takes credentials.
#[derive(Default)]
pub(super) struct Exchange {
    styles: Mutex<HashMap<Site, Style>>,
}

/// Where a code is traded, and by whom.
type Site = (String, String);

/// How credentials are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Basic,
    Body,
}

/// A code and what belongs to it.
pub(super) struct Grant<'a> {
    /// Where it is traded.
    pub(super) url: &'a str,
    pub(super) client_id: &'a str,
    pub(super) secret: &'a Secret<String>,
    pub(super) redirect_uri: &'a str,
    pub(super) code: &'a Secret<String>,
    /// The verifier of the challenge that was sent.
    pub(super) verifier: Option<&'a Secret<String>>,
    pub(super) credentials: Credentials,
    /// Client id and a field `secret` stand in the form, too: Apple.
    pub(super) secret_again: bool,
}

/// Why there are no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// No answer, or one that says that the provider cannot.
    #[error("out of service")]
    Outage,
    /// It does not take the code.
    #[error("the code is not good")]
    Grant,
    /// It does not take the credentials.
    #[error("the client is not known, or its secret is wrong")]
    Client,
    /// It does not know our address.
    #[error("the redirect address is not registered")]
    Redirect,
    /// Something else.
    #[error("the answer holds no tokens")]
    Other,
}

impl Exchange {
    /// Trades a code before `deadline`.
    pub(super) async fn trade(
        &self,
        http: &HttpClient,
        grant: &Grant<'_>,
        deadline: Instant,
    ) -> Result<TokenAnswer, Refused> {
        if grant.credentials == Credentials::Body {
            return attempt(http, grant, Style::Body, deadline).await;
        }
        let site = (grant.url.to_owned(), grant.client_id.to_owned());
        if let Some(style) = self.known(&site) {
            let traded = attempt(http, grant, style, deadline).await;
            if traded.as_ref().is_err_and(|refused| *refused == Refused::Client) {
                self.forget(&site);
            }
            return traded;
        }
        let (style, traded) = match attempt(http, grant, Style::Basic, deadline).await {
            // Who judges the code has taken the credentials.
            Err(Refused::Client | Refused::Other) => (Style::Body, attempt(http, grant, Style::Body, deadline).await),
            traded => (Style::Basic, traded),
        };
        if traded.is_ok() {
            self.remember(site, style);
        }
        traded
    }

    fn known(&self, site: &Site) -> Option<Style> {
        self.styles.lock().unwrap_or_else(PoisonError::into_inner).get(site).copied()
    }

    fn remember(&self, site: Site, style: Style) {
        let mut styles = self.styles.lock().unwrap_or_else(PoisonError::into_inner);
        if styles.len() >= MOST {
            styles.clear();
        }
        styles.insert(site, style);
    }

    fn forget(&self, site: &Site) {
        self.styles.lock().unwrap_or_else(PoisonError::into_inner).remove(site);
    }
}

async fn attempt(
    http: &HttpClient,
    grant: &Grant<'_>,
    style: Style,
    deadline: Instant,
) -> Result<TokenAnswer, Refused> {
    let client = client(grant, style).ok_or(Refused::Other)?;
    let mut request = client.exchange_code(AuthorizationCode::new(grant.code.expose().clone()));
    if let Some(verifier) = grant.verifier {
        request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().clone()));
    }
    if grant.secret_again {
        // In Basic's place the library leaves the client id out of the form.
        if style == Style::Basic {
            request = request.add_extra_param("client_id", grant.client_id);
        }
        request = request.add_extra_param("secret", grant.secret.expose().as_str());
    }
    match request.request_async(&Sender { http, deadline }).await {
        Ok(tokens) => Ok(tokens.answer()),
        Err(RequestTokenError::Request(refused)) => Err(refused),
        Err(_) => Err(Refused::Other),
    }
}

fn client(grant: &Grant<'_>, style: Style) -> Option<Client> {
    let auth = if style == Style::Basic { AuthType::BasicAuth } else { AuthType::RequestBody };
    let client = oauth2::Client::new(ClientId::new(grant.client_id.to_owned()))
        .set_auth_type(auth)
        .set_token_uri(TokenUrl::new(grant.url.to_owned()).ok()?)
        .set_redirect_uri(RedirectUrl::new(grant.redirect_uri.to_owned()).ok()?);
    let secret = grant.secret.expose();
    Some(if secret.is_empty() { client } else { client.set_client_secret(ClientSecret::new(secret.clone())) })
}

/// Sends what `oauth2` has composed through the client that knows reach, deadline and bounds, and makes JSON of the answer.
struct Sender<'a> {
    http: &'a HttpClient,
    deadline: Instant,
}

impl<'c> AsyncHttpClient<'c> for Sender<'_> {
    type Error = Refused;
    type Future = BoxFuture<'c, Result<HttpResponse, Refused>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Sender<'_> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Refused> {
        let call = self.http.post(&request.uri().to_string()).deadline(self.deadline);
        let mut call = call.header(ACCEPT.as_str(), "application/json");
        let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some((scheme, credentials)) = authorization.and_then(|value| value.split_once(' ')) {
            call = call.authorization(scheme, &Secret::new(credentials.to_owned()));
        }
        let call = call.body("application/x-www-form-urlencoded", request.into_body());
        let failed = |error| if is_outage(&error) { Refused::Outage } else { Refused::Other };
        let answer = call.send().await.map_err(failed)?;
        let status = answer.status();
        let content_type = answer.header(CONTENT_TYPE.as_str()).unwrap_or_default().into_owned();
        let body = answer.read(LIMIT).await.map_err(failed)?;
        if status.is_server_error() {
            return Err(Refused::Outage);
        }
        let fields = fields(&body, &content_type);
        let has_tokens = fields.get("access_token").and_then(Value::as_str).is_some_and(|token| !token.is_empty());
        if !status.is_success() || !has_tokens || error(&fields).is_some() {
            return Err(refusal(status.as_u16(), error(&fields)));
        }
        let json = serde_json::to_vec(&fields).map_err(|_| Refused::Other)?;
        Ok(HttpResponse::new(json))
    }
}

/// The members of an answer, which is JSON or a form. Anything else has none.
fn fields(body: &[u8], content_type: &str) -> Map<String, Value> {
    if let Ok(fields) = serde_json::from_slice(body) {
        return fields;
    }
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/x-www-form-urlencoded" | "text/plain" => {
            form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into())).collect()
        }
        _ => Map::new(),
    }
}

/// The `error` of an answer, empty where it is no text.
fn error(fields: &Map<String, Value>) -> Option<&str> {
    match fields.get("error")? {
        Value::Null => None,
        Value::String(code) if code.is_empty() => None,
        error => Some(error.as_str().unwrap_or_default()),
    }
}

/// What a refusal means: RFC 6749 §5.2, and the words of GitHub and Slack.
fn refusal(status: u16, error: Option<&str>) -> Refused {
    match error.unwrap_or_default() {
        "invalid_grant" | "bad_verification_code" | "invalid_code" | "code_already_used" | "code_expired" => {
            Refused::Grant
        }
        "invalid_client"
        | "unauthorized_client"
        | "incorrect_client_credentials"
        | "bad_client_secret"
        | "invalid_client_id" => Refused::Client,
        "redirect_uri_mismatch" | "bad_redirect_uri" => Refused::Redirect,
        _ if status == 401 => Refused::Client,
        _ => Refused::Other,
    }
}

/// A token answer as it came; of its members only the access token is demanded.
#[derive(Deserialize, Serialize)]
struct Tokens {
    access_token: AccessToken,
    #[serde(default, skip_deserializing, skip_serializing)]
    scopes: Option<Vec<Scope>>,
    #[serde(flatten)]
    further: Map<String, Value>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[tokens]")
    }
}

impl TokenResponse for Tokens {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<std::time::Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

impl Tokens {
    fn answer(self) -> TokenAnswer {
        let access_token = self.access_token.into_secret();
        let text = |name: &str| {
            let value = self.further.get(name).and_then(Value::as_str);
            value.filter(|value| !value.is_empty()).map(|value| Secret::new(value.to_owned()))
        };
        let (refresh_token, id_token) = (text("refresh_token").unwrap_or_default(), text("id_token"));
        let mut json = self.further;
        json.insert("access_token".to_owned(), access_token.clone().into());
        TokenAnswer { access_token: access_token.into(), refresh_token, id_token, json: Value::Object(json) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_json_or_forms() {
        let form = b"access_token=a%26b&token_type=bearer";
        for content_type in ["application/x-www-form-urlencoded", "text/plain; charset=utf-8"] {
            assert_eq!(fields(form, content_type)["access_token"], "a&b");
        }
        assert!(fields(form, "text/html").is_empty());
        assert_eq!(fields(br#"{"access_token":"a"}"#, "text/html")["access_token"], "a");
        assert!(fields(b"[1]", "application/json").is_empty());
    }

    #[test]
    fn an_error_may_be_any_truthy_thing() {
        let of = |value: Value| error(value.as_object().unwrap()).map(str::to_owned);
        assert_eq!(of(json!({})), None);
        assert_eq!(of(json!({"error": null})), None);
        assert_eq!(of(json!({"error": ""})), None);
        assert_eq!(of(json!({"error": "invalid_grant"})).as_deref(), Some("invalid_grant"));
        assert_eq!(of(json!({"error": {"message": "m"}})).as_deref(), Some(""));
    }

    #[test]
    fn refusals_say_whether_the_code_or_the_client_is_meant() {
        assert_eq!(refusal(400, Some("invalid_grant")), Refused::Grant);
        assert_eq!(refusal(200, Some("bad_verification_code")), Refused::Grant);
        assert_eq!(refusal(401, None), Refused::Client);
        assert_eq!(refusal(401, Some("invalid_grant")), Refused::Grant);
        assert_eq!(refusal(400, Some("unauthorized_client")), Refused::Client);
        assert_eq!(refusal(400, Some("redirect_uri_mismatch")), Refused::Redirect);
        assert_eq!(refusal(400, None), Refused::Other);
    }
}
