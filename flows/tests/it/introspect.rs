//! `POST /admin/introspect`: a token is active only while all of it is good.

use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::letters::access;
use crate::{passkey, totp};

async fn introspect(project: &TestProject, token: &str) -> Value {
    let ask = project.post("/admin/introspect", json!({ "token": token })).bearer(&project.service_role_key);
    ask.send().await.expect(200).json()
}

fn inactive() -> Value {
    json!({ "active": false })
}

on_both!(a_token_is_active_while_its_session_lives, a_token_is_active_while_its_session_lives_on_postgres, active);
async fn active(app: TestApp) {
    let project = app.project("introspect", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let access = session["access_token"].as_str().unwrap();
    let told = introspect(&project, access).await;
    assert_eq!((&told["active"], &told["sub"]), (&json!(true), &session["user"]["id"]));
    assert_eq!((&told["exp"], &told["email"]), (&session["expires_at"], &json!("a@example.com")));
    assert!(told["session_id"].is_string());
    let form = format!("token_type_hint=access_token&token={access}");
    let by_form = project.ask(Method::POST, "/admin/introspect").raw(form).bearer(&project.service_role_key);
    let by_form = by_form.header("content-type", "application/x-www-form-urlencoded").send().await.expect(200);
    assert_eq!(by_form.json(), told);

    project.post("/logout", json!({})).bearer(access).send().await.expect(204);
    assert_eq!(introspect(&project, access).await, inactive());
}

on_both!(other_texts_are_not_active, other_texts_are_not_active_on_postgres, others);
async fn others(app: TestApp) {
    let project = app.project("introspect", json!({})).await;
    let elsewhere = app.project("elsewhere", json!({})).await;
    let foreign = elsewhere.sign_up("a@example.com").await;
    let session = project.sign_up("a@example.com").await;
    let access = session["access_token"].as_str().unwrap().to_owned();
    let tampered = format!("{}A", &access[..access.len() - 1]);
    for text in [
        foreign["access_token"].as_str().unwrap(),
        session["refresh_token"].as_str().unwrap(),
        &project.service_role_key,
        &project.anon_key,
        &tampered,
        "x",
    ] {
        assert_eq!(introspect(&project, text).await, inactive());
    }
    // Who may not ask learns nothing.
    let ask = |bearer: &str| project.post("/admin/introspect", json!({ "token": access })).bearer(bearer).send();
    assert_eq!(ask(&access).await.expect(403).error_code(), "not_admin");
    assert_eq!(ask(&project.anon_key).await.expect(403).error_code(), "not_admin");

    let id = session["user"]["id"].as_str().unwrap();
    let ban = project.ask(Method::PUT, &format!("/admin/users/{id}")).json(&json!({ "ban_duration": "1h" }));
    ban.bearer(&project.service_role_key).send().await.expect(200);
    assert_eq!(introspect(&project, &access).await, inactive());
}

on_both!(a_token_is_shown_with_its_level, a_token_is_shown_with_its_level_on_postgres, levels);
async fn levels(app: TestApp) {
    let config = passkey::settings(json!({ "passkey_assurance_level": "aal2", "sessions_allow_low_aal": 600 }));
    let project = app.project("introspect", config).await;
    let (low, mut key) = passkey::owner(&project, "a@example.com").await;
    assert_eq!(introspect(&project, access(&low)).await["aal"], "aal1");
    let by_passkey = passkey::sign_in(&project, &mut key).await.expect(200).json();
    let told = introspect(&project, access(&by_passkey)).await;
    assert_eq!((&told["active"], &told["aal"]), (&json!(true), &json!("aal2")));
    assert_eq!(told["amr"][0]["method"], "passkey");

    let (_, raised) = totp::enrolled(&app, &project, &low).await;
    let second = project.sign_in("a@example.com").await;
    app.clock.advance(601);
    // Who has a second factor is given ten minutes to use it.
    assert_eq!(introspect(&project, access(&second)).await, inactive());
    let told = introspect(&project, access(&raised)).await;
    assert_eq!((&told["active"], &told["aal"]), (&json!(true), &json!("aal2")));
    // A hint is only a hint (RFC 7662 §2.1).
    for hint in ["refresh_token", "access_token", "nonsense"] {
        let form = format!("token={}&token_type_hint={hint}", access(&raised));
        let ask = project.ask(Method::POST, "/admin/introspect").raw(form).bearer(&project.service_role_key);
        let answer = ask.header("content-type", "application/x-www-form-urlencoded").send().await.expect(200);
        assert_eq!(answer.json(), told, "{hint}");
    }
}

on_both!(an_old_token_is_not_active, an_old_token_is_not_active_on_postgres, old);
async fn old(app: TestApp) {
    let project = app.project("introspect", json!({ "sessions_timebox": 1, "jwt_exp": 7200 })).await;
    let access = project.sign_up("a@example.com").await["access_token"].as_str().unwrap().to_owned();
    app.clock.advance(3599);
    assert_eq!(introspect(&project, &access).await["active"], json!(true));
    // Its session is past the hour, although its own time is not over.
    app.clock.advance(2);
    assert_eq!(introspect(&project, &access).await, inactive());
}
