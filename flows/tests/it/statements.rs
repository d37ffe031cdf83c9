//! What a request may spend: round trips to PostgreSQL (`docs/architecture.md`, budgets).

use http::Method;
use serde_json::json;
use testkit::{Answer, TestApp};

/// Sends a request and gives the answer with the round trips it took.
async fn counted(app: &TestApp, ask: testkit::Ask) -> (Answer, u64) {
    let before = app.database.statements();
    let answer = ask.send().await;
    (answer, app.database.statements() - before)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn hot_requests_keep_their_budget() {
    let app = TestApp::postgres().await;
    let project = app.project("budget", json!({})).await;
    // Warm: the project is loaded, its statements are prepared.
    project.sign_up("warm@example.com").await;

    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    let (answer, spent) = counted(&app, project.post("/signup", body.clone())).await;
    assert_eq!((answer.status.as_u16(), spent), (200, 2), "sign-up");
    let (answer, spent) = counted(&app, project.post("/token?grant_type=password", body)).await;
    assert_eq!((answer.status.as_u16(), spent), (200, 2), "password");
    let session = answer.json();
    let (answer, spent) = counted(&app, project.refresh(&session["refresh_token"])).await;
    assert_eq!((answer.status.as_u16(), spent), (200, 2), "refresh, cold");
    let session = answer.json();
    let (answer, spent) = counted(&app, project.refresh(&session["refresh_token"])).await;
    assert_eq!((answer.status.as_u16(), spent), (200, 1), "refresh, warm");
    let session = answer.json();
    let access = session["access_token"].as_str().unwrap();
    let (answer, spent) = counted(&app, project.get("/user").bearer(access)).await;
    assert_eq!((answer.status.as_u16(), spent), (200, 1), "user");
    for path in ["/settings", "/.well-known/jwks.json", "/health"] {
        let (answer, spent) = counted(&app, project.get(path)).await;
        assert_eq!((answer.status.as_u16(), spent), (200, 0), "{path}");
    }
    let (answer, spent) = counted(&app, project.ask(Method::POST, "/logout").bearer(access)).await;
    assert_eq!((answer.status.as_u16(), spent), (204, 1), "logout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_documents_touch_no_database() {
    let app = TestApp::sqlite().await;
    let project = app.project("budget", json!({})).await;
    project.get("/health").send().await.expect(200);
    for path in ["/settings", "/.well-known/jwks.json", "/health"] {
        let (answer, spent) = counted(&app, project.get(path)).await;
        assert_eq!((answer.status.as_u16(), spent), (200, 0), "{path}");
    }
}
