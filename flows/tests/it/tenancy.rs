//! Nothing of one project is there in another.

use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::letters::access;
use crate::{passkey, totp};

on_both!(projects_share_nothing, projects_share_nothing_on_postgres, nothing);
async fn nothing(app: TestApp) {
    let one = app.project("one", json!({})).await;
    let two = app.project("two", json!({})).await;
    let session = one.sign_up("a@example.com").await;
    let access = session["access_token"].as_str().unwrap();
    let user = session["user"]["id"].as_str().unwrap();

    // The same address is another person there.
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    two.post("/token?grant_type=password", body).send().await.expect(400);
    let other = two.sign_up("a@example.com").await;
    assert_ne!(other["user"]["id"], session["user"]["id"]);

    // No token, key or id of one opens anything of the other.
    for (method, path) in [(Method::GET, "/user"), (Method::POST, "/logout"), (Method::GET, "/sessions")] {
        let refused = two.ask(method, path).bearer(access).send().await.expect(403);
        assert_eq!(refused.error_code(), "bad_jwt");
    }
    two.refresh(&session["refresh_token"]).send().await.expect(400);
    two.get("/admin/users").bearer(&one.service_role_key).send().await.expect(403);
    let path = format!("/admin/users/{user}");
    two.get(&path).bearer(&two.service_role_key).send().await.expect(404);
    two.ask(Method::DELETE, &path).bearer(&two.service_role_key).send().await.expect(404);
    one.get("/user").bearer(access).send().await.expect(200);

    // Ending one leaves the other alone.
    app.management.delete_project(&one.project_ref, None).await.unwrap();
    one.get("/user").bearer(access).send().await.expect(404);
    two.get("/user").bearer(other["access_token"].as_str().unwrap()).send().await.expect(200);
}

