//! Passwords: sign-in, change, and what a taken address answers.

use http::Method;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

on_both!(a_changed_password_ends_the_other_sessions, a_changed_password_ends_the_other_sessions_on_postgres, change);
async fn change(app: TestApp) {
    let project = app.project("password", json!({})).await;
    let mine = project.sign_up("a@example.com").await;
    let other = project.sign_in("a@example.com").await;
    let access = mine["access_token"].as_str().unwrap();
    let new = json!({ "password": "battery staple" });
    project.ask(Method::PUT, "/user").bearer(access).json(&new).send().await.expect(200);
    project.get("/user").bearer(access).send().await.expect(200);
    project.get("/user").bearer(other["access_token"].as_str().unwrap()).send().await.expect(403);
    project.refresh(&other["refresh_token"]).send().await.expect(400);
    let old = json!({ "email": "a@example.com", "password": "correct horse" });
    project.post("/token?grant_type=password", old).send().await.expect(400);
}

on_both!(an_adopted_hash_is_replaced_at_sign_in, an_adopted_hash_is_replaced_at_sign_in_on_postgres, adopted);
async fn adopted(app: TestApp) {
    let project = app.project("password", json!({})).await;
    // bcrypt of "correct horse", cost 4.
    let hash = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
    let body = json!({ "email": "a@example.com", "password_hash": hash, "email_confirm": true });
    project.post("/admin/users", body).bearer(&project.service_role_key).send().await.expect(200);
    let wrong = json!({ "email": "a@example.com", "password": "wrong" });
    project.post("/token?grant_type=password", wrong).send().await.expect(400);
    assert!(app.stored_text().await.contains(hash));
    project.sign_in("a@example.com").await;
    let stored = app.stored_text().await;
    assert!(!stored.contains(hash) && stored.contains("$argon2id$v=19$m=19456,t=2,p=1$"));
    project.sign_in("a@example.com").await;
}

on_both!(unicode_letters_are_not_folded, unicode_letters_are_not_folded_on_postgres, folding);
async fn folding(app: TestApp) {
    let project = app.project("password", json!({})).await;
    project.sign_up("kim@example.com").await;
    let kelvin = json!({ "email": "\u{212a}im@example.com", "password": "correct horse" });
    project.post("/token?grant_type=password", kelvin.clone()).send().await.expect(400);
    project.post("/signup", kelvin).send().await.expect(400);
}

on_both!(a_taken_address_gets_no_session, a_taken_address_gets_no_session_on_postgres, taken);
async fn taken(app: TestApp) {
    let project = app.project("password", json!({})).await;
    // Made by an admin and never confirmed: a sign-up proves nothing about it.
    let made = json!({ "email": "a@example.com", "password": "of the owner" });
    project.post("/admin/users", made).bearer(&project.service_role_key).send().await.expect(200);
    let attacker = json!({ "email": "a@example.com", "password": "of the attacker" });
    let refused = project.post("/signup", attacker).send().await.expect(422);
    assert_eq!(refused.error_code(), "user_already_exists");
    let owner = json!({ "email": "a@example.com", "password": "of the owner" });
    let session = project.post("/signup", owner).send().await.expect(200).json();
    assert!(session["access_token"].is_string());
}
