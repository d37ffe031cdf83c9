//! Paths, methods, and what every answer carries.

use axum::body::Body;
use http::Request;
use serde_json::json;

use actors::Document;
use domain::discovery::Answer;

use crate::support::{FakeRuntime, TestEdge};

fn edge() -> TestEdge {
    TestEdge::new(FakeRuntime::default().with_tokens("good").on(|_, document: Document| match document {
        Document::OauthMetadata => Err(domain::refusal::Refusal::OauthServerDisabled.into()),
        document => Ok(Answer::Jwks(json!({"document": format!("{document:?}")}))),
    }))
}

#[tokio::test]
async fn unknown_paths_answer_plain_text() {
    let edge = edge();
    for (method, path) in [
        ("GET", "/nope"),
        ("POST", "/signups"),
        ("GET", "/"),
        ("GET", ""),
        ("POST", "/token/"),
        ("GET", "/authorize/"),
        ("POST", "/logout/"),
        ("GET", "/settings/"),
        ("POST", "/otp/"),
        ("POST", "/recover/"),
        ("POST", "/resend/"),
        ("POST", "/magiclink/"),
        ("POST", "/invite/"),
        ("POST", "/verify/other"),
    ] {
        let answer = edge.ask(method, path, &[], "{}").await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (404, "404 page not found\n"), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{path}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{path}");
    }
}

#[tokio::test]
async fn wrong_methods_name_the_right_ones() {
    let edge = edge();
    for (method, path, allow) in [
        ("HEAD", "/authorize", "GET"),
        ("POST", "/authorize", "GET"),
        ("GET", "/signup", "POST"),
        ("GET", "/signup/", "POST"),
        ("GET", "/token", "POST"),
        ("PUT", "/otp", "POST"),
        ("GET", "/magiclink", "POST"),
        ("GET", "/recover", "POST"),
        ("DELETE", "/resend", "POST"),
        ("GET", "/verify/confirm", "POST"),
        ("HEAD", "/verify/confirm.css", "GET"),
        ("POST", "/settings", "GET"),
        ("HEAD", "/settings", "GET"),
        ("HEAD", "/verify", "GET, POST"),
        ("PUT", "/verify/", "GET, POST"),
        ("OPTIONS", "/signup", "POST"),
        ("BREW", "/health", "GET"),
    ] {
        let answer = edge.ask(method, path, &[], "{}").await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (405, ""), "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        assert_eq!(answer.header("content-type"), None, "{method} {path}");
    }
}

#[tokio::test]
async fn documents_may_be_kept_and_other_answers_may_not() {
    let edge = edge();
    for (path, cache) in [
        ("/settings", "no-store"),
        ("/health", "no-store"),
        ("/.well-known/jwks.json", "public, max-age=600"),
        ("/.well-known/openid-configuration", "public, max-age=600"),
    ] {
        let answer = edge.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("cache-control"), Some(cache), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    assert_eq!(edge.get("/settings").await.text, r#"{"document":"Settings"}"#);
    assert_eq!(
        edge.get("/.well-known/oauth-authorization-server").await.refusal(),
        (404, "feature_disabled".to_owned())
    );
    assert_eq!(edge.get("/.well-known/nope").await.text, "404 page not found\n");
}

#[tokio::test]
async fn discovery_also_stands_beside_the_auth_api() {
    let edge = edge();
    for uri in ["/p/acme/.well-known/jwks.json", "http://acme.localhost/.well-known/jwks.json"] {
        let answer = edge.send(Request::get(uri).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.text, r#"{"document":"Jwks"}"#, "{uri}");
    }
}

#[tokio::test]
async fn the_gateway_tells_whether_it_lives() {
    let edge = edge();
    for uri in ["/livez", "/readyz"] {
        let answer = edge.send(Request::get(uri).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 204, "{uri}");
    }
    let answer = edge.send(Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.text, "404 page not found\n");
}

#[tokio::test]
async fn preflights_need_no_project_and_no_key() {
    let edge = edge();
    for uri in ["/p/acme/auth/v1/user", "/p/unknown/auth/v1/user", "/auth/v1/nope"] {
        let request = Request::options(uri)
            .header("origin", "https://shop.example.com")
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "apikey,authorization");
        let answer = edge.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{uri}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{uri}");
        assert_eq!(answer.header("access-control-allow-headers"), Some("apikey,authorization"), "{uri}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{uri}");
    }
}

#[tokio::test]
async fn options_without_a_method_to_ask_for_is_no_preflight() {
    let edge = edge();
    let origin = ("origin", "https://shop.example.com");
    for headers in [&[origin][..], &[origin, ("access-control-request-method", "")]] {
        let answer = edge.ask("OPTIONS", "/signup", headers, "").await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some("POST")), "{headers:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{headers:?}");
    }
}

#[tokio::test]
async fn errors_carry_cors_headers_too() {
    let answer = edge().ask("GET", "/user", &[("origin", "https://shop.example.com")], "").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("vary"), Some("Origin"));
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let edge = edge();
    let first = edge.get("/health").await;
    let second = edge.get("/health").await;
    let id = |answer: &crate::support::Answered| answer.header("x-request-id").unwrap().parse::<uuid::Uuid>().unwrap();
    assert_ne!(id(&first), id(&second));
}
