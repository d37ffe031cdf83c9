//! Operations that ask for a fresh proof.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::hooks::{config, uri};
use crate::letters::{access, admin, confirmed, mail, project, put, shielded, verify, wrong};
use crate::mails::take;
use crate::totp::enrolled;

const ADDRESS: &str = "a@example.com";

const PASSWORD: &str = "walrus and carpenter";

const ALL: &str = "password_change,email_change,phone_change,factor_unenroll,recovery_codes,passkey_manage,identity_link,\
    identity_unlink,account_delete,admin";

/// A project that asks a step-up for everything, with `more` on top.
async fn asking(app: &TestApp, more: Value) -> TestProject {
    let mut config = json!({
        "security_step_up_operations": ALL,
        "mfa_recovery_codes_enroll_enabled": true,
        "mfa_recovery_codes_verify_enabled": true,
    });
    config.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    project(app, config).await
}

async fn send(project: &TestProject, session: &Value, method: Method, path: &str, body: Value) -> Answer {
    project.ask(method, path).bearer(access(session)).json(&body).send().await
}

fn refused(answer: Answer, status: u16, code: &str, message: &str) {
    let answer = answer.expect(status);
    assert_eq!((answer.error_code().as_str(), answer.json()["msg"].as_str().unwrap()), (code, message));
}

fn stale(answer: Answer, status: u16) {
    refused(answer, status, "insufficient_aal", "A fresh second factor is required for this operation.");
}

/// A user of a shield project, signed in.
async fn in_shield(project: &TestProject) -> Value {
    let account = json!({ "email": ADDRESS, "password": PASSWORD, "email_confirm": true });
    admin(project, Method::POST, "/admin/users", account).await.expect(200);
    let grant = json!({ "email": ADDRESS, "password": PASSWORD });
    project.post("/token?grant_type=password", grant).send().await.expect(200).json()
}

/// The nonce of a reauthentication.
async fn nonce(app: &TestApp, project: &TestProject, session: &Value) -> String {
    app.clock.advance(2);
    project.get("/reauthenticate").bearer(access(session)).send().await.expect(200);
    mail(app, ADDRESS).await.code
}

on_both!(a_stale_factor_is_asked_for_again, a_stale_factor_is_asked_for_again_on_postgres, stale_factor);
async fn stale_factor(app: TestApp) {
    let project = asking(&app, json!({ "mfa_phone_enroll_enabled": true })).await;
    confirmed(&project, ADDRESS).await;
    let (totp, raised) = enrolled(&app, &project, &project.sign_in(ADDRESS).await).await;
    let codes = send(&project, &raised, Method::POST, "/factors/recovery-codes", json!({})).await.expect(200).json();
    app.clock.advance(600);

    // What was recorded comes first.
    let low = project.sign_in(ADDRESS).await;
    let gate = put(&project, &low, json!({ "password": "battery staple" })).await;
    let recorded = "AAL2 session is required to update email or password when MFA is enabled.";
    refused(gate, 401, "insufficient_aal", recorded);

    let changes = [
        json!({ "password": "battery staple" }),
        json!({ "email": "new@example.com" }),
        json!({ "phone": "15550001111" }),
        json!({ "password": "battery staple", "current_password": "correct horse", "nonce": "123456" }),
    ];
    for change in &changes {
        stale(put(&project, &raised, change.clone()).await, 401);
    }
    // What changes nothing of these needs nothing.
    let harmless = json!({ "data": { "a": 1 }, "email": ADDRESS });
    put(&project, &raised, harmless).await.expect(200);
    for (method, path) in [
        (Method::POST, "/factors/recovery-codes/regenerate"),
        (Method::DELETE, "/factors/recovery-codes"),
        (Method::DELETE, "/user"),
    ] {
        stale(send(&project, &raised, method, path, json!({ "current_password": "correct horse" })).await, 403);
    }
    stale(totp.unenroll(&project, &raised).await, 422);

    // A refresh makes no factor fresh; using one does.
    let refreshed = project.refresh(&raised["refresh_token"]).send().await.expect(200).json();
    stale(put(&project, &refreshed, changes[0].clone()).await, 401);
    let raised = totp.raise(&app, &project, &refreshed).await.expect(200).json();
    app.clock.advance(599);
    put(&project, &raised, changes[0].clone()).await.expect(200);
    app.clock.advance(1);
    stale(put(&project, &raised, changes[1].clone()).await, 401);
    // So does a recovery code.
    let body = json!({ "code": codes["codes"][0] });
    let raised = send(&project, &raised, Method::POST, "/factors/recovery-codes/verify", body).await.expect(200).json();
    put(&project, &raised, changes[1].clone()).await.expect(200);
    send(&project, &raised, Method::POST, "/factors/recovery-codes/regenerate", json!({})).await.expect(200);
    totp.unenroll(&project, &raised).await.expect(200);
}

