//! A project goes from one gateway to another, and its users notice nothing.

use domain::secret::Secret;
use flows::management::{Error, NewApiKeyRequest, NewSigningKeyRequest};
use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestDatabase, TestProject};

use super::{elsewhere, exported, imported, key, said, start, without_token_ids};
use crate::letters::{access, confirmed, mail, project};
use crate::totp::enrolled;

const ADDRESS: &str = "ada@example.com";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_goes_from_file_to_file() {
    let from = TestApp::sqlite().await;
    goes(&from, elsewhere(&from, TestDatabase::sqlite()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_project_goes_from_a_file_to_postgresql() {
    let from = TestApp::sqlite().await;
    goes(&from, elsewhere(&from, TestDatabase::postgres().await).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_project_goes_from_postgresql_to_a_file() {
    let from = TestApp::postgres().await;
    goes(&from, elsewhere(&from, TestDatabase::sqlite()).await).await;
}

/// What users and servers of a project hold in their hands.
struct Held {
    session: Value,
    stored: Value,
    link: String,
    codes: Vec<String>,
    secret_key: String,
}

fn config() -> Value {
    json!({
        "mfa_recovery_codes_enroll_enabled": true,
        "mfa_recovery_codes_verify_enabled": true,
        "external_github_enabled": true,
        "external_github_client_id": "client",
        "external_github_secret": "a secret of the project",
        "security_refresh_token_reuse_interval": 10,
    })
}

async fn goes(from: &TestApp, to: TestApp) {
    let here = project(from, config()).await;
    // Numbers of stored tokens are taken where the project goes.
    let neighbour = to.project("neighbour", json!({ "security_refresh_token_algorithm_version": 1 })).await;
    neighbour.sign_up("n@example.com").await;

    confirmed(&here, ADDRESS).await;
    let signing =
        NewSigningKeyRequest { algorithm: "ES256".to_owned(), status: Some("in_use".to_owned()), private_jwk: None };
    from.management.create_signing_key(&here.project_ref, signing).await.unwrap();
    let (totp, raised) = enrolled(from, &here, &here.sign_in(ADDRESS).await).await;
    let made =
        here.ask(Method::POST, "/factors/recovery-codes").bearer(access(&raised)).send().await.expect(200).json();
    let codes = made["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    here.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let link = mail(from, ADDRESS).await.hash;
    let version = json!({ "security_refresh_token_algorithm_version": 1 });
    from.management.patch_config(&here.project_ref, version.as_object().unwrap()).await.unwrap();
    let stored = here.sign_in(ADDRESS).await;
    let stored = totp.raise(from, &here, &stored).await.expect(200).json();
    let made = NewApiKeyRequest { kind: "secret".to_owned(), name: "server".to_owned(), ..NewApiKeyRequest::default() };
    let server = from.management.create_api_key(&here.project_ref, made).await.unwrap();
    let held = Held { session: raised, stored, link, codes, secret_key: server.key.expose().clone() };

    let lines = exported(from, &here.project_ref, 7).await;
    let text = lines.join("\n");
    for secret in ["a secret of the project", &here.jwt_secret, &held.secret_key, &totp.secret] {
        assert!(!text.contains(secret), "no secret is readable");
    }
    assert_eq!(said(&lines), said(&exported(from, &here.project_ref, 500).await), "pages of any size");
    let view = imported(&to, &lines, start(&lines)).await;
    assert!(view.skipped.is_empty(), "{view:?}");
    assert_eq!(view.next_line, lines.len() as i64 + 1);

    let there = to.through(&here);
    let arrived = said(&exported(&to, &here.project_ref, 100).await);
    assert_eq!(without_token_ids(arrived), without_token_ids(said(&lines)));
    works(&to, &there, &held).await;
    // The first factor, and the second.
    let session = there.sign_in(ADDRESS).await;
    totp.raise(&to, &there, &session).await.expect(200);
    // The place it came from does not mind.
    here.refresh(&held.session["refresh_token"]).send().await.expect(200);
    // The configuration, its secrets too.
    let [before, after] = [from, &to].map(|app| app.management.config(&here.project_ref));
    let (before, after) = (before.await.unwrap(), after.await.unwrap());
    assert_eq!(after["external_github_client_id"], "client");
    assert_eq!(after, before);
}

/// Everything that anybody holds goes on working.
async fn works(to: &TestApp, there: &TestProject, held: &Held) {
    let read = there.get("/user").bearer(access(&held.session)).send().await.expect(200).json();
    assert_eq!(read["email"], ADDRESS);
    for session in [&held.session, &held.stored] {
        let next = there.refresh(&session["refresh_token"]).send().await.expect(200).json();
        there.get("/user").bearer(access(&next)).send().await.expect(200);
    }
    let verify = |body: Value| there.post("/verify", body).send();
    let recovered = verify(json!({ "type": "recovery", "token_hash": held.link })).await.expect(200).json();
    let used = there.post("/factors/recovery-codes/verify", json!({ "code": held.codes[0] }));
    used.bearer(access(&recovered)).send().await.expect(200);
    for key in [&there.service_role_key, &held.secret_key] {
        let listed = there.get("/admin/users").header("apikey", key).bearer(key).send().await.expect(200).json();
        assert_eq!(listed["users"].as_array().unwrap().len(), 1);
    }
    let key = Secret::new(held.secret_key.clone());
    assert_eq!(to.management.project_of_api_key(&key).await.unwrap(), Some(there.project_ref.clone()));
    there.get("/settings").header("apikey", &there.anon_key).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_comes_back_under_another_name() {
    let app = TestApp::sqlite().await;
    let old = project(&app, json!({})).await;
    confirmed(&old, ADDRESS).await;
    let session = old.sign_in(ADDRESS).await;
    let lines = exported(&app, &old.project_ref, 1000).await;
    let mut request = start(&lines);
    request.project_ref = Some("renamed".to_owned());
    let refused = app.management.start_import(request).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "its id is taken: {refused:?}");

    let to = elsewhere(&app, TestDatabase::sqlite()).await;
    let mut request = start(&lines);
    request.project_ref = Some("renamed".to_owned());
    let view = imported(&to, &lines, request).await;
    assert_eq!(view.project_ref.as_str(), "renamed");
    let mut renamed = to.through(&old);
    renamed.project_ref = view.project_ref;
    let refresh = |key: String| renamed.refresh(&session["refresh_token"]).header("apikey", &key).send();
    let next = refresh(String::new()).await.expect(200).json();
    renamed.get("/user").bearer(access(&next)).send().await.expect(200);
    // Old-style keys carry the ref.
    renamed.get("/admin/users").bearer(&old.service_role_key).send().await.expect(403);
    to.through(&old).get("/settings").send().await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_waits_goes_out_from_the_new_place() {
    let app = TestApp::sqlite().await;
    let asleep = testkit::Setup { wakes: false, ..testkit::Setup::new(app.placement()) };
    let quiet = TestApp::start(testkit::Setup { seed: 5, clock: std::sync::Arc::clone(&app.clock), ..asleep }).await;
    let here = project(&quiet, json!({})).await;
    confirmed(&here, ADDRESS).await;
    here.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let lines = exported(&quiet, &here.project_ref, 1000).await;
    assert_eq!(lines.iter().filter(|line| line.starts_with("{\"table\":\"outbox\"")).count(), 1);
    let to = elsewhere(&app, TestDatabase::sqlite()).await;
    let mut request = start(&lines);
    request.project_ref = Some("renamed".to_owned());
    imported(&to, &lines, request).await;
    // Any commit wakes the deliverer.
    to.project("other", json!({})).await.sign_up("b@example.com").await;
    let hash = mail(&to, ADDRESS).await.hash;
    let mut renamed = to.through(&here);
    renamed.project_ref = "renamed".parse().unwrap();
    renamed.post("/verify", json!({ "type": "recovery", "token_hash": hash })).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_export_gave_is_refused() {
    let app = TestApp::sqlite().await;
    let project = project(&app, json!({})).await;
    let ask = |key: &'static str, cursor: Option<&'static str>, limit| {
        let (app, project) = (&app, &project.project_ref);
        async move { app.management.export(project, &Secret::new(key.to_owned()), cursor, limit).await }
    };
    let good = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    ask(good, None, Some(1)).await.unwrap();
    for (key, cursor, limit) in
        [("short", None, None), (good, Some("7b7d"), None), (good, None, Some(0)), (good, None, Some(5001))]
    {
        assert!(matches!(ask(key, cursor, limit).await, Err(Error::Invalid(_))), "{key} {cursor:?} {limit:?}");
    }
    let nobody = "nobody".parse().unwrap();
    assert!(matches!(app.management.export(&nobody, &key(), None, None).await, Err(Error::NotFound)));
}
