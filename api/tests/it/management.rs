//! The Management API in front of the real actors and a real control store.

use std::sync::Arc;
use std::time::Duration;

use api::{ApiState, Parts};
use axum::Router;
use domain::secret::Secret;
use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, Ask, SeededEntropy, TestApp};

use crate::support::TwoReadings;

pub(crate) const TOKEN: &str = "sbp_0123456789abcdef0123456789abcdef01234567";

/// A gateway with an operator.
pub(crate) struct Gateway {
    pub(crate) app: TestApp,
    router: Router,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let app = TestApp::sqlite().await;
        assert!(app.management.set_operator_token(&Secret::new(TOKEN.to_owned())).await.unwrap());
        let router = api::combined_router(ApiState::new(Parts {
            runtime: Arc::new(app.handle.clone()),
            mailbox: None,
            entropy: Arc::new(SeededEntropy::new(3)),
            domain: "localhost".to_owned(),
            trusted_proxies: Vec::new(),
            deadline: Duration::from_secs(30),
            metric_sources: vec![Arc::new(TwoReadings)],
        }));
        Self { app, router }
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> Ask {
        Ask::new(self.router.clone(), method, path)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).bearer(TOKEN).send().await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> Answer {
        self.ask(method, path).bearer(TOKEN).json(&body).send().await
    }

    pub(crate) async fn create(&self, body: Value) -> Value {
        self.send(Method::POST, "/v1/projects", body).await.expect(201).json()
    }
}

