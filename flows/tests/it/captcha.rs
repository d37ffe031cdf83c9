//! The captcha check in front of what strangers can do.

use outbound::captcha::{CaptchaError, Verdict};
use serde_json::{Value, json};
use testkit::TestApp;

use crate::both::on_both;

fn settings(others: Value) -> Value {
    let mut settings = json!({
        "security_captcha_enabled": true,
        "security_captcha_provider": "turnstile",
        "security_captcha_secret": "captcha-secret",
    });
    settings.as_object_mut().unwrap().extend(others.as_object().cloned().unwrap());
    settings
}

fn body(token: &str) -> Value {
    json!({
        "email": "a@example.com",
        "password": "correct horse",
        "gotrue_meta_security": { "captcha_token": token },
    })
}

on_both!(without_a_token_nobody_passes, without_a_token_nobody_passes_on_postgres, without);
async fn without(app: TestApp) {
    let project = app.project("captcha", settings(json!({ "external_anonymous_users_enabled": true }))).await;
    let bare = json!({ "email": "a@example.com", "password": "correct horse", "type": "signup" });
    let message = "captcha protection: request disallowed (no captcha_token found)";
    for path in [
        "/signup",
        "/token?grant_type=password",
        "/token?grant_type=no_such_grant",
        "/token",
        "/otp",
        "/magiclink",
        "/recover",
        "/resend",
    ] {
        for body in [bare.clone(), body("  ")] {
            let refused = project.post(path, body).bearer(&project.anon_key).send().await.expect(400);
            assert_eq!(
                (refused.error_code().as_str(), &refused.json()["msg"]),
                ("captcha_failed", &json!(message)),
                "{path}"
            );
        }
    }
    project.post("/signup", json!({})).send().await.expect(400);
    assert!(app.captcha.asked().is_empty());
    // Whoever holds a token of ours has passed before.
    let refresh = project.refresh(&json!("abcdefghijkl")).send().await.expect(400);
    assert_eq!(refresh.error_code(), "refresh_token_not_found");
    let exchange = json!({ "auth_code": "x", "code_verifier": "y" });
    project.post("/token?grant_type=pkce", exchange).send().await.expect(404);
}

on_both!(the_provider_decides, the_provider_decides_on_postgres, decides);
async fn decides(app: TestApp) {
    let project = app.project("captcha", settings(json!({}))).await;
    let sign_up = || project.post("/signup", body(" a-token ")).header("x-forwarded-for", "192.0.2.7").send();
    let codes = vec!["timeout-or-duplicate".to_owned(), "bad-request".to_owned()];
    app.captcha.reply_next(Ok(Verdict { error_codes: codes, ..Verdict::default() }));
    let refused = sign_up().await.expect(400);
    let message = "captcha protection: request disallowed (timeout-or-duplicate, bad-request)";
    assert_eq!((refused.error_code().as_str(), &refused.json()["msg"]), ("captcha_failed", &json!(message)));
    // Who cannot be asked lets nobody pass.
    app.captcha.reply_next(Err(CaptchaError::NoVerdict));
    let refused = sign_up().await.expect(500);
    assert_eq!(refused.json()["msg"], "captcha verification process failed");
    sign_up().await.expect(200);
    let asked = app.captcha.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!((asked[0].token.as_str(), asked[0].remote_ip.as_deref()), ("a-token", Some("192.0.2.7")));

    // Administrators are not asked; of a user's token that is not true.
    let session = project.post("/token?grant_type=password", body("a-token")).send().await.expect(200).json();
    let bare = json!({ "email": "b@example.com", "password": "correct horse" });
    project.post("/signup", bare.clone()).bearer(session["access_token"].as_str().unwrap()).send().await.expect(400);
    project.post("/signup", bare).bearer(&project.service_role_key).send().await.expect(200);
    assert_eq!(app.captcha.asked().len(), 4);
}

on_both!(a_token_of_another_site_does_not_count, a_token_of_another_site_does_not_count_on_postgres, elsewhere);
async fn elsewhere(app: TestApp) {
    let sites = json!({ "security_captcha_hostnames": "app.example.com,www.example.com" });
    let project = app.project("captcha", settings(sites)).await;
    let solved_at = |hostname: Option<&str>| {
        let hostname = hostname.map(str::to_owned);
        app.captcha.reply_next(Ok(Verdict { success: true, hostname, ..Verdict::default() }));
        project.post("/signup", body("a-token")).send()
    };
    for hostname in [Some("evil.example"), None] {
        let refused = solved_at(hostname).await.expect(400);
        let message = "captcha protection: request disallowed (hostname-mismatch)";
        assert_eq!((refused.error_code().as_str(), &refused.json()["msg"]), ("captcha_failed", &json!(message)));
    }
    solved_at(Some("www.example.com")).await.expect(200);
}

on_both!(
    limits_and_captcha_come_in_the_contracts_order,
    limits_and_captcha_come_in_the_contracts_order_on_postgres,
    order
);
async fn order(app: TestApp) {
    let project = app.project("captcha", settings(json!({}))).await;
    for (path, limit_first) in [
        ("/signup", false),
        ("/token?grant_type=password", false),
        ("/otp", true),
        ("/magiclink", true),
        ("/recover", true),
        ("/resend", true),
    ] {
        let bare = json!({ "email": "a@example.com", "password": "correct horse", "type": "signup" });
        let ask = || project.post(path, bare.clone()).header("x-forwarded-for", "192.0.2.7").send();
        for _ in 0..30 {
            ask().await.expect(400);
        }
        ask().await.expect(if limit_first { 429 } else { 400 });
    }
}
