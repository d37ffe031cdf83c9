//! Hooks over HTTP, against a server that answers well, badly, slowly and hugely.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::entropy::Entropy;
use domain::hook::HttpHook;
use domain::secret::Secret;
use domain::time::{Clock, Timestamp};
use futures::FutureExt;
use outbound::{HookError, HookTransport, HttpError, HttpHooks, RecordingHooks};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::stand_in::{self, Reply, Request, StandIn, client, client_within, redirect, reply};

const START: i64 = 1_800_000_000;
const TYPE: (&str, &str) = ("content-type", "application/json");

/// Time as the runtime sees it.
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(START + self.0.elapsed().as_secs() as i64)
    }
}

#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::SeqCst));
    }
}

fn hooks() -> HttpHooks {
    HttpHooks::new(client(), Arc::new(TokioClock(Instant::now())), Arc::new(Counting::default()))
}

fn hook(uri: &str, secrets: &[&str]) -> HttpHook {
    let secrets = secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect();
    HttpHook { uri: uri.to_owned(), secrets }
}

async fn ask(server: &StandIn) -> Result<Value, HookError> {
    hooks().call(&hook(&server.url("/hook"), &[]), &json!({"a": 1})).await
}

/// Asks a server that answers in turn: the result, in what time, and after how many attempts.
async fn asked(answers: &[Reply]) -> (Result<Value, HookError>, u64, usize) {
    let server = StandIn::giving(answers).await;
    let start = Instant::now();
    let result = ask(&server).await;
    (result, start.elapsed().as_secs(), server.requests().len())
}

/// Status, code and message that the client gets.
fn wire(error: &HookError) -> (u16, String, String) {
    let wire = error.refusal().wire();
    (wire.status, wire.code.to_string(), wire.message.to_string())
}

fn fails(status: u16, code: &str, message: &str) -> (u16, String, String) {
    (status, code.to_owned(), message.to_owned())
}

/// HMAC-SHA256 as RFC 2104 writes it.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

fn signature(request: &Request, key: &[u8]) -> String {
    let (id, time) = (request.header("webhook-id").unwrap(), request.header("webhook-timestamp").unwrap());
    format!("v1,{}", STANDARD.encode(hmac(key, format!("{id}.{time}.{}", request.body()).as_bytes())))
}

