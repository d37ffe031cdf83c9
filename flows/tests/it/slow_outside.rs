//! Hooks and providers that do not answer cost the project that named them, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::config::SmsProvider;
use domain::hook::HttpHook;
use domain::secret::Secret;
use domain::sms::Sms;
use http::Method;
use outbound::hooks::{HookError, HookTransport};
use outbound::{SmsError, SmsTransport};
use serde_json::{Value, json};
use testkit::{Limits, Setup, TestApp, TestDatabase};
use tokio::sync::Semaphore;

use crate::hooks;

/// A place that answers nobody before the test says so.
struct Hanging {
    asked: Semaphore,
    door: Semaphore,
}

impl Hanging {
    fn new() -> Arc<Self> {
        Arc::new(Self { asked: Semaphore::new(0), door: Semaphore::new(0) })
    }

    async fn hang(&self) {
        self.asked.add_permits(1);
        self.door.acquire().await.unwrap().forget();
    }

    async fn was_asked(&self, times: u32) {
        self.asked.acquire_many(times).await.unwrap().forget();
    }

    fn answer(&self) {
        self.door.add_permits(10_000);
    }
}

#[async_trait]
impl HookTransport for Hanging {
    async fn call(&self, _: &HttpHook, _: &Value) -> Result<Value, HookError> {
        self.hang().await;
        Ok(Value::Null)
    }
}

#[async_trait]
impl SmsTransport for Hanging {
    async fn send(&self, _: &SmsProvider, _: &Sms) -> Result<(), SmsError> {
        self.hang().await;
        Ok(())
    }

    async fn check(&self, _: &SmsProvider, _: &str, _: &Secret<String>) -> Result<bool, SmsError> {
        Ok(false)
    }
}

/// Requests of one project that wait for something outside, more than there are connections.
const WAITING: u32 = 20;

async fn gateway(placement: TestDatabase, outside: &Arc<Hanging>) -> TestApp {
    let (hooks, sms): (Arc<dyn HookTransport>, Arc<dyn SmsTransport>) = (outside.clone(), outside.clone());
    let limits = Limits {
        in_flight: 60,
        tenant_in_flight: WAITING,
        janitor_step: Duration::from_secs(3600),
        ..Limits::default()
    };
    let setup = Setup { hooks: Some(hooks), sms: Some(sms), limits, ..Setup::new(Arc::new(placement)) };
    TestApp::start(setup).await
}

/// Everything another project does at the same time.
async fn a_quick_project_answers(app: &TestApp) {
    let quick = app.project("quick", json!({})).await;
    let session = quick.sign_up("ada@example.com").await;
    let refreshed = quick.refresh(&session["refresh_token"]).send().await.expect(200).json();
    let access = refreshed["access_token"].as_str().unwrap();
    quick.get("/user").bearer(access).send().await.expect(200);
    quick.ask(Method::PUT, "/user").bearer(access).json(&json!({ "data": { "a": 1 } })).send().await.expect(200);
    quick.sign_in("ada@example.com").await;
}

async fn a_hook_hangs(placement: TestDatabase) {
    let outside = Hanging::new();
    let app = gateway(placement, &outside).await;
    let slow = app.project("slow", hooks::config(&["before_user_created"], json!({}))).await;
    let waiting: Vec<_> = (0..WAITING)
        .map(|number| {
            let body = json!({ "email": format!("user{number}@example.com"), "password": "correct horse" });
            tokio::spawn(slow.post("/signup", body).send())
        })
        .collect();
    outside.was_asked(WAITING).await;
    // The project has used up what it may have in flight: it is told so at once.
    let more = json!({ "email": "more@example.com", "password": "correct horse" });
    let refused = slow.post("/signup", more).send().await;
    assert!(matches!(refused.status.as_u16(), 429 | 503), "{}", refused.text);
    a_quick_project_answers(&app).await;
    outside.answer();
    for answer in waiting {
        answer.await.unwrap().expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_hangs_delays_no_other_project() {
    a_hook_hangs(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_hook_that_hangs_delays_no_other_project_on_postgres() {
    a_hook_hangs(TestDatabase::postgres().await).await;
}

async fn a_provider_hangs(placement: TestDatabase) {
    let outside = Hanging::new();
    let app = gateway(placement, &outside).await;
    let config = json!({
        "external_phone_enabled": true,
        "rate_limit_sms_sent": 1000,
        "sms_provider": "messagebird",
        "sms_messagebird_access_key": "key",
        "sms_messagebird_originator": "us",
    });
    let slow = app.project("slow", config).await;
    let waiting: Vec<_> = (0..WAITING)
        .map(|number| tokio::spawn(slow.post("/otp", json!({ "phone": format!("4915112345{number:02}") })).send()))
        .collect();
    outside.was_asked(WAITING).await;
    a_quick_project_answers(&app).await;
    outside.answer();
    for answer in waiting {
        answer.await.unwrap().expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sms_provider_that_hangs_delays_no_other_project() {
    a_provider_hangs(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn an_sms_provider_that_hangs_delays_no_other_project_on_postgres() {
    a_provider_hangs(TestDatabase::postgres().await).await;
}
