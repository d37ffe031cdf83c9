//! A new address.

use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::letters::{access, admin, confirmed, mail, project, put, verify, wrong};

const OLD: &str = "old@example.com";
const NEW: &str = "new@example.com";

async fn user(project: &TestProject, session: &Value) -> Value {
    project.get("/user").bearer(access(session)).send().await.expect(200).json()
}

on_both!(test_email_change_requires_verification, email_change_requires_verification_on_postgres, requires);
async fn requires(app: TestApp) {
    let project = project(&app, json!({ "mailer_notifications_email_changed_enabled": true })).await;
    confirmed(&project, OLD).await;
    let session = project.sign_in(OLD).await;
    let changing = put(&project, &session, json!({ "email": "New@Example.com" })).await.expect(200).json();
    assert_eq!((&changing["email"], &changing["new_email"]), (&json!(OLD), &json!(NEW)));
    let (to_new, to_old) = (mail(&app, NEW).await, mail(&app, OLD).await);
    let by_code = |email: &str, code: &str| json!({ "type": "email_change", "email": email, "token": code });
    // Each side proves itself only.
    verify(&project, by_code(NEW, &to_old.code)).await.expect(403);
    verify(&project, by_code(OLD, &wrong(&to_old.code))).await.expect(403);
    let half = verify(&project, by_code(NEW, &to_new.code)).await.expect(200).json();
    assert_eq!(half["code"], "200");
    assert!(half["msg"].as_str().unwrap().starts_with("Confirmation link accepted."));
    // The same side twice completes nothing.
    verify(&project, by_code(NEW, &to_new.code)).await.expect(403);
    verify(&project, json!({ "type": "email_change", "token_hash": to_new.hash })).await.expect(403);
    assert_eq!(user(&project, &session).await["email"], OLD);

    let landing = project.get(&format!("/verify?type=email_change&token={}", to_old.hash)).send().await.expect(303);
    assert!(landing.header("location").contains("#access_token="));
    let changed = user(&project, &session).await;
    assert_eq!(changed["email"], NEW);
    assert!(changed.get("new_email").is_none());
    assert_eq!(changed["identities"][0]["identity_data"]["email"], NEW);
    assert_eq!(changed["identities"][0]["identity_data"]["email_verified"], true);
    let notice = mail(&app, OLD).await;
    assert!(notice.html.contains("from=old@example.com;to=new@example.com;"), "{}", notice.html);
    project.sign_in(NEW).await;
}

on_both!(a_challenge_changes_nothing_about_that, a_challenge_changes_nothing_about_that_on_postgres, challenge);
async fn challenge(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, OLD).await;
    let session = project.sign_in(OLD).await;
    let verifier = "v".repeat(43);
    let body = json!({ "email": NEW, "code_challenge": verifier, "code_challenge_method": "plain" });
    put(&project, &session, body).await.expect(200);
    let (to_new, to_old) = (mail(&app, NEW).await, mail(&app, OLD).await);
    // A typed code, twice: the reference lets one mailbox complete the change this way.
    let by_code = json!({ "type": "email_change", "email": OLD, "token": to_old.code });
    assert_eq!(verify(&project, by_code.clone()).await.expect(200).json()["code"], "200");
    verify(&project, by_code).await.expect(403);
    assert_eq!(user(&project, &session).await["email"], OLD);
    let landing = project.get(&format!("/verify?type=email_change&token={}", to_new.hash)).send().await.expect(303);
    let code = landing.header("location").split_once("?code=").unwrap().1.to_owned();
    let exchange = json!({ "auth_code": code, "code_verifier": verifier });
    let exchanged = project.post("/token?grant_type=pkce", exchange).send().await.expect(200).json();
    assert_eq!(exchanged["user"]["email"], NEW);

    // By links only, and the first answers a message.
    app.clock.advance(2);
    let body = json!({ "email": OLD, "code_challenge": verifier, "code_challenge_method": "plain" });
    put(&project, &session, body).await.expect(200);
    let to_new = mail(&app, NEW).await;
    let landing = project.get(&format!("/verify?type=email_change&token={}", to_new.hash)).send().await.expect(303);
    assert!(landing.header("location").contains("?message=Confirmation"), "{}", landing.header("location"));
}

on_both!(settings_say_how_much_is_needed, settings_say_how_much_is_needed_on_postgres, settings);
async fn settings(app: TestApp) {
    let single = project(&app, json!({ "mailer_secure_email_change_enabled": false })).await;
    confirmed(&single, OLD).await;
    let session = single.sign_in(OLD).await;
    put(&single, &session, json!({ "email": NEW })).await.expect(200);
    let to_new = mail(&app, NEW).await;
    let body = json!({ "type": "email_change", "email": NEW, "token": to_new.code });
    assert_eq!(verify(&single, body).await.expect(200).json()["user"]["email"], NEW);

    // With autoconfirm permanent users are asked all the same, and either side will do.
    let config =
        json!({ "mailer_autoconfirm": true, "mailer_templates_email_change_content": "hash={{ .TokenHash }}|" });
    let auto = app.project("auto", config).await;
    let session = auto.sign_up("auto@example.com").await;
    let pending = put(&auto, &session, json!({ "email": "auto2@example.com" })).await.expect(200).json();
    assert_eq!(pending["email"], "auto@example.com");
    let to_old = mail(&app, "auto@example.com").await;
    let body = json!({ "type": "email_change", "token_hash": to_old.hash });
    assert_eq!(verify(&auto, body).await.expect(200).json()["user"]["email"], "auto2@example.com");
}

