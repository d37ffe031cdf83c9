//! Linking the identity of an ID token.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use domain::hook::HttpHook;
use http::Method;
use outbound::hooks::{HookError, HookTransport};
use serde_json::{Value, json};
use testkit::{Answer, Setup, TestApp, TestDatabase, TestProject};

use crate::both::on_both;
use crate::hooks;
use crate::id_token::{of, pair, said};
use crate::letters::{access, admin, shielded};
use crate::oauth;
use crate::totp::enrolled;

const ADDRESS: &str = "a@example.com";

/// Shows an ID token for linking, with `bearer` if any.
async fn link(project: &TestProject, bearer: &str, token: &str) -> Answer {
    let body = json!({ "provider": "keycloak", "id_token": token, "link_identity": true });
    let ask = project.post("/token?grant_type=id_token", body);
    if bearer.is_empty() { ask.send().await } else { ask.bearer(bearer).send().await }
}

async fn signed_in(project: &TestProject, email: &str) -> Value {
    let account = json!({ "email": email, "password": "walrus and carpenter", "email_confirm": true });
    admin(project, Method::POST, "/admin/users", account).await.expect(200);
    let grant = json!({ "email": email, "password": "walrus and carpenter" });
    project.post("/token?grant_type=password", grant).send().await.expect(200).json()
}

on_both!(an_identity_is_linked_to_whoever_asks, an_identity_is_linked_to_whoever_asks_on_postgres, linked);
async fn linked(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let session = signed_in(&project, ADDRESS).await;
    app.providers.token("mine", Ok(of("1", "other@example.com")));
    let second = link(&project, access(&session), "mine").await.expect(200).json();
    let user = &second["user"];
    assert_eq!((&user["id"], &user["email"]), (&session["user"]["id"], &json!(ADDRESS)));
    assert_eq!(user["app_metadata"], json!({ "provider": "email", "providers": ["email", "keycloak"] }));
    assert_ne!(second["refresh_token"], session["refresh_token"]);
    for session in [&session, &second] {
        let read = project.get("/user").bearer(access(session)).send().await.expect(200).json();
        assert_eq!(read["identities"].as_array().unwrap().len(), 2);
    }
    let again = link(&project, access(&session), "mine").await.expect(422);
    assert_eq!(said(&again), pair("identity_already_exists", "Identity is already linked"));
    let other = signed_in(&project, "b@example.com").await;
    let refused = link(&project, access(&other), "mine").await.expect(422);
    assert_eq!(said(&refused), pair("identity_already_exists", "Identity is already linked to another user"));
    // Whoever has it signs in with it.
    let body = json!({ "provider": "keycloak", "id_token": "mine" });
    let third = project.post("/token?grant_type=id_token", body).send().await.expect(200).json();
    assert_eq!(third["user"]["id"], session["user"]["id"]);
}

on_both!(linking_needs_a_living_session_of_a_user, linking_needs_a_living_session_of_a_user_on_postgres, living);
async fn living(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let session = signed_in(&project, ADDRESS).await;
    app.providers.token("mine", Ok(of("1", "other@example.com")));
    let refused = link(&project, "", "mine").await.expect(400);
    assert_eq!(said(&refused), pair("invalid request", "Linking requires a valid user access token in Authorization"));
    for key in [&project.anon_key, &project.service_role_key] {
        let refused = link(&project, key, "mine").await.expect(403);
        assert_eq!(said(&refused), pair("bad_jwt", "invalid claim: missing sub claim"));
    }
    link(&project, "nonsense", "mine").await.expect(403);
    project.ask(Method::POST, "/logout").bearer(access(&session)).send().await.expect(204);
    // Who asks comes before what he shows.
    for token in ["mine", "no such token"] {
        assert_eq!(link(&project, access(&session), token).await.expect(403).error_code(), "session_not_found");
    }
    let user = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let read = admin(&project, Method::GET, &user, json!({})).await.expect(200).json();
    assert_eq!(read["identities"].as_array().unwrap().len(), 1);
}

