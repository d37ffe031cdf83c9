//! `POST /resend` and `GET /reauthenticate`.

use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::mails::{confirmed_user, confirming, one, read_user, show_hash, take, type_code};

const EMAIL: &str = "a@example.com";
const PHONE: &str = "15550001111";

fn config() -> Value {
    confirming(json!({
        "external_phone_enabled": true,
        "sms_provider": "messagebird",
        "sms_messagebird_access_key": "key",
        "sms_messagebird_originator": "app",
    }))
}

async fn resend(project: &TestProject, kind: &str, contact: Value) -> testkit::Answer {
    let mut body = contact;
    body["type"] = json!(kind);
    project.post("/resend", body).send().await
}

async fn session(project: &TestProject, email: &str) -> String {
    project.sign_in(email).await["access_token"].as_str().unwrap().to_owned()
}

on_both!(a_confirmation_goes_out_again, a_confirmation_goes_out_again_on_postgres, sign_up);
async fn sign_up(app: TestApp) {
    let project = app.project("resend", config()).await;
    project.post("/signup", json!({ "email": EMAIL, "password": "correct horse" })).send().await.expect(200);
    let first = one(&app, EMAIL).await;
    let soon = resend(&project, "signup", json!({ "email": EMAIL })).await.expect(429);
    assert_eq!(soon.error_code(), "over_email_send_rate_limit");
    app.clock.advance(60);
    let answer = resend(&project, "signup", json!({ "email": EMAIL })).await.expect(200).json();
    assert_eq!(answer, json!({}));
    let second = one(&app, EMAIL).await;
    assert_eq!(second.kind, "confirmation");
    show_hash(&project, "signup", &first.hash).await.expect(403);
    type_code(&project, "signup", EMAIL, &second.code).await.expect(200);
    // Nobody waits any more, nobody is told.
    app.clock.advance(60);
    for email in [EMAIL, "unknown@example.com"] {
        let answer = resend(&project, "signup", json!({ "email": email })).await.expect(200).json();
        assert_eq!(answer, json!({}));
        assert!(take(&app, email).await.is_empty());
    }
}

on_both!(a_resent_confirmation_keeps_to_its_flow, a_resent_confirmation_keeps_to_its_flow_on_postgres, pkce);
async fn pkce(app: TestApp) {
    let project = app.project("resend", config()).await;
    project.post("/signup", json!({ "email": EMAIL, "password": "correct horse" })).send().await.expect(200);
    take(&app, EMAIL).await;
    app.clock.advance(60);
    let verifier = "v".repeat(43);
    let challenge = json!({ "email": EMAIL, "code_challenge": verifier, "code_challenge_method": "plain" });
    resend(&project, "signup", challenge).await.expect(200);
    let hash = one(&app, EMAIL).await.hash;
    let landing = project.get(&format!("/verify?type=signup&token={hash}")).send().await.expect(303);
    let code = landing.header("location").split("code=").nth(1).unwrap().to_owned();
    let trade = json!({ "auth_code": code, "code_verifier": verifier });
    project.post("/token?grant_type=pkce", trade).send().await.expect(200);
}

on_both!(a_code_goes_out_again_by_sms, a_code_goes_out_again_by_sms_on_postgres, by_sms);
async fn by_sms(app: TestApp) {
    let project = app.project("resend", config()).await;
    project.post("/signup", json!({ "phone": PHONE, "password": "correct horse" })).send().await.expect(200);
    let soon = resend(&project, "sms", json!({ "phone": PHONE })).await.expect(429);
    assert_eq!(soon.error_code(), "over_sms_send_rate_limit");
    app.clock.advance(60);
    resend(&project, "sms", json!({ "phone": PHONE })).await.expect(200);
    let sent = app.sms.sent();
    assert_eq!(sent.len(), 2);
    let typed = |n: usize| json!({ "type": "sms", "phone": PHONE, "token": sent[n].code.expose() });
    project.post("/verify", typed(0)).send().await.expect(403);
    project.post("/verify", typed(1)).send().await.expect(200);
    app.clock.advance(60);
    resend(&project, "sms", json!({ "phone": PHONE })).await.expect(200);
    assert_eq!(app.sms.sent().len(), 2);
}