on_both!(a_new_request_begins_anew, a_new_request_begins_anew_on_postgres, anew);
async fn anew(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, OLD).await;
    let session = project.sign_in(OLD).await;
    put(&project, &session, json!({ "email": NEW })).await.expect(200);
    let soon = put(&project, &session, json!({ "email": "third@example.com" })).await.expect(429);
    assert_eq!(soon.error_code(), "over_email_send_rate_limit");
    let first = mail(&app, NEW).await;
    assert_eq!(mail(&app, OLD).await.kind, "email_change");
    let body = json!({ "type": "email_change", "email": NEW, "token": first.code });
    verify(&project, body.clone()).await.expect(200);
    app.clock.advance(2);
    put(&project, &session, json!({ "email": "third@example.com" })).await.expect(200);
    verify(&project, body).await.expect(403);
    let (third, old) = (mail(&app, "third@example.com").await, mail(&app, OLD).await);
    let body = json!({ "type": "email_change", "token_hash": old.hash });
    assert_eq!(verify(&project, body).await.expect(200).json()["code"], "200", "both sides are asked again");
    verify(&project, json!({ "type": "email_change", "token_hash": third.hash })).await.expect(200);
    assert_eq!(user(&project, &session).await["email"], "third@example.com");
}

on_both!(an_address_taken_meanwhile_is_a_conflict, an_address_taken_meanwhile_is_a_conflict_on_postgres, conflict);
async fn conflict(app: TestApp) {
    let project = project(&app, json!({ "mailer_secure_email_change_enabled": false })).await;
    confirmed(&project, OLD).await;
    let session = project.sign_in(OLD).await;
    put(&project, &session, json!({ "email": NEW })).await.expect(200);
    let letter = mail(&app, NEW).await;
    confirmed(&project, NEW).await;
    let refused = verify(&project, json!({ "type": "email_change", "token_hash": letter.hash })).await.expect(500);
    assert_eq!(refused.json()["msg"], "Error confirm email");
    let landing = project.get(&format!("/verify?type=email_change&token={}", letter.hash)).send().await.expect(303);
    assert!(landing.header("location").contains("error=server_error"));
    assert_eq!(user(&project, &session).await["email"], OLD);
    let taken = put(&project, &session, json!({ "email": NEW })).await.expect(422);
    assert_eq!(taken.error_code(), "email_exists");
}

on_both!(a_taken_address_looks_like_any_other, a_taken_address_looks_like_any_other_on_postgres, protected);
async fn protected(app: TestApp) {
    let project = project(&app, json!({ "security_enumeration_protection_enabled": true })).await;
    confirmed(&project, OLD).await;
    let owner = confirmed(&project, NEW).await;
    let session = project.sign_in(OLD).await;
    let answer = put(&project, &session, json!({ "email": NEW })).await.expect(200).json();
    assert_eq!((&answer["email"], &answer["new_email"]), (&json!(OLD), &json!(NEW)));
    // Whoever has the address learns of it, gets nothing that could complete the change, and cannot be robbed of it.
    let (to_owner, to_me) = (mail(&app, NEW).await, mail(&app, OLD).await);
    assert_eq!((to_owner.code.as_str(), to_owner.hash.as_str()), ("", ""));
    verify(&project, json!({ "type": "email_change", "token_hash": to_me.hash })).await.expect(200);
    let path = format!("/admin/users/{}", owner["id"].as_str().unwrap());
    assert_eq!(admin(&project, Method::GET, &path, json!({})).await.expect(200).json()["email"], NEW);
}

on_both!(a_guest_becomes_a_user, a_guest_becomes_a_user_on_postgres, guest);
async fn guest(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.post("/signup", json!({})).send().await.expect(200).json();
    let body = json!({ "email": NEW, "password": "correct horse" });
    let pending = put(&project, &session, body).await.expect(200).json();
    assert_eq!(
        (&pending["email"], &pending["new_email"], &pending["is_anonymous"]),
        (&json!(""), &json!(NEW), &json!(true))
    );
    let letter = mail(&app, NEW).await;
    let body = |code: &str| json!({ "type": "email_change", "email": NEW, "token": code });
    verify(&project, body(&wrong(&letter.code))).await.expect(403);
    let upgraded = verify(&project, body(&letter.code)).await.expect(200).json();
    assert_eq!(upgraded["user"]["is_anonymous"], false);
    assert_eq!(upgraded["user"]["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));
    assert_eq!(upgraded["user"]["user_metadata"], json!({ "email_verified": true }));
    // The guest's session goes on as the user's.
    let refreshed = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    assert_eq!(refreshed["user"]["email"], NEW);
    project.sign_in(NEW).await;

    let auto = app.project("auto", json!({ "external_anonymous_users_enabled": true })).await;
    let session = auto.post("/signup", json!({})).send().await.expect(200).json();
    let made = put(&auto, &session, json!({ "email": NEW })).await.expect(200).json();
    assert_eq!(
        (&made["email"], &made["is_anonymous"], &made["app_metadata"]),
        (&json!(NEW), &json!(false), &json!({}))
    );
    assert!(made.get("confirmed_at").is_none());
    let second = auto.post("/signup", json!({})).send().await.expect(200).json();
    let taken = put(&auto, &second, json!({ "email": NEW })).await.expect(422);
    assert_eq!(taken.error_code(), "email_exists");
}
