//! What is checked before a body is decoded.

use http::Method;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

on_both!(broken_bodies_take_from_the_bucket, broken_bodies_take_from_the_bucket_on_postgres, counted);
async fn counted(app: TestApp) {
    let project = app.project("first", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let token = session["access_token"].as_str().unwrap();
    for (number, (method, path)) in [
        (Method::POST, "/otp"),
        (Method::POST, "/magiclink"),
        (Method::POST, "/recover"),
        (Method::POST, "/resend"),
        (Method::POST, "/verify"),
        (Method::PUT, "/user"),
        (Method::POST, "/token?grant_type=password"),
        (Method::POST, "/token?grant_type=refresh_token"),
        (Method::POST, "/token?grant_type=pkce"),
    ]
    .into_iter()
    .enumerate()
    {
        let ask = |body: &'static str| {
            let address = format!("192.0.2.{number}");
            project.ask(method.clone(), path).raw(body).bearer(token).header("x-forwarded-for", &address).send()
        };
        for _ in 0..15 {
            assert_eq!(ask("{").await.expect(400).error_code(), "bad_json", "{path}");
            assert_eq!(
                ask(r#"{"email":5,"refresh_token":5,"auth_code":5}"#).await.expect(400).error_code(),
                "bad_json"
            );
        }
        assert_eq!(ask("{").await.expect(429).error_code(), "over_request_rate_limit", "{path}");
        assert_eq!(ask("{}").await.status, 429, "{path}");
    }
    // A genuine refresh token is no guess.
    project.refresh(&session["refresh_token"]).header("x-forwarded-for", "192.0.2.7").send().await.expect(200);
    // Nobody's broken body is told of limits before his token.
    let ask = project.ask(Method::PUT, "/user").raw("{").header("x-forwarded-for", "192.0.2.5");
    assert_eq!(ask.send().await.expect(401).error_code(), "no_authorization");
}

on_both!(switches_come_before_the_body_of_a_link, switches_come_before_the_body_of_a_link_on_postgres, switches);
async fn switches(app: TestApp) {
    for (number, off) in ["external_email_enabled", "external_email_magic_link_enabled"].into_iter().enumerate() {
        let project = app.project(&format!("off-{number}"), json!({ off: false })).await;
        let ask = || project.ask(Method::POST, "/magiclink").raw("{");
        assert_eq!(ask().send().await.expect(422).error_code(), "email_provider_disabled", "{off}");
        let captcha = json!({
            off: false,
            "security_captcha_enabled": true,
            "security_captcha_provider": "turnstile",
            "security_captcha_secret": "captcha-secret",
        });
        let project = app.project(&format!("off-{number}-captcha"), captcha).await;
        let answer = project.ask(Method::POST, "/magiclink").raw("{").send().await;
        assert_eq!(answer.expect(400).error_code(), "bad_json", "{off}");
    }
}

on_both!(a_captcha_has_to_be_read, a_captcha_has_to_be_read_on_postgres, captcha);
async fn captcha(app: TestApp) {
    let settings = json!({
        "security_captcha_enabled": true,
        "security_captcha_provider": "turnstile",
        "security_captcha_secret": "captcha-secret",
    });
    let project = app.project("first", settings).await;
    let open = app.project("open", json!({})).await;
    for path in [
        "/signup",
        "/otp",
        "/magiclink",
        "/recover",
        "/resend",
        "/token?grant_type=password",
        "/token?grant_type=web3",
        "/token",
    ] {
        for body in ["{", r#"{"gotrue_meta_security":5}"#, r#"{"gotrue_meta_security":{"captcha_token":5}}"#] {
            let answer = project.ask(Method::POST, path).raw(body).send().await;
            assert_eq!(answer.expect(400).error_code(), "bad_json", "{path} {body}");
        }
        let answer = open.ask(Method::POST, path).raw(r#"{"gotrue_meta_security":5}"#).send().await;
        assert_ne!(answer.error_code(), "bad_json", "{path}: without a captcha nobody reads it");
    }
    for grant in ["refresh_token", "pkce", "id_token"] {
        let answer = project.post(&format!("/token?grant_type={grant}"), json!({})).send().await;
        assert_ne!(answer.expect(400).error_code(), "captcha_failed", "{grant}");
    }
}
