//! Requests that hang, stall or crash.

use axum::body::Body;
use bytes::Bytes;
use domain::signup;

use crate::support::{FakeRuntime, TestEdge};

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_answered_504() {
    let edge = TestEdge::new(FakeRuntime::hanging());
    let answer = edge.post("/signup", "{}").await;
    assert_eq!(answer.refusal(), (504, "request_timeout".to_owned()));
    assert_eq!(answer.json()["error_id"].as_str(), answer.header("x-request-id"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_ends_the_connection() {
    let edge = TestEdge::new(FakeRuntime::default());
    let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = edge.post("/signup", body).await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_crash_is_answered_without_its_text() {
    let edge = TestEdge::new(FakeRuntime::default().on(|_, _: signup::Request| panic!("the secret of the crash")));
    let answer = edge.post("/signup", "{}").await;
    assert_eq!(answer.text, r#"{"code":500,"error_code":"unexpected_failure","msg":"Internal Server Error"}"#);
    assert_eq!(answer.header("vary"), None, "the crash took the layers inside with it");
}

#[tokio::test]
async fn a_fault_is_answered_without_its_text() {
    let edge = TestEdge::new(FakeRuntime::default());
    let answer = edge.post("/signup", "{}").await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text.contains("nobody answers"), "{}", answer.text);
}
