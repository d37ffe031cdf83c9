//! Which project a request reaches, what it is told of its caller, and what the project asks of API keys.

use std::sync::{Arc, Mutex};

use actors::Document;
use api::Cors;
use api::runtime::Facts;
use axum::body::Body;
use domain::config::policy::CorsOrigins;
use domain::discovery::Answer;
use domain::request::Caller;
use http::Request;
use serde_json::json;

use crate::support::{FakeRuntime, TestEdge, facts};

fn edge(known: Facts) -> (TestEdge, Arc<Mutex<Option<Caller>>>) {
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let runtime = FakeRuntime::default().with_facts(known).on(move |call, _: Document| {
        *noted.lock().unwrap() = Some(call.caller);
        Ok(Answer::Jwks(json!({"project": call.project})))
    });
    (TestEdge::new(runtime), seen)
}

fn request(uri: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn path_host_and_key_name_the_project() {
    let (edge, _) = edge(facts());
    for (uri, headers) in [
        ("/p/acme/auth/v1/health", &[("apikey", "anything")][..]),
        ("/auth/v1/health", &[("host", "acme.localhost:8000")]),
        ("/auth/v1/health", &[("host", "127.0.0.1:8000"), ("apikey", "sb_publishable_acme")]),
        ("/auth/v1/health?apikey=sb_publishable_acme", &[]),
    ] {
        assert_eq!(edge.send(request(uri, headers)).await.text, r#"{"project":"acme"}"#, "{uri}");
    }
}

#[tokio::test]
async fn no_project_is_404_in_both_shapes() {
    let (edge, _) = edge(facts());
    for uri in ["/p/unknown/auth/v1/health", "/p/Not-A-Ref/auth/v1/health", "/auth/v1/health"] {
        let answer = edge.send(request(uri, &[])).await;
        assert_eq!(answer.refusal(), (404, "project_not_found".to_owned()), "{uri}");
        let answer = edge.send(request(uri, &[("x-supabase-api-version", "2024-01-01")])).await;
        assert_eq!(answer.json()["code"], "project_not_found", "{uri}");
    }
}

#[tokio::test]
async fn the_caller_is_described_once() {
    let (edge, seen) = edge(Facts { sb_forwarded_for: true, ..facts() });
    let headers = [
        ("sb-forwarded-for", "198.51.100.7"),
        ("user-agent", "node"),
        ("x-jwt-aud", "other"),
        ("referer", "https://app.example.com/page"),
    ];
    let answer = edge.send(request("/p/acme/auth/v1/health?redirect_to=app%3A%2F%2Fcb", &headers)).await;
    let caller = seen.lock().unwrap().take().unwrap();
    assert_eq!((caller.ip.as_deref(), caller.counted.as_deref()), (Some("198.51.100.7"), Some("198.51.100.7")));
    assert_eq!(caller.user_agent.as_deref(), Some("node"));
    assert_eq!(caller.audience.as_deref(), Some("other"));
    assert_eq!(caller.redirect_candidates, ["app://cb", "https://app.example.com/page"]);
    assert_eq!(Some(caller.request_id.as_str()), answer.header("x-request-id"));
}

#[tokio::test]
async fn limits_do_not_count_the_address_of_a_trusted_proxy() {
    let (edge, seen) = edge(facts());
    edge.send(request("/p/acme/auth/v1/health", &[("sb-forwarded-for", "198.51.100.7")])).await;
    let caller = seen.lock().unwrap().take().unwrap();
    assert_eq!((caller.ip.as_deref(), caller.counted), (Some("127.0.0.1"), None));
    assert_eq!(caller.user_agent, None);
}

#[tokio::test]
async fn a_project_lists_the_pages_that_may_read_its_answers() {
    let origins = CorsOrigins::Listed(["https://shop.example.com".to_owned()].into());
    let (edge, _) = edge(Facts { cors: Cors { origins, credentials: false }, ..facts() });
    let uri = "/p/acme/auth/v1/health";
    let mine = edge.send(request(uri, &[("origin", "https://shop.example.com")])).await;
    assert_eq!(mine.header("access-control-allow-origin"), Some("https://shop.example.com"));
    let foreign = edge.send(request(uri, &[("origin", "https://evil.example.com")])).await;
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    let preflight = Request::options(uri)
        .header("origin", "https://evil.example.com")
        .header("access-control-request-method", "GET")
        .body(Body::empty());
    let preflight = edge.send(preflight.unwrap()).await;
    assert_eq!((preflight.status.as_u16(), preflight.header("access-control-allow-origin")), (204, None));
}

#[tokio::test]
async fn a_key_in_the_query_is_taken_only_where_the_project_says_so() {
    let uri = "/p/acme/auth/v1/health?apikey=sb_publishable_acme";
    let (open, _) = edge(facts());
    assert_eq!(open.send(request(uri, &[])).await.status, 200);
    let (closed, _) = edge(Facts { api_key_in_query: false, ..facts() });
    let answer = closed.send(request(uri, &[])).await;
    assert_eq!((answer.status.as_u16(), answer.json()["message"].as_str()), (401, Some("No API key found in request")));
}

#[tokio::test]
async fn a_browser_may_not_carry_a_secret_key() {
    let browser = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0");
    let (edge, _) = edge(facts());
    for header in [("apikey", "sb_secret_x"), ("authorization", "Bearer sb_secret_x")] {
        let answer = edge.send(request("/p/acme/auth/v1/health", &[browser, header])).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.as_str()),
            (401, r#"{"message":"Forbidden use of secret API key in browser"}"#)
        );
        let answer = edge.send(request("/p/acme/auth/v1/health", &[("user-agent", "node"), header])).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_project_may_insist_on_https() {
    let (edge, _) = edge(Facts { hsts_max_age: 31_536_000, ..facts() });
    let https = ("x-forwarded-proto", "https");
    let own_host = ("host", "acme.localhost");
    for (uri, headers, told) in [
        ("/p/acme/auth/v1/health", &[https][..], Some("max-age=31536000")),
        ("/auth/v1/health", &[https, own_host], Some("max-age=31536000; includeSubDomains")),
        ("/auth/v1/health", &[own_host], None),
        ("/auth/v1/health", &[("x-forwarded-proto", "http"), own_host], None),
    ] {
        let answer = edge.send(request(uri, headers)).await;
        assert_eq!(answer.header("strict-transport-security"), told, "{uri} {headers:?}");
    }
    let stranger = edge.send_from("203.0.113.9:1", request("/p/acme/auth/v1/health", &[https])).await;
    assert_eq!(stranger.header("strict-transport-security"), None);
}
