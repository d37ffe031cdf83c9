//! Bodies as recorded: what is no JSON object, what is too long, what is a form.

use std::time::Duration;

use axum::body::Body;
use domain::refusal::Refusal;
use domain::{first_checks, sign_in, signup, verify};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{FakeRuntime, TestEdge};

fn edge() -> TestEdge {
    TestEdge::new(
        FakeRuntime::default()
            .on(|_, _: signup::Request| Err(Refusal::SignupDisabled.into()))
            .on(|_, request: sign_in::Request| {
                assert!(request.email.is_empty(), "{}", request.email);
                Err(Refusal::LoginContactMissing.into())
            })
            .on(|_, request: first_checks::Request| match request.endpoint {
                first_checks::Endpoint::UnknownGrant => Err(Refusal::UnsupportedGrantType.into()),
                _ => Ok(()),
            })
            .on(|_, _: verify::Request| Err(Refusal::VerifyTypeRequired.into())),
    )
}

#[tokio::test]
async fn what_is_not_one_object_is_bad_json() {
    let edge = edge();
    for (path, body) in [
        ("/signup", "{\"email\":"),
        ("/signup", ""),
        ("/signup", "[]"),
        ("/signup", "\"text\""),
        ("/token?grant_type=password", "{\"email\":\"a\"} trailing"),
        ("/token?grant_type=password", "{\"email\": 5}"),
        ("/signup", "{\"data\":\"x\"}"),
        ("/signup", "{\"channel\":1}"),
    ] {
        let answer = edge.post(path, body).await;
        assert_eq!(answer.refusal(), (400, "bad_json".to_owned()), "{body}");
        let message = answer.json()["msg"].as_str().unwrap().to_owned();
        assert!(message.starts_with("Could not parse request body as JSON: "), "{message}");
    }
}

#[tokio::test]
async fn null_is_an_empty_object() {
    assert_eq!(
        edge().post("/token?grant_type=password", "null").await.refusal(),
        (400, "validation_failed".to_owned())
    );
}

#[tokio::test]
async fn a_form_is_no_json() {
    let edge = edge();
    let form = [("content-type", "application/x-www-form-urlencoded;charset=UTF-8")];
    for path in ["/signup", "/token?grant_type=password", "/verify"] {
        let answer = edge.ask("POST", path, &form, "email=a%40example.com&password=x").await;
        assert_eq!(answer.refusal(), (400, "bad_json".to_owned()), "{path}");
    }
    // The grant alone may stand in it.
    let answer = edge.ask("POST", "/token", &form, "grant_type=password").await;
    assert_eq!(answer.refusal(), (400, "bad_json".to_owned()));
    let answer = edge.ask("POST", "/token", &form, "grant=password").await;
    assert_eq!(answer.json()["msg"], "unsupported_grant_type");
}

#[tokio::test]
async fn other_content_types_do_not_matter() {
    let answer = edge().ask("POST", "/signup", &[("content-type", "text/plain")], "{}").await;
    assert_eq!(answer.refusal(), (422, "signup_disabled".to_owned()));
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_refused() {
    let edge = edge();
    let body = |length: usize| format!("{{\"email\":\"a@example.com\",\"password\":\"{}\"}}", "x".repeat(length));
    let answer = edge.post("/signup", body(1_048_576)).await;
    assert_eq!(answer.refusal(), (413, "request_entity_too_large".to_owned()));
    assert_eq!(answer.json()["msg"], "Request body too large (max 1048576 bytes)");
    assert_eq!(edge.post("/signup", body(1_040_000)).await.refusal(), (422, "signup_disabled".to_owned()));
}

#[tokio::test]
async fn unreadable_text_never_reaches_a_flow() {
    let edge = edge();
    for body in [&b"{\"email\":\"\\u0000\"}"[..], b"{\"data\":{\"a\":\"\\ud800\"}}", b"{\"password\":\"\xff\"}"] {
        let answer = edge.post("/signup", Body::from(body)).await;
        assert_eq!(answer.refusal(), (400, "validation_failed".to_owned()), "{body:?}");
    }
    for path in ["/token?grant_type=%00", "/verify?type=%ff&token=x"] {
        let method = if path.starts_with("/token") { "POST" } else { "GET" };
        assert_eq!(edge.ask(method, path, &[], "{}").await.refusal(), (400, "validation_failed".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn the_shape_of_an_error_follows_the_version_header() {
    let edge = edge();
    let answer = |version: &'static str| {
        let edge = &edge;
        async move { edge.ask("POST", "/token?grant_type=password", &[("x-supabase-api-version", version)], "{}").await }
    };
    let dated = answer("2025-06-30").await;
    assert_eq!(dated.text, r#"{"code":"validation_failed","message":"missing email or phone"}"#);
    assert_eq!(dated.header("x-supabase-api-version"), Some("2024-01-01"));
    let legacy = answer("latest").await;
    assert_eq!(legacy.text, r#"{"code":400,"error_code":"validation_failed","msg":"missing email or phone"}"#);
    assert_eq!(legacy.header("x-supabase-api-version"), None);
}

#[tokio::test]
async fn a_request_is_read_to_its_end_before_it_is_answered() {
    let address = edge().listen().await;
    let mut connection = TcpStream::connect(address).await.unwrap();
    // Nothing on these routes looks at the body, yet the connection serves the next request.
    for path in ["/nope", "/settings", "/nope"] {
        let head = format!("POST /p/acme/auth/v1{path} HTTP/1.1\r\nhost: x\r\ncontent-length: 14\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 1024];
        let early = timeout(Duration::from_millis(50), connection.read(&mut answer)).await;
        assert!(early.is_err(), "answered before the body came");
        connection.write_all(b"{\"email\":\"a\"} ").await.unwrap();
        let length = connection.read(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(text.starts_with("HTTP/1.1 40"), "{path}: {text}");
        assert!(!text.to_ascii_lowercase().contains("connection: close"), "{path}: {text}");
    }
}

#[tokio::test]
async fn broken_framing_is_answered_400_and_ends_the_connection() {
    let address = edge().listen().await;
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = "POST /p/acme/auth/v1/signup HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n";
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("bad_json"), "{answer}");
}

#[tokio::test]
async fn a_request_of_two_lengths_is_the_last_of_its_connection() {
    let address = edge().listen().await;
    let mut connection = TcpStream::connect(address).await.unwrap();
    // What a front that believes the content length takes for the next request must not be answered.
    let smuggled = "GET /p/acme/auth/v1/settings HTTP/1.1\r\nhost: x\r\n\r\n";
    let request = format!(
        "POST /p/acme/auth/v1/signup HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\ntransfer-encoding: chunked\r\n\r\n\
         2\r\n{{}}\r\n0\r\n\r\n{smuggled}"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
}