on_both!(a_paused_project_serves_nothing, a_paused_project_serves_nothing_on_postgres, paused);
async fn paused(app: TestApp) {
    let project = app.project("one", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let access = session["access_token"].as_str().unwrap();
    app.management.set_paused(&project.project_ref, true).await.unwrap();
    project.get("/user").bearer(access).send().await.expect(503);
    project.refresh(&session["refresh_token"]).send().await.expect(503);
    app.management.set_paused(&project.project_ref, false).await.unwrap();
    project.get("/user").bearer(access).send().await.expect(200);
}

on_both!(handles_of_one_open_nothing_of_the_other, handles_of_one_open_nothing_on_postgres, handles);
async fn handles(app: TestApp) {
    let config = json!({ "mfa_recovery_codes_enroll_enabled": true, "mfa_recovery_codes_verify_enabled": true });
    let one = app.project("one", passkey::settings(config.clone())).await;
    let two = app.project("two", passkey::settings(config)).await;
    // The same person in both, with the same things.
    let (mine, mut key) = passkey::owner(&one, "a@example.com").await;
    let (theirs, _) = passkey::owner(&two, "a@example.com").await;
    let (factor, mine) = totp::enrolled(&app, &one, &mine).await;
    let (their_factor, theirs) = totp::enrolled(&app, &two, &theirs).await;
    let codes = one.post("/factors/recovery-codes", json!({})).bearer(access(&mine)).send().await.expect(200).json();
    two.post("/factors/recovery-codes", json!({})).bearer(access(&theirs)).send().await.expect(200);
    let passkey = passkey::passkeys(&one, &mine).await[0]["id"].as_str().unwrap().to_owned();
    let session = one.get("/sessions").bearer(access(&mine)).send().await.expect(200).json();
    let session = session["sessions"][0]["id"].as_str().unwrap().to_owned();
    let challenge = one.post(&format!("/factors/{}/challenge", factor.factor), json!({})).bearer(access(&mine));
    let challenge = challenge.send().await.expect(200).json();

    // Every handle of the one, shown to the other by its user.
    let as_user =
        |method: Method, path: String, body: Value| two.ask(method, &path).json(&body).bearer(access(&theirs)).send();
    let path = format!("/factors/{}", factor.factor);
    for (method, path) in [
        (Method::POST, format!("{path}/challenge")),
        (Method::POST, format!("{path}/verify")),
        (Method::DELETE, path.clone()),
    ] {
        let body = json!({ "challenge_id": challenge["id"], "code": factor.code(&app) });
        let refused = as_user(method, path, body).await.expect(404);
        assert_eq!(refused.error_code(), "mfa_factor_not_found");
    }
    let body = json!({ "challenge_id": challenge["id"], "code": their_factor.code(&app) });
    let refused = as_user(Method::POST, format!("/factors/{}/verify", their_factor.factor), body).await;
    assert!(refused.status.is_client_error(), "{}", refused.text);
    let body = json!({ "code": codes["codes"][0] });
    let refused = as_user(Method::POST, "/factors/recovery-codes/verify".to_owned(), body).await;
    assert!(refused.status.is_client_error(), "{}", refused.text);
    as_user(Method::DELETE, format!("/sessions/{session}"), json!({})).await.expect(404);
    let name = json!({ "friendly_name": "mine" });
    as_user(Method::PATCH, format!("/passkeys/{passkey}"), name).await.expect(404);
    as_user(Method::DELETE, format!("/passkeys/{passkey}"), json!({})).await.expect(404);

    // A credential of the one, and a challenge of the one.
    assert!(passkey::sign_in(&two, &mut key).await.status.is_client_error());
    let begun = passkey::challenge(&one).await;
    let credential = key.get(&begun["options"]);
    assert!(passkey::prove(&two, &begun, credential.clone()).send().await.status.is_client_error());
    passkey::prove(&one, &begun, credential).send().await.expect(200);
    let begun = passkey::registration(&one, &mine).await;
    let credential = passkey::authenticator().create(&begun["options"]);
    let refused = passkey::keep(&two, &theirs, &begun, credential).send().await;
    assert!(refused.status.is_client_error(), "{}", refused.text);

    // By its admin.
    let user = mine["user"]["id"].as_str().unwrap();
    let as_admin =
        |method: Method, path: String| two.ask(method, &path).json(&json!({})).bearer(&two.service_role_key).send();
    for (method, path) in [
        (Method::GET, format!("/admin/users/{user}/factors")),
        (Method::PUT, format!("/admin/users/{user}/factors/{}", factor.factor)),
        (Method::DELETE, format!("/admin/users/{user}/factors/{}", factor.factor)),
        (Method::GET, format!("/admin/users/{user}/passkeys")),
        (Method::DELETE, format!("/admin/users/{user}/passkeys/{passkey}")),
        (Method::GET, format!("/admin/users/{user}/sessions")),
        (Method::DELETE, format!("/admin/users/{user}/sessions/{session}")),
        (Method::DELETE, format!("/admin/users/{user}/sessions")),
    ] {
        let refused = as_admin(method.clone(), path.clone()).await;
        assert_eq!(refused.status, 404, "{method} {path}: {}", refused.text);
    }
    // Also below a user of its own.
    let other = theirs["user"]["id"].as_str().unwrap();
    for path in [format!("factors/{}", factor.factor), format!("passkeys/{passkey}"), format!("sessions/{session}")] {
        let refused = as_admin(Method::DELETE, format!("/admin/users/{other}/{path}")).await;
        assert_eq!(refused.status, 404, "{path}: {}", refused.text);
    }
    // A cursor is a number: it says nothing of the other's ends.
    let feed = async |project: &TestProject, cursor: &str| {
        let path = format!("/admin/revocations?cursor={cursor}");
        project.get(&path).bearer(&project.service_role_key).send().await.expect(200).json()
    };
    let before = feed(&two, "0").await["revocations"].clone();
    one.ask(Method::DELETE, &format!("/sessions/{session}")).bearer(access(&mine)).send().await.expect(204);
    assert!(feed(&one, "0").await["revocations"].to_string().contains(&session));
    assert_eq!(feed(&two, "0").await["revocations"], before);
    let told = two.post("/admin/introspect", json!({ "token": access(&mine) })).bearer(&two.service_role_key);
    assert_eq!(told.send().await.expect(200).json(), json!({ "active": false }));

    // Nothing of the one was touched.
    assert_eq!(passkey::passkeys(&two, &theirs).await.len(), 1);
    let again = one.sign_in("a@example.com").await;
    factor.raise(&app, &one, &again).await.expect(200);
    assert!(passkey::sign_in(&one, &mut key).await.status.is_success());
}
