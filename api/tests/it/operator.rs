//! What operators see: metrics, and a Management API that is closed without its token.

use actors::Document;
use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::support::{FakeRuntime, TestEdge};

#[tokio::test]
async fn metrics_name_routes_never_projects() {
    let edge =
        TestEdge::new(FakeRuntime::default().on(|_, _: Document| Ok(domain::discovery::Answer::Jwks(json!({})))));
    edge.get("/health").await;
    edge.get("/health?apikey=sb_publishable_secret").await;
    edge.get("/nope/with/acme").await;
    let answer = edge.send(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let counted = r#"tenantry_http_requests_total{route="/auth/v1/health",method="GET",class="compat",status="200"} 2"#;
    assert!(answer.text.contains(counted), "{}", answer.text);
    assert!(answer.text.ends_with("\ntenantry_asks_total 7\n"), "{}", answer.text);
    for hidden in ["acme", "sb_publishable"] {
        assert!(!answer.text.contains(hidden), "{hidden} in {}", answer.text);
    }
}

#[tokio::test]
async fn where_there_is_no_operator_there_is_no_management_api() {
    let edge = TestEdge::new(FakeRuntime::default());
    for uri in ["/v1/projects", "/v1/projects/acme/config/auth", "/v1/other"] {
        let token = format!("Bearer sbp_{}", "a".repeat(40));
        let request = Request::get(uri).header("authorization", token).body(Body::empty()).unwrap();
        assert_eq!(edge.send(request).await.status, 404, "{uri}");
    }
}