on_both!(without_a_factor_another_proof_does, without_a_factor_another_proof_does_on_postgres, other_proofs);
async fn other_proofs(app: TestApp) {
    let project = asking(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    app.clock.advance(599);
    put(&project, &session, json!({ "password": "battery staple" })).await.expect(200);
    app.clock.advance(1);
    let session = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    for (change, what) in [
        (json!({ "password": "paper clip 42" }), "Password"),
        (json!({ "email": "new@example.com" }), "Email"),
        (json!({ "phone": "15550001111" }), "Phone"),
        (json!({ "phone": "15550001111", "email": "new@example.com", "password": "paper clip 42" }), "Password"),
    ] {
        let message = format!("{what} update requires reauthentication");
        refused(put(&project, &session, change.clone()).await, 400, "reauthentication_needed", &message);
        let mut with = change.clone();
        with["nonce"] = json!("123456");
        refused(
            put(&project, &session, with).await,
            422,
            "reauthentication_not_valid",
            "Nonce has expired or is invalid",
        );
        let mut with = change;
        with["current_password"] = json!("correct horse");
        let answer = put(&project, &session, with).await.expect(400);
        assert_eq!(answer.error_code(), "current_password_invalid");
    }
    put(&project, &session, json!({ "data": { "a": 1 } })).await.expect(200);

    let all = json!({ "phone": "15550001111", "email": "new@example.com", "password": "paper clip 42" });
    let code = nonce(&app, &project, &session).await;
    let with = |nonce: &str| {
        let mut body = all.clone();
        body["nonce"] = json!(nonce);
        body
    };
    put(&project, &session, with(&wrong(&code))).await.expect(422);
    // One nonce for all of it.
    let changed = put(&project, &session, with(&code)).await.expect(200).json();
    assert_eq!(changed["new_email"], "new@example.com");
    put(&project, &session, json!({ "email": "third@example.com", "nonce": code })).await.expect(422);
    // The password instead.
    app.clock.advance(2);
    let body = json!({ "email": "third@example.com", "current_password": "paper clip 42" });
    put(&project, &session, body).await.expect(200);

    let gone = |body| send(&project, &session, Method::DELETE, "/user", body);
    let message = "Account deletion requires reauthentication";
    refused(gone(json!({})).await, 400, "reauthentication_needed", message);
    gone(json!({ "nonce": "123456" })).await.expect(422);
    gone(json!({ "current_password": "paper clip 42" })).await.expect(204);
}

on_both!(a_fresh_sign_in_uses_no_nonce_up, a_fresh_sign_in_uses_no_nonce_up_on_postgres, no_nonce);
async fn no_nonce(app: TestApp) {
    let project = asking(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    let code = nonce(&app, &project, &session).await;
    put(&project, &session, json!({ "data": { "a": 1 }, "nonce": code })).await.expect(200);
    put(&project, &session, json!({ "phone": "15550001111", "nonce": code })).await.expect(200);
    app.clock.advance(250);
    app.clock.advance(348);
    // By now it is too old itself.
    put(&project, &session, json!({ "email": "new@example.com", "nonce": code })).await.expect(422);
    let code = nonce(&app, &project, &session).await;
    send(&project, &session, Method::DELETE, "/user", json!({ "nonce": code })).await.expect(204);
}

on_both!(a_recovery_link_lets_a_password_be_set, a_recovery_link_lets_a_password_be_set_on_postgres, recovery);
async fn recovery(app: TestApp) {
    let project = asking(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let by_mail = verify(&project, json!({ "type": "recovery", "token_hash": letter.hash })).await.expect(200).json();
    app.clock.advance(300);
    put(&project, &by_mail, json!({ "password": "battery staple" })).await.expect(200);
    app.clock.advance(300);
    put(&project, &by_mail, json!({ "password": "paper clip 42" })).await.expect(400);
}

on_both!(guests_become_users_whenever_they_like, guests_become_users_whenever_they_like_on_postgres, guests);
async fn guests(app: TestApp) {
    let project = asking(&app, json!({ "mailer_autoconfirm": true })).await;
    let guest = project.post("/signup", json!({})).send().await.expect(200).json();
    app.clock.advance(3000);
    put(&project, &guest, json!({ "email": ADDRESS, "password": "correct horse" })).await.expect(200);
    // Now there is something to show.
    let change = json!({ "password": "battery staple" });
    assert_eq!(put(&project, &guest, change).await.expect(400).error_code(), "reauthentication_needed");
    let body = json!({ "password": "battery staple", "current_password": "correct horse" });
    put(&project, &guest, body).await.expect(200);
}

on_both!(the_contracts_rule_stays_beside_it, the_contracts_rule_stays_beside_it_on_postgres, beside);
async fn beside(app: TestApp) {
    let config = json!({
        "security_update_password_require_reauthentication": true,
        "security_step_up_operations": "email_change",
        "security_step_up_max_age": 60,
    });
    let project = project(&app, config).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    app.clock.advance(86_400);
    let session = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    put(&project, &session, json!({ "password": "battery staple" })).await.expect(200);
    put(&project, &session, json!({ "email": "new@example.com" })).await.expect(400);
    app.clock.advance(1);
    // The password is no proof for the contract's rule, but it is for the step-up.
    let both = json!({ "password": "paper clip 42", "email": "new@example.com", "current_password": "battery staple" });
    let message = "Password update requires reauthentication";
    refused(put(&project, &session, both.clone()).await, 400, "reauthentication_needed", message);
    let code = nonce(&app, &project, &session).await;
    let mut with = both;
    with["nonce"] = json!(code);
    put(&project, &session, with).await.expect(200);
    take(&app, ADDRESS).await;
    app.clock.advance(2);
    let body = json!({ "email": "third@example.com", "current_password": "paper clip 42" });
    put(&project, &session, body).await.expect(200);
}

on_both!(shield_asks_for_it_from_the_start, shield_asks_for_it_from_the_start_on_postgres, shield);
async fn shield(app: TestApp) {
    let project = shielded(&app, json!({})).await;
    let session = in_shield(&project).await;
    app.clock.advance(600);
    let session = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    for (change, what) in
        [(json!({ "password": "another walrus entirely" }), "Password"), (json!({ "email": "n@example.com" }), "Email")]
    {
        let message = format!("{what} update requires reauthentication");
        refused(put(&project, &session, change).await, 400, "reauthentication_needed", &message);
    }
    // The password counts as tries to sign in do.
    let guess = |password| put(&project, &session, json!({ "email": "n@example.com", "current_password": password }));
    for _ in 0..5 {
        assert_eq!(guess("wrong").await.expect(400).error_code(), "current_password_invalid");
    }
    assert_eq!(guess(PASSWORD).await.expect(429).error_code(), "over_request_rate_limit");
    app.clock.advance(900);
    let session = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    let body = json!({ "password": "another walrus entirely", "current_password": PASSWORD });
    put(&project, &session, body).await.expect(200);

    let (totp, raised) = enrolled(&app, &project, &session).await;
    app.clock.advance(600);
    stale(put(&project, &raised, json!({ "email": "n@example.com" })).await, 401);
    let raised = totp.raise(&app, &project, &raised).await.expect(200).json();
    put(&project, &raised, json!({ "email": "n@example.com" })).await.expect(200);
}

on_both!(administrators_show_a_second_factor, administrators_show_a_second_factor_on_postgres, administrators);
async fn administrators(app: TestApp) {
    let project = asking(&app, json!({})).await;
    let account =
        json!({ "email": ADDRESS, "password": "correct horse", "email_confirm": true, "role": "supabase_admin" });
    let user = admin(&project, Method::POST, "/admin/users", account).await.expect(200).json();
    let session = project.sign_in(ADDRESS).await;
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    let doors = [
        (Method::GET, "/admin/users", json!({})),
        (Method::PUT, path.as_str(), json!({ "user_metadata": { "a": 1 } })),
        (Method::POST, "/invite", json!({ "email": "new@example.com" })),
        (Method::GET, "/admin/audit", json!({})),
        (Method::POST, "/admin/generate_link", json!({ "type": "magiclink", "email": ADDRESS })),
    ];
    for (method, path, body) in &doors {
        stale(send(&project, &session, method.clone(), path, body.clone()).await, 403);
    }
    let (totp, raised) = enrolled(&app, &project, &session).await;
    for (method, path, body) in &doors {
        send(&project, &raised, method.clone(), path, body.clone()).await.expect(200);
    }
    app.clock.advance(600);
    for (method, path, body) in &doors {
        stale(send(&project, &raised, method.clone(), path, body.clone()).await, 403);
    }
    let raised = totp.raise(&app, &project, &raised).await.expect(200).json();
    send(&project, &raised, Method::GET, "/admin/users", json!({})).await.expect(200);
    // Who is none is told so first; keys are machines.
    confirmed(&project, "b@example.com").await;
    let plain = project.sign_in("b@example.com").await;
    let answer = send(&project, &plain, Method::GET, "/admin/users", json!({})).await.expect(403);
    assert_eq!(answer.error_code(), "not_admin");
    admin(&project, Method::GET, "/admin/users", json!({})).await.expect(200);
}

on_both!(a_session_that_ends_meanwhile_changes_nothing, a_session_that_ends_meanwhile_changes_on_postgres, meanwhile);
async fn meanwhile(app: TestApp) {
    let project = app.project("hooks", config(&["send_email"], json!({}))).await;
    let hook = uri("send_email");
    app.hooks.reply(&hook, Ok(json!({})));
    confirmed(&project, ADDRESS).await;
    let (owner, thief) = (project.sign_in(ADDRESS).await, project.sign_in(ADDRESS).await);
    app.hooks.hold(&hook);
    let body = json!({ "email": "thief@example.com", "password": "thieves den", "data": { "thief": true } });
    let change = tokio::spawn({
        let (project, thief) = (project.clone(), thief.clone());
        async move { put(&project, &thief, body).await }
    });
    tokio::time::timeout(Duration::from_secs(20), async {
        while app.hooks.calls().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    // The owner proves a second factor: the other session has none, and ends.
    enrolled(&app, &project, &owner).await;
    app.hooks.release(&hook);
    assert_eq!(change.await.unwrap().expect(403).error_code(), "session_not_found");
    let user = project.sign_in(ADDRESS).await["user"].clone();
    assert!(user.get("new_email").is_none() && user["user_metadata"].get("thief").is_none(), "{user}");
}
