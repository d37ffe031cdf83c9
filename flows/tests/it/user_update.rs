//! Changing one's own account: password, nonce, metadata.

use http::Method;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;
use crate::letters::{access, admin, confirmed, mail, project, put, sms_code, verify, wrong};
use crate::mails::{confirmed_user, one};

const ADDRESS: &str = "a@example.com";

on_both!(an_old_session_needs_a_nonce, an_old_session_needs_a_nonce_on_postgres, nonce);
async fn nonce(app: TestApp) {
    let project = project(&app, json!({ "security_update_password_require_reauthentication": true })).await;
    confirmed(&project, ADDRESS).await;
    let fresh = project.sign_in(ADDRESS).await;
    put(&project, &fresh, json!({ "password": "battery staple" })).await.expect(200);
    app.clock.advance(86_401);
    let session = project.refresh(&fresh["refresh_token"]).send().await.expect(200).json();
    let change = |nonce: &str| put(&project, &session, json!({ "password": "paper clip 42", "nonce": nonce }));
    assert_eq!(change("").await.expect(400).error_code(), "reauthentication_needed");
    assert_eq!(change("123456").await.expect(422).error_code(), "reauthentication_not_valid");
    let ask = || project.get("/reauthenticate").bearer(access(&session)).send();
    ask().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    for _ in 0..9 {
        change(&wrong(&letter.code)).await.expect(422);
    }
    change(&letter.code).await.expect(200);
    // Once.
    let again = put(&project, &session, json!({ "password": "third time lucky", "nonce": letter.code })).await;
    assert_eq!(again.expect(422).error_code(), "reauthentication_not_valid");

    ask().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    for _ in 0..10 {
        change(&wrong(&letter.code)).await.expect(422);
    }
    change(&letter.code).await.expect(422);

    // Used up even if the change is refused, and with it every other code.
    app.clock.advance(2);
    ask().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    assert_eq!(change(&letter.code).await.expect(422).error_code(), "same_password");
    let other = put(&project, &session, json!({ "password": "third time lucky", "nonce": letter.code })).await;
    other.expect(422);
}

on_both!(
    a_nonce_comes_by_sms_where_there_is_no_address,
    a_nonce_comes_by_sms_where_there_is_no_address_on_postgres,
    by_sms
);
async fn by_sms(app: TestApp) {
    let project = project(&app, json!({ "security_update_password_require_reauthentication": true })).await;
    let phone = json!({ "phone": "15550001111", "phone_confirm": true, "password": "correct horse" });
    admin(&project, Method::POST, "/admin/users", phone).await.expect(200);
    let grant = json!({ "phone": "15550001111", "password": "correct horse" });
    let session = project.post("/token?grant_type=password", grant).send().await.expect(200).json();
    app.clock.advance(86_401);
    let session = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    project.get("/reauthenticate").bearer(access(&session)).send().await.expect(200);
    let body = json!({ "password": "battery staple", "nonce": sms_code(&app) });
    put(&project, &session, body).await.expect(200);
}

on_both!(the_current_password_is_asked_for, the_current_password_is_asked_for_on_postgres, current);
async fn current(app: TestApp) {
    let project = project(&app, json!({ "security_update_password_require_current_password": true })).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    let change =
        |current| put(&project, &session, json!({ "password": "battery staple", "current_password": current }));
    assert_eq!(change(json!(null)).await.expect(400).error_code(), "current_password_required");
    assert_eq!(change(json!("wrong one")).await.expect(400).error_code(), "current_password_invalid");
    change(json!("correct horse")).await.expect(200);
    // Who came by mail does not know it.
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let by_mail = verify(&project, json!({ "type": "recovery", "token_hash": letter.hash })).await.expect(200).json();
    put(&project, &by_mail, json!({ "password": "paper clip 42" })).await.expect(200);
}

on_both!(a_new_password_kills_every_code, a_new_password_kills_every_code_on_postgres, kills);
async fn kills(app: TestApp) {
    let project = project(&app, json!({ "mailer_notifications_password_changed_enabled": true })).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    let weak = put(&project, &session, json!({ "password": "" })).await.expect(422);
    assert_eq!(weak.error_code(), "weak_password");
    assert_eq!(
        put(&project, &session, json!({ "password": "correct horse" })).await.expect(422).error_code(),
        "same_password"
    );
    put(&project, &session, json!({ "email": "new@example.com" })).await.expect(200);
    let pending = mail(&app, "new@example.com").await;
    assert_eq!(mail(&app, ADDRESS).await.kind, "email_change");
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let recovery = mail(&app, ADDRESS).await;
    let changed = put(&project, &session, json!({ "password": "battery staple" })).await.expect(200).json();
    assert_eq!(changed["new_email"], "new@example.com");
    assert!(changed.get("recovery_sent_at").is_none());
    verify(&project, json!({ "type": "email_change", "token_hash": pending.hash })).await.expect(403);
    verify(&project, json!({ "type": "recovery", "email": ADDRESS, "token": recovery.code })).await.expect(403);
    mail(&app, ADDRESS).await;
}

on_both!(a_failing_message_changes_nothing, a_failing_message_changes_nothing_on_postgres, fails);
async fn fails(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    app.sms.fail_next("no such route");
    let body = json!({ "phone": "15550001111", "password": "battery staple", "data": { "a": 1 } });
    put(&project, &session, body).await.expect(422);
    let user = project.get("/user").bearer(access(&session)).send().await.expect(200).json();
    assert!(user.get("new_phone").is_none());
    assert!(user["user_metadata"].get("a").is_none());
    project.sign_in(ADDRESS).await;
}

