//! What a request may spend: round trips to PostgreSQL (`docs/architecture.md`, budgets).

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;
use testkit::{Answer, Limits, Setup, TestApp, TestDatabase};

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

/// A gateway whose deliverer sleeps: what it does to the database is not what a request spends.
/// A gateway whose outbox and janitor leave the statement counts alone.
pub(crate) async fn undisturbed() -> TestApp {
    let placement = Arc::new(TestDatabase::postgres().await);
    let base = Setup::new(placement);
    let limits = Limits { outbox_sweep: Duration::from_secs(3600), ..base.limits.clone() };
    TestApp::start(Setup { wakes: false, limits, ..base }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn requests_about_codes_and_accounts_keep_their_budget() {
    let app = undisturbed().await;
    let config = json!({ "mailer_autoconfirm": false, "smtp_max_frequency": 1, "rate_limit_email_sent": 1000 });
    let project = app.project("budget", config).await;
    let key = project.service_role_key.as_str();
    let admin = |path: &str, body: serde_json::Value| project.post(path, body).bearer(key);
    let create = async |email: &str| {
        let body = json!({ "email": email, "password": "correct horse", "email_confirm": true });
        admin("/admin/users", body).send().await.expect(200).json()
    };
    create("a@example.com").await;
    create("b@example.com").await;
    let link = async |kind: &str, email: &str| {
        let body = json!({ "type": kind, "email": email });
        admin("/admin/generate_link", body).send().await.expect(200).json()
    };
    // Warm: every statement has been prepared once.
    for path in ["/otp", "/recover"] {
        project.post(path, json!({ "email": "b@example.com" })).send().await.expect(200);
        app.clock.advance(60);
    }
    let made = link("magiclink", "b@example.com").await;
    let hash = json!({ "type": "email", "token_hash": made["hashed_token"] });
    project.post("/verify", hash).send().await.expect(200);

    let within = |what: &str, status: u16, budget: u64, (answer, spent): (Answer, u64)| {
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
        assert!(spent <= budget, "{what}: {spent} round trips, not {budget}");
        answer
    };
    let body = json!({ "email": "a@example.com" });
    within("otp", 200, 2, counted(&app, project.post("/otp", body.clone())).await);
    app.clock.advance(60);
    within(
        "otp, new account",
        200,
        2,
        counted(&app, project.post("/otp", json!({ "email": "new@example.com" }))).await,
    );
    within("recover", 200, 2, counted(&app, project.post("/recover", body.clone())).await);
    app.clock.advance(60);
    within(
        "recover, unknown",
        200,
        1,
        counted(&app, project.post("/recover", json!({ "email": "nobody@example.com" }))).await,
    );
    let answer = within(
        "generate_link",
        200,
        7,
        counted(&app, admin("/admin/generate_link", json!({ "type": "magiclink", "email": "a@example.com" }))).await,
    );
    let made = answer.json();
    let typed = json!({ "type": "email", "email": "a@example.com", "token": "00000000" });
    within("verify, wrong code", 403, 6, counted(&app, project.post("/verify", typed)).await);
    let typed = json!({ "type": "email", "email": "a@example.com", "token": made["email_otp"] });
    within("verify, code", 200, 13, counted(&app, project.post("/verify", typed)).await);
    let made = link("magiclink", "a@example.com").await;
    let hash = json!({ "type": "email", "token_hash": made["hashed_token"] });
    let answer = within("verify, hash", 200, 13, counted(&app, project.post("/verify", hash)).await);
    let session = answer.json();
    let access = session["access_token"].as_str().unwrap();
    let data = json!({ "data": { "theme": "dark" } });
    within("update, data", 200, 8, counted(&app, project.ask(Method::PUT, "/user").bearer(access).json(&data)).await);
    within("list users", 200, 4, counted(&app, project.get("/admin/users?page=1&per_page=50").bearer(key)).await);
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