#[tokio::test]
async fn only_the_operators_token_opens_it() {
    let gateway = Gateway::start().await;
    let wrong = TOKEN.replace('7', "8");
    for path in ["/v1/projects", "/v1/projects/acme", "/v1/projects/acme/config/auth", "/v1/nope"] {
        for token in ["", "nonsense", "sbp_short", &wrong] {
            let answer = gateway.ask(Method::GET, path).bearer(token).send().await.expect(401);
            assert_eq!(answer.text, r#"{"message":"Unauthorized"}"#, "{path} {token}");
        }
    }
    assert_eq!(gateway.get("/v1/nope").await.expect(404).text, r#"{"message":"Not Found"}"#);
}

#[tokio::test]
async fn a_project_serves_from_its_creation_to_its_end() {
    let gateway = Gateway::start().await;
    let body = json!({"ref": "acme", "name": "Acme", "db_pass": "x", "organization_slug": "tenantry", "config": {"jwt_exp": 60}});
    let created = gateway.create(body).await;
    assert_eq!((created["ref"].as_str(), created["name"].as_str()), (Some("acme"), Some("Acme")));
    assert_eq!((created["profile"].as_str(), created["status"].as_str()), (Some("compat"), Some("ACTIVE_HEALTHY")));
    assert_eq!(created["url"], "http://127.0.0.1:8000/p/acme");
    for secret in ["anon_key", "service_role_key", "jwt_secret"] {
        assert!(created[secret].as_str().is_some_and(|text| text.len() > 20), "{secret}");
    }
    let service = created["service_role_key"].as_str().unwrap();
    let users = gateway.ask(Method::GET, "/p/acme/auth/v1/admin/users").bearer(service).send().await.expect(200);
    assert_eq!(users.json()["users"], json!([]));

    let listed = gateway.get("/v1/projects").await.expect(200).json();
    assert_eq!(listed[0]["ref"], "acme");
    assert!(listed[0].get("jwt_secret").is_none());
    assert_eq!(gateway.get("/v1/projects/acme").await.expect(200).json()["name"], "Acme");

    let renamed = gateway.send(Method::PATCH, "/v1/projects/acme", json!({"name": "Other"})).await.expect(200).json();
    assert_eq!((renamed["name"].as_str(), renamed["id"].is_u64()), (Some("Other"), true));

    let settings = || gateway.ask(Method::GET, "/p/acme/auth/v1/settings").send();
    settings().await.expect(200);
    let paused = gateway.send(Method::POST, "/v1/projects/acme/pause", json!({})).await.expect(200).json();
    assert_eq!(paused["status"], "INACTIVE");
    assert_eq!(settings().await.expect(503).error_code(), "project_paused");
    gateway.send(Method::POST, "/v1/projects/acme/restore", json!({})).await.expect(200);
    settings().await.expect(200);

    gateway.send(Method::DELETE, "/v1/projects/acme", json!({})).await.expect(200);
    assert_eq!(settings().await.expect(404).error_code(), "project_not_found");
    gateway.get("/v1/projects/acme").await.expect(404);
}

#[tokio::test]
async fn a_creation_that_makes_no_sense_is_refused_with_a_message() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme", "name": "Acme"})).await;
    for (body, status, words) in [
        (json!({"ref": "acme"}), 409, "exists"),
        (json!({"ref": "Not A Ref"}), 400, "project ref"),
        (json!({"ref": "other", "profile": "strict"}), 400, "profile"),
        (json!({"ref": "other", "config": {"jwt_exp": "long", "site_url": 5}}), 400, "jwt_exp"),
        (json!({"ref": "other", "jwt_secrets": "x"}), 400, "jwt_secrets"),
        (json!({"ref": 5}), 400, "ref"),
        (json!({"ref": "other", "organization_slug": "nope"}), 400, "organization_slug"),
        (json!({"ref": "other", "organization_id": "nope"}), 400, "organization_id"),
        (json!({"ref": "other", "config": {"site_url": "javascript:alert(1)"}}), 400, "site_url"),
        (json!([]), 400, "JSON"),
    ] {
        let answer = gateway.send(Method::POST, "/v1/projects", body.clone()).await.expect(status);
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(words), "{body}: {message}");
    }
    assert_eq!(gateway.get("/v1/projects").await.json().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_configuration_is_patched_as_a_whole_and_hides_its_secrets() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let path = "/v1/projects/acme/config/auth";
    let config = gateway.get(path).await.expect(200);
    assert_eq!(config.header("content-type"), "application/json; charset=utf-8");
    assert!(config.json().as_object().is_some_and(|fields| fields.len() >= 241));

    let patch = json!({"disable_signup": true, "external_github_secret": "the-github-secret", "not_a_field": 1});
    let patched = gateway.send(Method::PATCH, path, patch).await.expect(200);
    assert_eq!(patched.json()["disable_signup"], true);
    assert!(!patched.text.contains("the-github-secret"), "{}", patched.text);
    let shown = patched.json()["external_github_secret"].as_str().unwrap_or_default().to_owned();
    assert!(shown.len() == 64 && shown.bytes().all(|b| b.is_ascii_hexdigit()), "{shown}");
    let settings = gateway.ask(Method::GET, "/p/acme/auth/v1/settings").send().await.expect(200);
    assert_eq!(settings.json()["disable_signup"], true);

    let wrong = json!({"disable_signup": false, "jwt_exp": -1, "password_min_length": "x"});
    let refused = gateway.send(Method::PATCH, path, wrong).await.expect(400).json();
    let message = refused["message"].as_str().unwrap_or_default();
    assert!(message.contains("jwt_exp") && message.contains("password_min_length"), "{message}");
    assert_eq!(gateway.get(path).await.json()["disable_signup"], true);
    let versions = gateway.get("/v1/projects/acme/config/auth/history").await.expect(200).json();
    assert_eq!(versions.as_array().map(Vec::len), Some(2));
    gateway.get("/v1/projects/unknown/config/auth").await.expect(404);
}

#[tokio::test]
async fn api_keys_are_masked_until_revealed_and_gone_once_deleted() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let path = "/v1/projects/acme/api-keys";
    let keys = gateway.get(path).await.expect(200).json();
    let names: Vec<_> =
        keys.as_array().unwrap().iter().map(|key| (key["name"].as_str(), key["type"].as_str())).collect();
    assert_eq!(
        names,
        [
            (Some("anon"), Some("legacy")),
            (Some("service_role"), Some("legacy")),
            (Some("default"), Some("publishable")),
            (Some("default"), Some("secret")),
        ]
    );
    assert!(keys[3]["api_key"].as_str().is_some_and(|key| key.contains('\u{b7}')), "{}", keys[3]);
    let revealed = gateway.get(&format!("{path}?reveal=true")).await.json();
    assert!(revealed[3]["api_key"].as_str().is_some_and(|key| key.starts_with("sb_secret_") && key.is_ascii()));

    let made =
        gateway.send(Method::POST, path, json!({"type": "publishable", "name": "mobile"})).await.expect(201).json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(gateway.get(&format!("{path}/{id}")).await.expect(200).json()["name"], "mobile");
    gateway.send(Method::POST, path, json!({"type": "other", "name": "mobile"})).await.expect(400);
    gateway.send(Method::DELETE, &format!("{path}/{id}"), json!({})).await.expect(200);
    gateway.get(&format!("{path}/{id}")).await.expect(404);
    gateway.get(&format!("{path}/not-a-uuid")).await.expect(400);
    assert_eq!(gateway.get(&format!("{path}/legacy")).await.expect(200).text, r#"{"enabled":true}"#);
    gateway.send(Method::PUT, &format!("{path}/legacy"), json!({})).await.expect(400);
    for enabled in [false, true] {
        let answer =
            gateway.send(Method::PUT, &format!("{path}/legacy?enabled={enabled}"), json!({})).await.expect(200);
        assert_eq!(answer.text, format!(r#"{{"enabled":{enabled}}}"#));
        assert_eq!(gateway.get(&format!("{path}/legacy")).await.expect(200).text, answer.text);
    }
}

#[tokio::test]
async fn a_signing_key_stands_by_signs_and_goes() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let path = "/v1/projects/acme/config/auth/signing-keys";
    let key = gateway.send(Method::POST, path, json!({"algorithm": "ES256"})).await.expect(201).json();
    assert_eq!((key["status"].as_str(), key["public_jwk"]["kty"].as_str()), (Some("standby"), Some("EC")));
    assert!(key["public_jwk"].get("d").is_none());
    let one = format!("{path}/{}", key["id"].as_str().unwrap());
    let published = || gateway.ask(Method::GET, "/p/acme/auth/v1/.well-known/jwks.json").send();
    assert_eq!(published().await.json()["keys"].as_array().map(Vec::len), Some(1));

    gateway.send(Method::DELETE, &one, json!({})).await.expect(400);
    let moved = gateway.send(Method::PATCH, &one, json!({"status": "in_use"})).await.expect(200).json();
    assert_eq!(moved["status"], "in_use");
    gateway.send(Method::PATCH, &one, json!({"status": "revoked"})).await.expect(400);
    assert_eq!(gateway.get(path).await.expect(200).json()["keys"].as_array().map(Vec::len), Some(1));
    gateway.get(&format!("{path}/legacy")).await.expect(404);
}

#[tokio::test]
async fn a_new_style_key_finds_its_project_on_any_host() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    let settings = |key: String| gateway.ask(Method::GET, "/auth/v1/settings").header("apikey", &key).send();
    settings(String::new()).await.expect(200);
    gateway.create(json!({"ref": "other", "config": {"disable_signup": true}})).await;
    assert_eq!(settings(String::new()).await.expect(404).error_code(), "project_not_found");
    let keys = gateway.get("/v1/projects/other/api-keys?reveal=true").await.json();
    for key in 0..4 {
        let key = keys[key]["api_key"].as_str().unwrap().to_owned();
        assert_eq!(settings(key.clone()).await.expect(200).json()["disable_signup"], true, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_was_given_up_is_seen_retried_and_discarded() {
    let gateway = Gateway::start().await;
    let config = json!({
        "mailer_autoconfirm": false,
        "smtp_host": "mail.example.com",
        "smtp_port": "587",
        "smtp_admin_email": "hello@example.com",
        "rate_limit_email_sent": 1000,
    });
    gateway.create(json!({"ref": "acme", "config": config})).await;
    gateway.create(json!({"ref": "other"})).await;
    let sign_up = async |email: &str| {
        let body = json!({ "email": email, "password": "correct horse" });
        gateway.send(Method::POST, "/p/acme/auth/v1/signup", body).await.expect(200);
    };
    let path = "/v1/projects/acme/mail/dead-letters";
    let outbox = async || gateway.get(path).await.expect(200).json();
    let given_up = async |count: u64| {
        while outbox().await["dead"] != count {
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(outbox().await, json!({"pending": 0, "dead": 0, "dead_letters": []}));
    gateway.app.transport.fail_next(true);
    gateway.app.transport.fail_next(true);
    sign_up("ada@example.com").await;
    given_up(1).await;
    gateway.app.clock.advance(1);
    sign_up("bob@example.com").await;
    given_up(2).await;

    let listed = outbox().await;
    let letters = listed["dead_letters"].as_array().unwrap();
    assert_eq!(letters[0]["attempts"], 1);
    assert!(letters[0]["last_error"].as_str().unwrap().contains("planned failure"), "{listed}");
    assert!(letters[0]["created_at"].as_str() > letters[1]["created_at"].as_str(), "newest first");
    assert_eq!(letters[0]["kind"], "mail");
    let page = gateway.get(&format!("{path}?limit=1&offset=1")).await.expect(200).json();
    assert_eq!(page["dead_letters"], json!([letters[1]]));
    let newest = letters[0]["id"].as_str().unwrap();
    let oldest = letters[1]["id"].as_str().unwrap();

    // Nobody reaches them by another project's name, and nothing is done twice.
    let retry = |project: &str, id: &str| format!("/v1/projects/{project}/mail/dead-letters/{id}/retry");
    gateway.send(Method::POST, &retry("other", newest), json!({})).await.expect(404);
    let retried = gateway.send(Method::POST, &retry("acme", newest), json!({})).await.expect(200).json();
    assert_eq!(retried, json!({"id": newest, "status": "pending"}));
    // The next commit wakes the deliverer, which finds what is due.
    sign_up("eve@example.com").await;
    while gateway.app.transport.sent().len() < 2 {
        tokio::task::yield_now().await;
    }
    let to: Vec<String> = gateway.app.transport.sent().into_iter().map(|message| message.to.email).collect();
    assert!(to.contains(&"bob@example.com".to_owned()), "{to:?}");
    gateway.send(Method::POST, &retry("acme", newest), json!({})).await.expect(404);

    let one = format!("{path}/{oldest}");
    let discarded = gateway.send(Method::DELETE, &one, json!({})).await.expect(200).json();
    assert_eq!(discarded["status"], "discarded");
    gateway.send(Method::DELETE, &one, json!({})).await.expect(404);
    given_up(0).await;

    for (query, words) in [("limit=1001", "limit"), ("limit=-1", "limit"), ("offset=x", "offset")] {
        let answer = gateway.get(&format!("{path}?{query}")).await.expect(400).json();
        assert!(answer["message"].as_str().unwrap().contains(words), "{query}: {answer}");
    }
    gateway.get("/v1/projects/nobody/mail/dead-letters").await.expect(404);
}