on_both!(a_guest_becomes_a_user_by_linking, a_guest_becomes_a_user_by_linking_on_postgres, guest);
async fn guest(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let session = project.post("/signup", json!({})).send().await.expect(200).json();
    assert_eq!(session["user"]["is_anonymous"], true);
    app.providers.token("mine", Ok(of("1", "new@example.com")));
    link(&project, access(&session), "mine").await.expect(200);
    let read = project.get("/user").bearer(access(&session)).send().await.expect(200).json();
    assert_eq!((&read["id"], &read["is_anonymous"]), (&session["user"]["id"], &json!(false)));
    assert_eq!(read["email"], "new@example.com");
}

on_both!(the_switch_of_linking_counts_in_shield, the_switch_of_linking_counts_in_shield_on_postgres, switch);
async fn switch(app: TestApp) {
    let off = json!({ "security_manual_linking_enabled": false });
    let compat = oauth::project(&app, off.clone()).await;
    app.providers.token("mine", Ok(of("1", "other@example.com")));
    let session = signed_in(&compat, ADDRESS).await;
    link(&compat, access(&session), "mine").await.expect(200);

    let mut settings = off;
    for (name, value) in [
        ("enabled", json!(true)),
        ("client_id", json!("keycloak-client")),
        ("secret", json!("s")),
        ("url", json!("https://id.example.com/realms/shop")),
    ] {
        settings[format!("external_keycloak_{name}")] = value;
    }
    let shield = shielded(&app, settings).await;
    let session = signed_in(&shield, ADDRESS).await;
    let refused = link(&shield, access(&session), "mine").await.expect(404);
    assert_eq!(said(&refused), pair("manual_linking_disabled", "Manual linking is disabled"));
}

on_both!(linking_asks_for_a_fresh_proof, linking_asks_for_a_fresh_proof_on_postgres, step_up);
async fn step_up(app: TestApp) {
    let settings = json!({ "security_step_up_operations": "identity_link", "smtp_max_frequency": 1 });
    let project = oauth::project(&app, settings).await;
    let session = signed_in(&project, ADDRESS).await;
    let (totp, _) = enrolled(&app, &project, &session).await;
    app.providers.token("mine", Ok(of("1", "other@example.com")));
    let grant = json!({ "email": ADDRESS, "password": "walrus and carpenter" });
    let low = project.post("/token?grant_type=password", grant).send().await.expect(200).json();
    let refused = link(&project, access(&low), "mine").await.expect(403);
    assert_eq!(said(&refused), pair("insufficient_aal", "A fresh second factor is required for this operation."));
    let raised = totp.raise(&app, &project, &low).await.expect(200).json();
    link(&project, access(&raised), "mine").await.expect(200);
}

/// A hook that ends a session in the middle of another sign-in.
#[derive(Default)]
struct Ending {
    session: OnceLock<(TestProject, String)>,
}

#[async_trait]
impl HookTransport for Ending {
    async fn call(&self, _: &HttpHook, payload: &Value) -> Result<Value, HookError> {
        if let Some((project, token)) = self.session.get() {
            project.ask(Method::POST, "/logout").bearer(token).send().await.expect(204);
        }
        Ok(json!({ "claims": payload["claims"] }))
    }
}

async fn a_link_dies_with_its_session(placement: TestDatabase) {
    let ending = Arc::new(Ending::default());
    let setup = Setup { hooks: Some(ending.clone()), ..Setup::new(Arc::new(placement)) };
    let app = TestApp::start(setup).await;
    let project = oauth::project(&app, hooks::config(&["custom_access_token"], json!({}))).await;
    let session = signed_in(&project, ADDRESS).await;
    app.providers.token("mine", Ok(of("1", "other@example.com")));
    assert!(ending.session.set((project.clone(), access(&session).to_owned())).is_ok());
    let refused = link(&project, access(&session), "mine").await.expect(403);
    assert_eq!(refused.error_code(), "session_not_found");
    let user = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let read = admin(&project, Method::GET, &user, json!({})).await.expect(200).json();
    assert_eq!(read["identities"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_dies_with_the_session_that_began_it() {
    a_link_dies_with_its_session(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_link_dies_with_the_session_that_began_it_on_postgres() {
    a_link_dies_with_its_session(TestDatabase::postgres().await).await;
}