on_both!(changes_are_sent_again, changes_are_sent_again_on_postgres, changes);
async fn changes(app: TestApp) {
    let project = app.project("resend", config()).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    // Nothing is pending.
    resend(&project, "email_change", json!({ "email": EMAIL })).await.expect(200);
    resend(&project, "phone_change", json!({ "email": EMAIL })).await.expect(200);
    let token = session(&project, EMAIL).await;
    let change = json!({ "email": "new@example.com", "phone": PHONE });
    project.ask(http::Method::PUT, "/user").bearer(&token).json(&change).send().await.expect(200);
    assert_eq!((one(&app, EMAIL).await.kind.as_str(), app.sms.sent().len()), ("email_change", 1));
    one(&app, "new@example.com").await;
    resend(&project, "email_change", json!({ "email": EMAIL })).await.expect(429);
    resend(&project, "phone_change", json!({ "email": EMAIL })).await.expect(429);
    app.clock.advance(60);
    resend(&project, "email_change", json!({ "email": EMAIL })).await.expect(200);
    let (current, new) = (one(&app, EMAIL).await, one(&app, "new@example.com").await);
    assert_ne!(current.hash, new.hash);
    show_hash(&project, "email_change", &current.hash).await.expect(200);
    let session = show_hash(&project, "email_change", &new.hash).await.expect(200).json();
    assert_eq!(session["user"]["email"], "new@example.com");
}

on_both!(what_a_resend_must_have, what_a_resend_must_have_on_postgres, validation);
async fn validation(app: TestApp) {
    let project = app.project("resend", confirming(json!({}))).await;
    for (kind, contact, message) in [
        ("", json!({}), "Missing one of these types: signup, email_change, sms, phone_change"),
        ("signup", json!({ "phone": PHONE }), "Type provided requires an email address"),
        ("sms", json!({ "email": EMAIL }), "Type provided requires a phone number"),
        (
            "signup",
            json!({ "email": EMAIL, "phone": PHONE }),
            "Only an email address or phone number should be provided.",
        ),
        ("email_change", json!({}), "Missing email address or phone number"),
        ("sms", json!({ "phone": PHONE }), "Phone logins are disabled"),
    ] {
        let refused = resend(&project, kind, contact).await.expect(400);
        assert_eq!(refused.json()["msg"], message);
    }
}

on_both!(a_nonce_goes_to_the_address, a_nonce_goes_to_the_address_on_postgres, nonce);
async fn nonce(app: TestApp) {
    let others = json!({ "security_update_password_require_reauthentication": true });
    let project = app.project("resend", confirming(others)).await;
    let user = confirmed_user(&project, json!({ "email": EMAIL })).await;
    let token = session(&project, EMAIL).await;
    let ask = || project.get("/reauthenticate").bearer(&token).send();
    assert_eq!(ask().await.expect(200).json(), json!({}));
    let mail = one(&app, EMAIL).await;
    assert_eq!((mail.kind.as_str(), mail.hash.as_str(), mail.code.len()), ("reauthentication", "", 8));
    assert!(read_user(&project, &user["id"]).await["reauthentication_sent_at"].is_string());
    assert!(!app.stored_text().await.contains(&mail.code));
    ask().await.expect(429);
    // What is derived from the code opens nothing.
    let derived = crypto::otp::link_token(EMAIL, &mail.code);
    for kind in ["email", "recovery", "signup", "email_change"] {
        show_hash(&project, kind, &derived).await.expect(403);
    }
    project.get("/reauthenticate").send().await.expect(401);
}

on_both!(a_nonce_goes_to_the_number, a_nonce_goes_to_the_number_on_postgres, nonce_by_sms);
async fn nonce_by_sms(app: TestApp) {
    let project = app.project("resend", config()).await;
    confirmed_user(&project, json!({ "phone": PHONE })).await;
    let grant = json!({ "phone": PHONE, "password": "correct horse" });
    let session = project.post("/token?grant_type=password", grant).send().await.expect(200).json();
    let token = session["access_token"].as_str().unwrap();
    app.sms.fail_next("away");
    let refused = project.get("/reauthenticate").bearer(token).send().await.expect(422);
    assert_eq!(refused.json()["msg"], "Error sending reauthentication OTP to provider: away");
    project.get("/reauthenticate").bearer(token).send().await.expect(200);
    assert_eq!(app.sms.sent().len(), 1);
}
