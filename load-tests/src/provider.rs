//! An OAuth provider of the run's own on this machine, at the paths of a Keycloak realm: everybody who is sent to it agrees at
//! once. It remembers nothing: a code, and the token that it is exchanged for, name the person.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::form_urlencoded;

use crate::client::oauth::PROVIDER;

/// Serves until it is dropped.
pub(crate) struct Provider {
    address: SocketAddr,
    serving: AbortHandle,
}

impl Provider {
    /// Starts one on a free port of the loopback interface.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the provider cannot listen")?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener)).abort_handle();
        Ok(Self { address, serving })
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Settings of a project whose users may come from it.
    pub(crate) fn configuration(&self) -> Value {
        let field = |name: &str| format!("external_{PROVIDER}_{name}");
        json!({
            field("enabled"): true,
            field("client_id"): "tenantry-load",
            field("secret"): "tenantry-load",
            field("url"): self.url(),
        })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener) {
    loop {
        // A connection that cannot be taken is the caller's to try again.
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(handle)));
    }
}

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let bearer = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let (status, answer) = answer(&parts.method, parts.uri.path(), bearer, &body);
    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn answer(method: &Method, path: &str, authorization: Option<&str>, body: &[u8]) -> (StatusCode, Value) {
    match (method, path) {
        (&Method::POST, "/protocol/openid-connect/token") => {
            match form_urlencoded::parse(body).find(|(name, _)| name == "code") {
                Some((_, code)) => {
                    (StatusCode::OK, json!({"access_token": code, "token_type": "Bearer", "expires_in": 300}))
                }
                None => (StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"})),
            }
        }
        (&Method::GET, "/protocol/openid-connect/userinfo") => {
            match authorization.and_then(|value| value.strip_prefix("Bearer ")) {
                Some(person) => (StatusCode::OK, profile(person)),
                None => (StatusCode::UNAUTHORIZED, json!({})),
            }
        }
        _ => (StatusCode::NOT_FOUND, json!({})),
    }
}

fn profile(person: &str) -> Value {
    json!({
        "sub": person,
        "email": format!("{person}@example.com"),
        "email_verified": true,
        "name": "Ada Example",
        "preferred_username": person,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_leads_to_its_person() {
        let (status, tokens) = answer(
            &Method::POST,
            "/protocol/openid-connect/token",
            None,
            b"grant_type=authorization_code&code=load%2D1&redirect_uri=x",
        );
        assert_eq!((status, &tokens["access_token"]), (StatusCode::OK, &json!("load-1")));
        let (_, person) = answer(&Method::GET, "/protocol/openid-connect/userinfo", Some("Bearer load-1"), b"");
        assert_eq!((&person["sub"], &person["email"]), (&json!("load-1"), &json!("load-1@example.com")));
    }

    #[test]
    fn who_brings_nothing_gets_nothing() {
        let status = |method, path| answer(method, path, None, b"").0;
        assert_eq!(status(&Method::POST, "/protocol/openid-connect/token"), StatusCode::BAD_REQUEST);
        assert_eq!(status(&Method::GET, "/protocol/openid-connect/userinfo"), StatusCode::UNAUTHORIZED);
        assert_eq!(status(&Method::GET, "/"), StatusCode::NOT_FOUND);
    }
}
