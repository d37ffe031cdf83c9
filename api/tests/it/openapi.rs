//! The documents: of the routes beside the contract, and of the Management API.

use serde_json::Value;

use crate::support::{FakeRuntime, TestEdge};

/// Every `$ref` below `value`.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Every `$ref` leads to something in the document.
fn check_references(document: &Value) {
    let mut found = Vec::new();
    references(document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let target = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(target).is_some(), "{reference} points nowhere");
    }
}

#[tokio::test]
async fn anybody_may_read_it_and_it_is_whole() {
    let edge = TestEdge::new(FakeRuntime::default());
    let answer = edge.get("/openapi.json").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    check_references(&document);
}

#[test]
fn the_management_apis_document_is_whole() {
    // A unit test holds what is served against this file.
    check_references(&serde_json::from_str(include_str!("../../openapi/management.json")).unwrap());
}

#[tokio::test]
async fn every_operation_in_it_is_served() {
    let edge = TestEdge::new(FakeRuntime::default().with_tokens("good"));
    let document = edge.get("/openapi.json").await.json();
    let bearer = [("authorization", "Bearer good")];
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            let (method, at) = (method.to_uppercase(), path.replace(['{', '}'], ""));
            let answer = edge.ask(&method, &at, &bearer, "").await;
            assert!(![404, 405].contains(&answer.status.as_u16()), "{method} {path}: {}", answer.status);
            // Nobody serves this method, and behind a token only its bearer gets to know.
            let stranger = edge.ask("BREW", &at, &[], "").await;
            let needs_token = item[method.to_lowercase()]["responses"].get("401").is_some();
            assert_eq!(stranger.status, if needs_token { 401 } else { 405 }, "{method} {path}");
        }
    }
}
