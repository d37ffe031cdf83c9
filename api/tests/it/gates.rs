//! Behind authentication the token is checked before the method, the path and the body.

use crate::support::{FakeRuntime, TestEdge};

fn edge() -> TestEdge {
    TestEdge::new(FakeRuntime::default().with_tokens("good"))
}

const GOOD: [(&str, &str); 1] = [("authorization", "Bearer good")];
const BAD: [(&str, &str); 1] = [("authorization", "Bearer bad")];

#[tokio::test]
async fn paths_and_methods_are_told_only_to_a_good_token() {
    let edge = edge();
    for (method, path, status) in [
        ("GET", "/user/unknown", 404),
        ("POST", "/user", 405),
        ("PATCH", "/user/", 405),
        ("HEAD", "/user", 405),
        ("GET", "/logout", 405),
        ("POST", "/reauthenticate", 405),
        ("HEAD", "/reauthenticate/", 405),
        ("GET", "/invite", 405),
        ("GET", "/admin/generate_link", 405),
        ("GET", "/admin/generate_link/", 404),
        ("DELETE", "/admin/audit/", 405),
        ("GET", "/admin/introspect", 405),
        ("POST", "/sessions", 405),
        ("GET", "/sessions/abc", 405),
        ("GET", "/admin", 404),
        ("GET", "/admin/", 404),
        ("GET", "/admin/nope", 404),
        ("GET", "/admin/users/abc/unknown", 404),
        ("PATCH", "/admin/users", 405),
        ("POST", "/admin/users/abc", 405),
        ("PUT", "/admin/users/abc/sessions", 405),
        ("POST", "/admin/users/abc/factors", 405),
        ("GET", "/admin/users/abc/factors/def", 405),
        ("POST", "/admin/users/abc/factors/def/", 405),
        ("GET", "/admin/users/abc/passkeys/def", 405),
        ("POST", "/user/identities/authorize", 405),
        ("GET", "/user/identities/abc", 405),
        ("GET", "/user/identities", 404),
        ("PUT", "/admin/custom-providers", 405),
        ("PATCH", "/admin/custom-providers/custom:x", 405),
        ("GET", "/admin/custom-providers/custom:x/y", 404),
        ("PUT", "/admin/revocations", 405),
        ("HEAD", "/admin/revocations", 405),
    ] {
        let none = edge.ask(method, path, &[], "").await;
        assert_eq!(none.status, 401, "{method} {path}");
        if method != "HEAD" {
            assert_eq!(none.refusal(), (401, "no_authorization".to_owned()), "{method} {path}");
        }
        assert_eq!(edge.ask(method, path, &BAD, "").await.status, 403, "{method} {path}");
        assert_eq!(edge.ask(method, path, &GOOD, "").await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn the_allowed_methods_of_a_route_are_named_behind_the_gate() {
    let edge = edge();
    for (path, allow) in
        [("/user", "DELETE, GET, PUT"), ("/admin/users", "GET, POST"), ("/admin/users/abc", "DELETE, GET, PUT")]
    {
        assert_eq!(edge.ask("PATCH", path, &GOOD, "").await.header("allow"), Some(allow), "{path}");
        assert_eq!(edge.ask("PATCH", path, &[], "").await.header("allow"), None, "{path}");
    }
}

#[tokio::test]
async fn a_bad_body_is_told_only_to_a_good_token() {
    let edge = edge();
    for (method, path) in [
        ("PUT", "/user"),
        ("DELETE", "/user"),
        ("POST", "/invite"),
        ("POST", "/admin/users"),
        ("POST", "/admin/generate_link"),
        ("POST", "/admin/introspect"),
    ] {
        assert_eq!(edge.ask(method, path, &[], "{").await.refusal(), (401, "no_authorization".to_owned()), "{path}");
        assert_eq!(edge.ask(method, path, &BAD, "{").await.refusal(), (403, "bad_jwt".to_owned()), "{path}");
        assert_eq!(edge.ask(method, path, &GOOD, "{").await.refusal(), (400, "bad_json".to_owned()), "{path}");
    }
    for method in ["PUT", "DELETE"] {
        let path = "/admin/users/abc";
        assert_eq!(edge.ask(method, path, &[], "{").await.refusal(), (401, "no_authorization".to_owned()), "{method}");
        assert_eq!(edge.ask(method, path, &BAD, "{").await.refusal(), (403, "bad_jwt".to_owned()), "{method}");
    }
}

#[tokio::test]
async fn bad_pages_are_told_only_to_a_good_token() {
    let edge = edge();
    for path in [
        "/sessions?page=x",
        "/admin/users/abc/sessions?per_page=-1",
        "/admin/users?cursor=&limit=0",
        "/admin/users?cursor=x",
        "/admin/audit?query=%00",
        "/logout?scope=%ff",
    ] {
        let method = if path.starts_with("/logout") { "POST" } else { "GET" };
        assert_eq!(edge.ask(method, path, &[], "").await.status, 401, "{path}");
        assert_eq!(edge.ask(method, path, &BAD, "").await.status, 403, "{path}");
        assert_eq!(edge.ask(method, path, &GOOD, "").await.refusal(), (400, "validation_failed".to_owned()), "{path}");
    }
}
