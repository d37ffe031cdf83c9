//! Proofs of a project that has hooks: what a hook refuses is not used up, and nobody waits for one.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::hooks::{claims, config, error, uri};
use crate::letters::{access, admin};

const ADDRESS: &str = "a@example.com";
const TOKEN: &str = "custom_access_token";

/// A project whose mails and tokens go through hooks, with a user.
async fn project(app: &TestApp) -> TestProject {
    let settings = json!({
        "mailer_autoconfirm": false,
        "smtp_max_frequency": 1,
        "mailer_notifications_password_changed_enabled": true,
    });
    let project = app.project("hooks", config(&[TOKEN, "send_email"], settings)).await;
    answer(app);
    let body = json!({ "email": ADDRESS, "password": "correct horse", "email_confirm": true });
    admin(&project, Method::POST, "/admin/users", body).await.expect(200);
    project
}

/// The hook adds a claim.
fn answer(app: &TestApp) {
    app.hooks.reply_with(&uri(TOKEN), |payload| {
        let mut given = payload["claims"].clone();
        given["said"] = json!("by the hook");
        Ok(json!({ "claims": given }))
    });
}

/// Asks for a mail and gives what the hook was told.
async fn mail(app: &TestApp, project: &TestProject, path: &str, mut body: Value) -> Value {
    app.clock.advance(2);
    body["email"] = json!(ADDRESS);
    project.post(path, body).send().await.expect(200);
    app.hooks.take(&uri("send_email")).pop().unwrap()["email_data"].clone()
}

on_both!(a_refusal_uses_nothing_up, a_refusal_uses_nothing_up_on_postgres, refusal);
async fn refusal(app: TestApp) {
    let project = project(&app).await;
    let sent = mail(&app, &project, "/otp", json!({})).await;
    let verify = json!({ "type": "email", "email": ADDRESS, "token": sent["token"] });
    app.hooks.reply_next(&uri(TOKEN), Ok(error(403, "not today")));
    let refused = project.post("/verify", verify.clone()).send().await.expect(403);
    assert_eq!(refused.json()["msg"], "not today");
    let session = project.post("/verify", verify.clone()).send().await.expect(200).json();
    assert_eq!(claims(&app, &project, &session)["said"], "by the hook");
    project.post("/verify", verify).send().await.expect(403);

    let challenge = json!({ "code_challenge": "v".repeat(43), "code_challenge_method": "plain" });
    let sent = mail(&app, &project, "/recover", challenge).await;
    app.hooks.take(&uri(TOKEN));
    let path = format!("/verify?type=recovery&token={}", sent["token_hash"].as_str().unwrap());
    let landing = project.get(&path).send().await.expect(303);
    assert!(app.hooks.take(&uri(TOKEN)).is_empty(), "no token was signed");
    let code = landing.header("location").split_once("?code=").unwrap().1.to_owned();
    let exchange = json!({ "auth_code": code, "code_verifier": "v".repeat(43) });
    app.hooks.reply_next(&uri(TOKEN), Ok(error(403, "not today")));
    project.post("/token?grant_type=pkce", exchange.clone()).send().await.expect(403);
    let session = project.post("/token?grant_type=pkce", exchange.clone()).send().await.expect(200).json();
    assert_eq!(claims(&app, &project, &session)["said"], "by the hook");
    assert_eq!(app.hooks.take(&uri(TOKEN))[1]["authentication_method"], "recovery");
    project.post("/token?grant_type=pkce", exchange).send().await.expect(404);
}

on_both!(a_hook_that_waits_holds_nothing, a_hook_that_waits_holds_nothing_on_postgres, waits);
async fn waits(app: TestApp) {
    let project = project(&app).await;
    let sent = mail(&app, &project, "/otp", json!({})).await;
    app.hooks.take(&uri(TOKEN));
    app.hooks.hold(&uri(TOKEN));
    let verify = json!({ "type": "email", "token_hash": sent["token_hash"] });
    let elsewhere = app.sibling().await;
    answer(&elsewhere);
    elsewhere.hooks.hold(&uri(TOKEN));
    let other = elsewhere.through(&project);
    let waiting = [&project, &other].map(|gateway| tokio::spawn(gateway.post("/verify", verify.clone()).send()));
    tokio::time::timeout(Duration::from_secs(20), async {
        while [&app, &elsewhere].iter().any(|app| app.hooks.calls().iter().all(|(called, _)| *called != uri(TOKEN))) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    // Others write meanwhile.
    let body = json!({ "email": "b@example.com", "password": "correct horse" });
    admin(&project, Method::POST, "/admin/users", body).await.expect(200);
    app.hooks.release(&uri(TOKEN));
    elsewhere.hooks.release(&uri(TOKEN));
    let answers = join_all(waiting).await;
    // Both were asked about; one of them got the session.
    let won = answers.iter().filter(|answer| answer.as_ref().unwrap().status == 200).count();
    assert_eq!(won, 1);
}

on_both!(notices_go_through_the_hook, notices_go_through_the_hook_on_postgres, notices);
async fn notices(app: TestApp) {
    let project = project(&app).await;
    let session = project.sign_in(ADDRESS).await;
    let change = |password: &str| {
        let ask = project.ask(Method::PUT, "/user").bearer(access(&session));
        ask.json(&json!({ "password": password })).send()
    };
    change("battery staple").await.expect(200);
    let told = app.hooks.take(&uri("send_email")).pop().unwrap();
    assert_eq!(told["email_data"]["email_action_type"], "password_changed_notification");
    assert_eq!(told["email_data"]["redirect_to"], "http://localhost:3000");
    assert_eq!(told["user"]["email"], ADDRESS);
    // What is done is done.
    app.hooks.reply_next(&uri("send_email"), Ok(error(500, "no")));
    change("paper clip 42").await.expect(200);
    assert_eq!(app.hooks.take(&uri("send_email")).len(), 1);
}