on_both!(challenges_of_a_change_are_taken_as_they_are, challenges_of_a_change_are_taken_on_postgres, challenges);
async fn challenges(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    let change = |challenge: &str, method: &str| {
        let body = json!({ "email": "new@example.com", "code_challenge": challenge, "code_challenge_method": method });
        put(&project, &session, body)
    };
    for (challenge, method, status, pkce) in [
        ("short", "plain", 200, true),
        ("", "nonsense", 200, false),
        ("", "s256", 200, false),
        ("short", "", 500, false),
        ("short", "nonsense", 500, false),
    ] {
        app.clock.advance(2);
        let answer = change(challenge, method).await.expect(status);
        if status == 500 {
            let generic = "Unexpected failure, please check server logs for more information";
            assert_eq!(answer.json(), json!({ "code": 500, "error_code": "unexpected_failure", "msg": generic }));
        } else {
            assert_eq!(mail(&app, "new@example.com").await.hash.starts_with("pkce_"), pkce, "{challenge} {method}");
        }
    }
    // Where no address changes nobody looks at them.
    let body = json!({ "data": {}, "code_challenge": "short", "code_challenge_method": "nonsense" });
    put(&project, &session, body).await.expect(200);
}

on_both!(a_new_password_ends_the_cool_down, a_new_password_ends_the_cool_down_on_postgres, cool_down);
async fn cool_down(app: TestApp) {
    let project = project(&app, json!({ "smtp_max_frequency": 60, "sms_max_frequency": 60 })).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    put(&project, &session, json!({ "email": "new@example.com", "phone": "15550001111" })).await.expect(200);
    for contact in [json!({ "email": "other@example.com" }), json!({ "phone": "15550002222" })] {
        put(&project, &session, contact).await.expect(429);
    }
    let body = json!({ "email": "other@example.com", "phone": "15550002222", "password": "battery staple" });
    let pending = put(&project, &session, body).await.expect(200).json();
    assert_eq!((&pending["new_email"], &pending["new_phone"]), (&json!("other@example.com"), &json!("15550002222")));
    let letter = mail(&app, "other@example.com").await;
    verify(&project, json!({ "type": "email_change", "token_hash": letter.hash })).await.expect(200);
    // It began anew.
    put(&project, &session, json!({ "email": "third@example.com" })).await.expect(429);
}

on_both!(the_audience_narrows_what_is_taken, the_audience_narrows_what_is_taken_on_postgres, audience);
async fn audience(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let body = json!({ "email": "theirs@example.com", "aud": "other", "email_confirm": true });
    admin(&project, Method::POST, "/admin/users", body).await.expect(200);
    let session = project.sign_in(ADDRESS).await;
    let change = |aud: &str| {
        let ask = project.ask(Method::PUT, "/user").bearer(access(&session)).header("x-jwt-aud", aud);
        ask.json(&json!({ "email": "theirs@example.com" })).send()
    };
    assert_eq!(change("other").await.expect(422).error_code(), "email_exists");
    change("").await.expect(200);
}

on_both!(a_taken_contact_is_not_told, a_taken_contact_is_not_told_on_postgres, taken);
async fn taken(app: TestApp) {
    let config = json!({ "security_enumeration_protection_enabled": true, "jwt_exp": 604_800 });
    let project = project(&app, config).await;
    confirmed(&project, ADDRESS).await;
    let owner = json!({ "email": "owner@example.com", "phone": "15550001111", "phone_confirm": true });
    confirmed_user(&project, owner).await;
    let session = project.sign_in(ADDRESS).await;
    let body = json!({ "email": "owner@example.com", "phone": "15550001111" });
    let pending = put(&project, &session, body).await.expect(200).json();
    assert_eq!((&pending["new_email"], &pending["new_phone"]), (&json!("owner@example.com"), &json!("15550001111")));
    assert!(app.sms.sent().is_empty());
    for _ in 0..2 {
        let told = one(&app, "owner@example.com").await;
        assert!(told.html.contains("You already have an account"), "{}", told.html);
        assert_eq!((told.code.as_str(), told.hash.as_str(), told.link.contains("/verify")), ("", "", false));
        // The other side gets what it always gets; it completes nothing.
        let own = one(&app, ADDRESS).await;
        verify(&project, json!({ "type": "email_change", "token_hash": own.hash })).await.expect(200);
        let again = json!({ "type": "email_change", "email": ADDRESS, "token": own.code });
        verify(&project, again).await.expect(403);
        app.clock.advance(3600);
        let resend = json!({ "type": "email_change", "email": ADDRESS });
        project.post("/resend", resend).send().await.expect(200);
    }
    let resend = json!({ "type": "phone_change", "phone": "15550001111" });
    project.post("/resend", resend).send().await.expect(200);
    assert!(app.sms.sent().is_empty());
    // What is free is changed as ever.
    app.clock.advance(2);
    put(&project, &session, json!({ "email": "new@example.com", "phone": "15550002222" })).await.expect(200);
    let code = sms_code(&app);
    let body = json!({ "type": "phone_change", "phone": "15550002222", "token": code });
    verify(&project, body).await.expect(200);
}