#[tokio::test]
async fn a_call_is_signed_with_every_secret() {
    let server = StandIn::giving([stand_in::json(r#"{"decision":"continue"}"#)]).await;
    let (first, second) = ([1; 24], [2; 64]);
    let secrets = [&first[..], &second[..]].map(|key| format!("v1,whsec_{}", STANDARD.encode(key)));
    let hook = hook(&server.url("/hook?x=1"), &[&secrets[0], &secrets[1]]);
    let payload = json!({"metadata": {"name": "send-sms"}, "text": "\u{e4}<&>"});
    assert_eq!(hooks().call(&hook, &payload).await, Ok(json!({"decision": "continue"})));

    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/hook?x=1"));
    assert_eq!(serde_json::from_str::<Value>(request.body()).unwrap(), payload);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(uuid::Uuid::parse_str(request.header("webhook-id").unwrap()).unwrap().get_version_num(), 4);
    assert_eq!(request.header("webhook-timestamp"), Some(START.to_string().as_str()));
    let expected = format!("{}, {}", signature(request, &first), signature(request, &second));
    assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
}

#[tokio::test]
async fn without_secrets_the_signature_is_empty() {
    let server = StandIn::giving([reply(204, &[], b"")]).await;
    assert_eq!(ask(&server).await, Ok(Value::Null));
    assert_eq!(server.requests()[0].header("webhook-signature"), Some(""));
}

#[tokio::test]
async fn secrets_of_another_kind_fail_every_call() {
    let server = StandIn::giving([stand_in::json("{}")]).await;
    let good = format!("v1,whsec_{}", STANDARD.encode([1; 24]));
    let hook = hook(&server.url("/"), &[&good, "v1a,whpk_AAAA:whsk_AAAA"]);
    let error = hooks().call(&hook, &Value::Null).await.unwrap_err();
    let told = fails(500, "unexpected_failure", "Error generating signatures: invalid signature format");
    assert_eq!(wire(&error), told);
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn what_the_statuses_mean() {
    let body = br#"{"a":1}"#;
    for status in [200, 202] {
        assert_eq!(asked(&[reply(status, &[TYPE], body)]).await.0, Ok(json!({"a": 1})), "{status}");
    }
    assert_eq!(asked(&[reply(204, &[TYPE], b"")]).await.0, Ok(Value::Null));
    let unexpected = |status| (status, format!("Unexpected status code returned from hook: {status}"));
    for (status, message) in [
        (400, "Invalid payload sent to hook".to_owned()),
        (401, "Hook requires authorization token".to_owned()),
        (429, "Service currently unavailable due to hook".to_owned()),
        (503, "Service currently unavailable due to hook".to_owned()),
        unexpected(201),
        unexpected(206),
        unexpected(304),
        unexpected(403),
        unexpected(404),
        unexpected(422),
        unexpected(500),
        unexpected(502),
    ] {
        // A body that would refuse with another status, were it read.
        let body = br#"{"error":{"http_code":418,"message":"not read"}}"#;
        let (result, _, attempts) = asked(&[reply(status, &[TYPE], body)]).await;
        assert_eq!(wire(&result.unwrap_err()), fails(500, "unexpected_failure", &message));
        assert_eq!(attempts, 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_hook_is_asked_again_at_once() {
    let busy = |status, after| reply(status, &[("retry-after", after)], b"");
    let answers = [busy(503, "true"), busy(429, "1000"), stand_in::json("{}")];
    assert_eq!(asked(&answers).await, (Ok(json!({})), 0, 3));
    let (result, seconds, attempts) = asked(&[busy(503, "1")]).await;
    assert_eq!((result, seconds, attempts), (Err(HookError::Unavailable), 0, 3));
    // An empty header asks for nothing.
    assert_eq!(asked(&[busy(429, "")]).await, (Err(HookError::Unavailable), 0, 1));
}

#[tokio::test(start_paused = true)]
async fn after_the_network_failed_the_hook_is_asked_again_two_seconds_later() {
    let broken = Reply::Raw(Vec::new());
    let server = StandIn::giving([broken.clone(), broken.clone(), stand_in::json("{}")]).await;
    let key = [7; 24];
    let hook = hook(&server.url("/"), &[&format!("v1,whsec_{}", STANDARD.encode(key))]);
    let start = Instant::now();
    assert_eq!(hooks().call(&hook, &json!({"a": 1})).await, Ok(json!({})));
    assert_eq!(start.elapsed().as_secs(), 4);
    let requests = server.requests();
    for (request, pause) in requests.iter().zip([0, 2, 4]) {
        assert_eq!(request.header("webhook-timestamp"), Some((START + pause).to_string().as_str()));
        assert_eq!(request.header("webhook-signature"), Some(signature(request, &key).as_str()));
    }
    let ids: std::collections::HashSet<_> = requests.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids.len(), 3);

    let (result, seconds, attempts) = asked(&[broken]).await;
    let told = fails(422, "hook_timeout_after_retry", "Failed to reach hook after maximum retries");
    assert_eq!((wire(&result.unwrap_err()), seconds, attempts), (told, 4, 3));
}

#[tokio::test(start_paused = true)]
async fn a_closed_port_is_an_unreachable_hook() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = hooks().call(&hook(&format!("http://{closed}/"), &[]), &Value::Null).await.unwrap_err();
    assert!(matches!(&error, HookError::Unreachable(HttpError::Network { .. })), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn five_seconds_are_all_a_hook_gets() {
    let told = fails(422, "hook_timeout", "Failed to reach hook within maximum time of 5.000000 seconds");
    let (result, seconds, attempts) = asked(&[Reply::Silence]).await;
    assert_eq!((wire(&result.unwrap_err()), seconds, attempts), (told.clone(), 5, 1));
    // The head in time and the body not.
    let head = b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n";
    let (result, seconds, _) = asked(&[Reply::Drip(head.to_vec())]).await;
    assert_eq!((wire(&result.unwrap_err()), seconds), (told.clone(), 5));
    // A pause that reaches over the end.
    let late = Reply::Late(Duration::from_millis(3500), Vec::new());
    let (result, seconds, attempts) = asked(&[late]).await;
    assert_eq!((wire(&result.unwrap_err()), seconds, attempts), (told, 5, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hook_may_take_some_seconds() {
    let answer = b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\n\r\n{}";
    let late = Reply::Late(Duration::from_millis(4500), answer.to_vec());
    assert_eq!(asked(&[late]).await, (Ok(json!({})), 4, 1));
}

#[tokio::test]
async fn an_answer_must_say_that_it_is_json() {
    let code = "hook_payload_invalid_content_type";
    for (header, message) in [
        (None, "Invalid Content-Type: Missing Content-Type header"),
        (Some(""), "Invalid Content-Type: Missing Content-Type header"),
        (Some("text/html"), "Invalid JSON response. Received content-type: text/html"),
        (Some("application/json; charset"), "Invalid Content-Type header: mime: invalid media parameter"),
    ] {
        let headers: Vec<_> = header.map(|value| ("content-type", value)).into_iter().collect();
        for status in [200, 202] {
            let error = asked(&[reply(status, &headers, b"{}")]).await.0.unwrap_err();
            assert_eq!(wire(&error), fails(400, code, message), "{header:?}");
        }
    }
    let typed = |value| reply(200, &[("content-type", value)], b"{}");
    assert_eq!(asked(&[typed("Application/JSON; charset=utf-8")]).await.0, Ok(json!({})));
}

#[tokio::test]
async fn an_answer_must_be_json() {
    for body in ["not json", "", "{\"decision\":", "{} {}"] {
        let error = asked(&[stand_in::json(body)]).await.0.unwrap_err();
        assert_eq!(wire(&error), fails(500, "unexpected_failure", "Error unmarshaling JSON output."), "{body}");
    }
    assert_eq!(asked(&[stand_in::json("null")]).await.0, Ok(Value::Null));
}

#[tokio::test]
async fn an_answer_has_at_most_204800_bytes() {
    let sized = |bytes: usize| stand_in::json(&format!("\"{}\"", "x".repeat(bytes - 2)));
    assert!(asked(&[sized(204_800)]).await.0.is_ok());
    let told = fails(422, "hook_payload_over_size_limit", "Payload size exceeded size limit of 204800 bytes");
    assert_eq!(wire(&asked(&[sized(204_801)]).await.0.unwrap_err()), told);
    let endless = Reply::Flood(b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\n\r\n".to_vec());
    assert_eq!(wire(&asked(&[endless]).await.0.unwrap_err()), told);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_used() {
    let half = b"HTTP/1.1 200 x\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{}";
    let (result, _, attempts) = asked(&[Reply::Raw(half.to_vec())]).await;
    assert_eq!((result, attempts), (Err(HookError::Unavailable), 1));
}

#[tokio::test]
async fn redirects_are_followed_with_the_headers_of_the_call() {
    let server = StandIn::giving([redirect(307, "/moved"), stand_in::json(r#"{"a":2}"#)]).await;
    assert_eq!(ask(&server).await, Ok(json!({"a": 2})));
    let [first, second] = &server.requests()[..] else { panic!("two requests") };
    assert_eq!((second.target.as_str(), second.body()), ("/moved", r#"{"a":1}"#));
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_may_not_be_reached_is_given_up_at_once() {
    let server = StandIn::giving([stand_in::json("{}")]).await;
    let nowhere = client_within(Arc::new(|_: IpAddr| false));
    let hooks = HttpHooks::new(nowhere, Arc::new(TokioClock(Instant::now())), Arc::new(Counting::default()));
    let start = Instant::now();
    for uri in [server.url("/"), format!("http://localhost:{}/", server.address.port())] {
        let error = hooks.call(&hook(&uri, &[]), &Value::Null).await.unwrap_err();
        assert_eq!(error, HookError::Unreachable(HttpError::Forbidden));
        assert_eq!(wire(&error).1, "hook_timeout_after_retry");
    }
    assert_eq!((start.elapsed().as_secs(), server.requests().len()), (0, 0));
    let error = hooks.call(&hook("http://hooks.example/", &[]), &Value::Null).await.unwrap_err();
    let told = "Unexpected failure, please check server logs for more information";
    assert_eq!(wire(&error), fails(500, "unexpected_failure", told));
}

#[tokio::test]
async fn recorded_hooks_answer_as_planned() {
    let hooks = RecordingHooks::new();
    let (one, two) = (hook("https://h.example/1", &[]), hook("https://h.example/2", &[]));
    hooks.reply_next(&one.uri, Err(HookError::Timeout));
    hooks.reply_with(&one.uri, |payload| Ok(json!({"echo": payload["n"]})));
    assert_eq!(hooks.call(&one, &json!({"n": 1})).await, Err(HookError::Timeout));
    assert_eq!(hooks.call(&one, &json!({"n": 2})).await, Ok(json!({"echo": 2})));
    assert_eq!(hooks.call(&two, &json!({"n": 3})).await, Ok(Value::Null));
    hooks.reply(&two.uri, Ok(json!({})));
    assert_eq!(hooks.call(&two, &json!({"n": 4})).await, Ok(json!({})));
    assert_eq!(hooks.take(&one.uri), [json!({"n": 1}), json!({"n": 2})]);
    assert_eq!(hooks.calls(), [(two.uri.clone(), json!({"n": 3})), (two.uri.clone(), json!({"n": 4}))]);
}

#[tokio::test]
async fn a_held_hook_waits_until_it_is_released() {
    let hooks = RecordingHooks::new();
    let hook = hook("https://h.example/1", &[]);
    hooks.hold(&hook.uri);
    let payload = json!({});
    let mut call = hooks.call(&hook, &payload);
    assert!((&mut call).now_or_never().is_none());
    assert_eq!(hooks.calls().len(), 1);
    hooks.release(&hook.uri);
    assert_eq!(call.await, Ok(Value::Null));
    assert_eq!(hooks.call(&hook, &payload).await, Ok(Value::Null));
}
