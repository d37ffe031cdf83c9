//! Limits per client address.

use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

on_both!(thirty_guesses_from_one_address_pass, thirty_guesses_from_one_address_pass_on_postgres, thirty);
async fn thirty(app: TestApp) {
    let project = app.project("limits", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let guess = |address: &str| {
        let body = json!({ "email": "a@example.com", "password": "a guess" });
        project.post("/token?grant_type=password", body).header("x-forwarded-for", address).send()
    };
    for _ in 0..30 {
        guess("192.0.2.7").await.expect(400);
    }
    let refused = guess("192.0.2.7").await.expect(429);
    assert_eq!(refused.error_code(), "over_request_rate_limit");
    guess("192.0.2.8").await.expect(400);

    // A genuine refresh token is no guess, an invented one is.
    let refresh = |token: &serde_json::Value| project.refresh(token).header("x-forwarded-for", "192.0.2.7").send();
    refresh(&session["refresh_token"]).await.expect(200);
    refresh(&json!("abcdefghijkl")).await.expect(429);

    // The bucket fills again: 150 in five minutes.
    app.clock.advance(2);
    guess("192.0.2.7").await.expect(400);
    guess("192.0.2.7").await.expect(429);
}

on_both!(every_endpoint_has_buckets_of_its_own, every_endpoint_has_buckets_of_its_own_on_postgres, own_buckets);
async fn own_buckets(app: TestApp) {
    let settings = json!({ "external_anonymous_users_enabled": true, "rate_limit_anonymous_users": 3 });
    let project = app.project("limits", settings).await;
    let verify = json!({ "type": "signup", "email": "a@example.com", "token": "123456" });
    for (path, body, bucket) in [
        ("/signup", json!({ "email": "not an address", "password": "correct horse" }), 30),
        ("/signup", json!({}), 3),
        ("/otp", json!({}), 30),
        ("/magiclink", json!({}), 30),
        ("/recover", json!({}), 30),
        ("/resend", json!({}), 30),
        ("/verify", verify, 30),
    ] {
        let ask = |address: &str| project.post(path, body.clone()).header("x-forwarded-for", address).send();
        for _ in 0..bucket {
            assert_ne!(ask("2001:db8::1").await.status.as_u16(), 429, "{path} {body}");
        }
        let refused = ask("2001:db8::2").await.expect(429);
        assert_eq!((refused.error_code().as_str(), refused.header("retry-after")), ("over_request_rate_limit", ""));
        assert_eq!(refused.json()["msg"], "Request rate limit reached");
        assert_ne!(ask("2001:db8:0:1::1").await.status.as_u16(), 429, "{path}: another network");
        // Without an address there is nobody to count.
        assert_ne!(project.post(path, body.clone()).send().await.status.as_u16(), 429, "{path}");
    }
}

on_both!(gateways_share_the_hourly_limits, gateways_share_the_hourly_limits_on_postgres, hourly);
async fn hourly(app: TestApp) {
    let settings = json!({
        "mailer_autoconfirm": false,
        "sms_autoconfirm": false,
        "external_phone_enabled": true,
        "rate_limit_email_sent": 3,
        "rate_limit_sms_sent": 3,
        "sms_test_otp": "15559999999=123456",
    });
    let settings = crate::hooks::config(&["send_sms"], settings);
    let project = app.project("limits", settings).await;
    let sibling = app.sibling().await;
    let gateways = [&project, &sibling.through(&project)];
    let mail = |gateway: usize, number: usize| {
        let body = json!({ "email": format!("{number}@example.com"), "password": "correct horse" });
        gateways[gateway % 2].post("/signup", body).send()
    };
    let sms = |gateway: usize, phone: String| {
        gateways[gateway % 2].post("/signup", json!({ "phone": phone, "password": "correct horse" })).send()
    };
    // A number with a fixed code gets no message.
    sms(0, "15559999999".to_owned()).await.expect(200);
    for number in 0..3 {
        mail(number, number).await.expect(200);
        sms(number, format!("1555000000{number}")).await.expect(200);
    }
    for gateway in 0..2 {
        let refused = mail(gateway, 7).await.expect(429);
        let message = refused.json()["msg"].clone();
        assert_eq!(
            (refused.error_code().as_str(), message),
            ("over_email_send_rate_limit", json!("email rate limit exceeded"))
        );
        let refused = sms(gateway, "15550000007".to_owned()).await.expect(429);
        let message = refused.json()["msg"].clone();
        assert_eq!(
            (refused.error_code().as_str(), message),
            ("over_sms_send_rate_limit", json!("SMS rate limit exceeded"))
        );
    }
    assert!(!app.stored_text().await.contains("7@example.com"));
    app.clock.advance(3601);
    mail(0, 7).await.expect(200);
    sms(1, "15550000007".to_owned()).await.expect(200);
}

on_both!(confirming_without_messages_spends_none, confirming_without_messages_spends_none_on_postgres, unlimited);
async fn unlimited(app: TestApp) {
    let project = app.project("limits", json!({ "mailer_autoconfirm": true, "rate_limit_email_sent": 1 })).await;
    for name in ["a", "b", "c"] {
        let email = format!("{name}@example.com");
        project.sign_up(&email).await;
        project.post("/recover", json!({ "email": email })).send().await.expect(200);
    }
}

on_both!(windows_of_attempts_are_kept_per_contact, windows_of_attempts_are_kept_per_contact_on_postgres, windows);
async fn windows(app: TestApp) {
    let settings = json!({
        "rate_limit_recovery_per_email": 3,
        "rate_limit_recovery_window": 3600,
        "rate_limit_otp_request_per_email": 2,
        "rate_limit_otp_request_window": 900,
        "rate_limit_sign_up_per_ip": 2,
        "rate_limit_sign_up_window": 3600,
    });
    let project = app.project("limits", settings).await;
    let code = "over_email_send_rate_limit";
    for (path, allowed, wait) in [("/recover", 3, 3600), ("/resend", 3, 3600), ("/otp", 2, 900), ("/magiclink", 0, 900)]
    {
        let ask = |email: &str| {
            let body = json!({ "email": email, "type": "signup", "create_user": false });
            project.post(path, body).send()
        };
        for _ in 0..allowed {
            assert_ne!(ask("nobody@example.com").await.status.as_u16(), 429, "{path}");
        }
        let refused = ask("Nobody@example.com").await.expect(429);
        assert_eq!((refused.error_code().as_str(), refused.header("retry-after")), (code, wait.to_string().as_str()));
        let message = format!("For security purposes, you can only request this after {wait} seconds.");
        assert_eq!(refused.json()["msg"], message, "{path}");
        assert_ne!(ask("other@example.com").await.status.as_u16(), 429, "{path}");
    }
    let sign_up = |name: &str, password: &str| {
        let body = json!({ "email": format!("{name}@example.com"), "password": password });
        project.post("/signup", body).header("x-forwarded-for", "192.0.2.7").send()
    };
    sign_up("weak", "x").await.expect(422);
    sign_up("a", "correct horse").await.expect(200);
    sign_up("b", "correct horse").await.expect(200);
    let refused = sign_up("c", "correct horse").await.expect(429);
    assert_eq!((refused.error_code().as_str(), refused.header("retry-after")), ("over_request_rate_limit", "3600"));
}

on_both!(limits_of_second_factors_can_be_raised, limits_of_second_factors_can_be_raised_on_postgres, raised);
async fn raised(app: TestApp) {
    let unknown = uuid::Uuid::nil();
    for (name, config, factors, passkeys) in [
        ("as-ever", json!({}), (30, 4), (30, 10)),
        ("raised", json!({ "rate_limit_mfa_challenge_and_verify": 300, "rate_limit_passkey": 200 }), (60, 1), (40, 3)),
    ] {
        let mut config = config;
        let also = json!({
            "passkey_enabled": true, "webauthn_rp_id": "localhost", "webauthn_rp_display_name": "Example",
            "webauthn_rp_origins": "http://localhost:3000",
        });
        config.as_object_mut().unwrap().extend(also.as_object().cloned().unwrap());
        let project = app.project(name, config).await;
        let session = project.sign_up("a@example.com").await;
        let own = crate::letters::access(&session);
        let body = json!({ "factor_type": "totp", "friendly_name": "app" });
        let made = project.post("/factors", body).bearer(own).send().await.expect(200).json();
        let factor = made["id"].as_str().unwrap();
        let challenge = format!("/factors/{factor}/challenge");
        let verify = format!("/factors/{factor}/verify");
        let answer = json!({ "challenge_id": unknown, "code": "123456" });
        for (path, body, (burst, seconds)) in [
            (challenge.as_str(), json!({}), factors),
            (verify.as_str(), answer, factors),
            ("/passkeys/authentication/options", json!({}), passkeys),
        ] {
            let ask = || project.post(path, body.clone()).bearer(own).header("x-forwarded-for", "192.0.2.7").send();
            for _ in 0..burst {
                assert_ne!(ask().await.status.as_u16(), 429, "{name} {path}");
            }
            assert_eq!(ask().await.expect(429).error_code(), "over_request_rate_limit", "{name} {path}");
            app.clock.advance(seconds);
            assert_ne!(ask().await.status.as_u16(), 429, "{name} {path}: it fills again");
        }
    }
}
