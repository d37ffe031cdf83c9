//! What a request may spend: round trips to PostgreSQL (`docs/architecture.md`, budgets).

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;
use testkit::{Answer, Limits, Setup, TestApp, TestDatabase};

use crate::letters::access;
use crate::totp::Totp;
use crate::{oauth, passkey};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn requests_about_sessions_keep_their_budget() {
    let app = undisturbed().await;
    let project = app.project("budget", json!({})).await;
    let key = project.service_role_key.as_str();
    let session = project.sign_up("a@example.com").await;
    let other = project.sign_in("a@example.com").await;
    let user = session["user"]["id"].as_str().unwrap();
    let own = access(&session);
    let introspect = |token: &str| project.post("/admin/introspect", json!({ "token": token })).bearer(key);
    let feed = |cursor: &str| project.get(&format!("/admin/revocations?cursor={cursor}")).bearer(key);
    // Warm: every statement has been prepared once.
    project.get("/sessions").bearer(own).send().await.expect(200);
    feed("0").send().await.expect(200);

    let (answer, spent) = counted(&app, introspect(own)).await;
    assert_eq!((&answer.json()["active"], spent), (&json!(true), 1), "introspect");
    let forged = format!("{}A", &own[..own.len() - 1]);
    let (answer, spent) = counted(&app, introspect(&forged)).await;
    assert_eq!((&answer.json()["active"], spent), (&json!(false), 0), "introspect, forged");
    let (answer, spent) = counted(&app, project.get("/sessions").bearer(own)).await;
    assert_eq!((answer.status.as_u16(), spent), (200, 2), "list sessions");
    let listed = answer.json()["sessions"].as_array().unwrap().clone();
    let path = format!("/admin/users/{user}/sessions");
    let (answer, spent) = counted(&app, project.get(&path).bearer(key)).await;
    assert_eq!((answer.status.as_u16(), spent), (200, 2), "list sessions, admin");
    let ended = listed.iter().find(|session| session["current"] == json!(false)).unwrap()["id"].as_str().unwrap();
    let path = format!("/sessions/{ended}");
    let (answer, spent) = counted(&app, project.ask(Method::DELETE, &path).bearer(own)).await;
    assert_eq!((answer.status.as_u16(), spent), (204, 1), "end session");
    let (answer, spent) = counted(&app, introspect(access(&other))).await;
    assert_eq!((&answer.json()["active"], spent), (&json!(false), 1), "introspect, ended");
    // What ended since the last reader is given its number by the next one.
    let (answer, spent) = counted(&app, feed("0")).await;
    assert_eq!((answer.status.as_u16(), spent), (200, 3), "feed, first reader");
    assert_eq!(answer.json()["revocations"].as_array().map(Vec::len), Some(1));
    let (answer, spent) = counted(&app, feed("0")).await;
    assert_eq!((answer.status.as_u16(), spent), (200, 1), "feed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn sign_ins_with_more_to_do_keep_their_budget() {
    let app = undisturbed().await;
    for (config, budget) in
        [(json!({ "sessions_max_per_user": 2 }), 12), (json!({ "mailer_notifications_new_device_enabled": true }), 10)]
    {
        let project = app.project(&format!("budget-{budget}"), config).await;
        project.sign_up("a@example.com").await;
        project.sign_in("a@example.com").await;
        let body = json!({ "email": "a@example.com", "password": "correct horse" });
        let (answer, spent) = counted(&app, project.post("/token?grant_type=password", body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(spent <= budget, "{spent} round trips, not {budget}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn second_factors_keep_their_budget() {
    let app = undisturbed().await;
    let config = json!({ "mfa_recovery_codes_enroll_enabled": true, "mfa_recovery_codes_verify_enabled": true });
    let project = app.project("budget", config).await;
    let within = |what: &str, status: u16, budget: u64, (answer, spent): (Answer, u64)| {
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
        assert!(spent <= budget, "{what}: {spent} round trips, not {budget}");
        answer.json()
    };
    // The first round warms.
    for round in ["a@example.com", "b@example.com"] {
        let check = |what: &str, status: u16, budget: u64, counted: (Answer, u64)| {
            within(what, status, if round.starts_with('a') { u64::MAX } else { budget }, counted)
        };
        let session = project.sign_up(round).await;
        let own = access(&session);
        let body = json!({ "factor_type": "totp", "friendly_name": "app" });
        let made = check("enroll", 200, 7, counted(&app, project.post("/factors", body).bearer(own)).await);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let totp = Totp { factor: text(&made["id"]), secret: text(&made["totp"]["secret"]) };
        let path = format!("/factors/{}", totp.factor);
        let challenge = project.post(&format!("{path}/challenge"), json!({})).bearer(own);
        let challenge = check("challenge", 200, 3, counted(&app, challenge).await);
        let body = json!({ "challenge_id": challenge["id"], "code": totp.code(&app) });
        let verify = project.post(&format!("{path}/verify"), body).bearer(own);
        let raised = check("verify", 200, 17, counted(&app, verify).await);

        let codes = project.post("/factors/recovery-codes", json!({})).bearer(access(&raised));
        let codes = check("recovery codes", 200, 12, counted(&app, codes).await);
        let session = project.sign_in(round).await;
        let body = json!({ "code": codes["codes"][0] });
        let verify = project.post("/factors/recovery-codes/verify", body).bearer(access(&session));
        let raised = check("recovery verify", 200, 18, counted(&app, verify).await);
        let delete = project.ask(Method::DELETE, &path).bearer(access(&raised));
        check("unenroll", 200, 12, counted(&app, delete).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn passkeys_keep_their_budget() {
    let app = undisturbed().await;
    let project = passkey::project(&app, json!({})).await;
    let (warm, _) = passkey::owner(&project, "warm@example.com").await;
    passkey::passkeys(&project, &warm).await;
    let session = project.sign_up("a@example.com").await;
    let mut authenticator = passkey::authenticator();
    let within = |what: &str, budget: u64, (answer, spent): (Answer, u64)| {
        assert_eq!(answer.status.as_u16(), 200, "{what}: {}", answer.text);
        assert!(spent <= budget, "{what}: {spent} round trips, not {budget}");
        answer.json()
    };
    let begin = passkey::ask(&project, &session, Method::POST, "/passkeys/registration/options").json(&json!({}));
    let challenge = within("registration options", 3, counted(&app, begin).await);
    let credential = authenticator.create(&challenge["options"]);
    let keep = passkey::keep(&project, &session, &challenge, credential);
    within("registration verify", 9, counted(&app, keep).await);
    passkey::sign_in(&project, &mut authenticator).await.expect(200);
    let begin = project.post("/passkeys/authentication/options", json!({}));
    let challenge = within("authentication options", 1, counted(&app, begin).await);
    let credential = authenticator.get(&challenge["options"]);
    within("authentication verify", 5, counted(&app, passkey::prove(&project, &challenge, credential)).await);
    within("list passkeys", 2, counted(&app, passkey::ask(&project, &session, Method::GET, "/passkeys")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn sign_ins_at_providers_keep_their_budget() {
    let app = undisturbed().await;
    let project = oauth::project(&app, json!({})).await;
    for who in ["warm", "ada", "eve"] {
        app.providers.grant(who, Ok(oauth::person(who, &format!("{who}@example.com"))));
    }
    // Warm: every statement has been prepared once.
    for query in ["", oauth::CHALLENGE, ""] {
        let landed = oauth::land(&project, &oauth::begin(&project, query).await, "warm").await;
        if !query.is_empty() {
            oauth::exchange(&project, landed.code(), oauth::VERIFIER).await.expect(200);
        }
    }
    let within = |what: &str, status: u16, budget: u64, (answer, spent): (Answer, u64)| {
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
        assert!(spent <= budget, "{what}: {spent} round trips, not {budget}");
        answer
    };
    for (what, code, query, budget) in [
        ("callback, new account", "ada", "", 15),
        ("callback, known account", "ada", "", 15),
        ("callback with a challenge, new account", "eve", oauth::CHALLENGE, 12),
        ("callback with a challenge, known account", "eve", oauth::CHALLENGE, 13),
    ] {
        let ask = project.get(&format!("/authorize?provider=gitlab{query}"));
        let left = within("authorize", 302, 1, counted(&app, ask).await);
        let back = oauth::back(&project, &oauth::state(&left), code);
        let answer = within(what, 302, budget, counted(&app, back).await);
        if !query.is_empty() {
            let landed = oauth::Landed::of(&answer);
            let body = json!({ "auth_code": landed.code(), "code_verifier": oauth::VERIFIER });
            within("exchange", 200, 12, counted(&app, project.post("/token?grant_type=pkce", body)).await);
        }
    }
    // Where nobody comes back as somebody, only the flow is read.
    let state = oauth::begin(&project, "").await;
    let denied = project.get(&format!("/callback?state={state}&error=access_denied"));
    within("callback, denied", 302, 1, counted(&app, denied).await);
    within("callback, no state", 303, 0, counted(&app, project.get("/callback?code=x")).await);
    let guest = project.post("/signup", json!({})).send().await.expect(200).json();
    let link = || project.get("/user/identities/authorize?provider=gitlab").bearer(access(&guest));
    within("link", 302, 2, counted(&app, link()).await);
}
