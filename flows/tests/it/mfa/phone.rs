//! Codes by SMS.

use futures::future::join_all;
use outbound::hooks::HookError;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use super::{ADDRESS, app_of, challenge, challenged, enroll, enrolled, project, text, user, verify};
use crate::both::on_both;
use crate::hooks::{self, claims};
use crate::letters::{access, sms_code, wrong};

const NUMBER: &str = "15550000001";

async fn phone_of(project: &TestProject, session: &Value) -> String {
    let body = json!({ "factor_type": "phone", "friendly_name": "phone", "phone": format!("+{NUMBER}") });
    enrolled(project, session, body).await
}

on_both!(a_code_by_sms_raises_a_session, a_code_by_sms_raises_a_session_on_postgres, raises);
async fn raises(app: TestApp) {
    let project = project(&app, json!({ "mfa_phone_template": "{{ .Code }} is it", "mfa_phone_otp_length": 8 })).await;
    let session = project.sign_up(ADDRESS).await;
    let body = json!({ "factor_type": "phone", "friendly_name": "p", "phone": format!("+1 {}", &NUMBER[1..]) });
    let made = enroll(&project, &session, body).await.expect(200).json();
    assert_eq!(text(&made["phone"]), format!("+1 {}", &NUMBER[1..]));
    let factor = text(&made["id"]);
    assert_eq!(user(&project, &session).await["factors"][0]["phone"], NUMBER);

    let bare = project.post(&format!("/factors/{factor}/challenge"), json!({})).raw("").bearer(access(&session));
    assert_eq!(bare.send().await.expect(400).error_code(), "bad_json");
    let body = json!({ "channel": "carrier_pigeon" });
    let refused = project.post(&format!("/factors/{factor}/challenge"), body).bearer(access(&session)).send().await;
    assert_eq!(refused.expect(400).error_code(), "validation_failed");
    assert!(app.sms.sent().is_empty());

    let id = challenged(&project, &session, &factor).await;
    let sent = app.sms.sent();
    let code = sms_code(&app);
    assert_eq!((sent.len(), sent[0].phone.as_str(), code.len()), (1, NUMBER, 8));
    assert_eq!(sent[0].body.expose(), &format!("{code} is it"));
    assert!(!app.stored_text().await.contains(&code), "a code lies in the database");
    for bad in [wrong(&code), format!("{code} ")] {
        let refused = verify(&project, &session, &factor, &id, &bad).send().await.expect(422);
        assert_eq!(refused.error_code(), "mfa_verification_failed");
    }
    let raised = verify(&project, &session, &factor, &id, &code).send().await.expect(200).json();
    let amr: Vec<_> =
        claims(&app, &project, &raised)["amr"].as_array().unwrap().iter().map(|entry| text(&entry["method"])).collect();
    assert!(amr.contains(&"mfa/phone".to_owned()), "{amr:?}");
    let again = verify(&project, &raised, &factor, &id, &code).send().await.expect(422);
    assert_eq!(again.error_code(), "mfa_ip_address_mismatch");

    // The number has its factor now.
    let body = json!({ "factor_type": "phone", "friendly_name": "other", "phone": NUMBER });
    assert_eq!(enroll(&project, &raised, body).await.expect(422).error_code(), "mfa_verified_factor_exists");
}

on_both!(messages_keep_their_distance, messages_keep_their_distance_on_postgres, pace);
async fn pace(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let factor = phone_of(&project, &session).await;
    let other = json!({ "factor_type": "phone", "friendly_name": "other", "phone": "15550000002" });
    let other = enrolled(&project, &session, other).await;
    challenged(&project, &session, &factor).await;
    app.clock.advance(2);
    let refused = challenge(&project, &session, &factor).send().await.expect(429);
    assert_eq!(refused.error_code(), "over_sms_send_rate_limit");
    assert_eq!(refused.json()["msg"], "For security purposes, you can only request this after 3 seconds.");
    challenged(&project, &session, &other).await;
    app.clock.advance(3);
    challenged(&project, &session, &factor).await;
    assert_eq!(app.sms.sent().len(), 3);
}

on_both!(challenges_at_once_send_one_message, challenges_at_once_send_one_message_on_postgres, one_message);
async fn one_message(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    let session = project.sign_up(ADDRESS).await;
    let factor = phone_of(&project, &session).await;
    for gateways in [[&project, &project], [&project, &elsewhere]] {
        let asks = (0..20).map(|n| challenge(gateways[n % 2], &session, &factor).send());
        let answers = join_all(asks).await;
        let made = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((made, app.sms.take().len() + sibling.sms.take().len()), (1, 1));
        assert!(answers.iter().all(|answer| [200, 429].contains(&answer.status.as_u16())));
        app.clock.advance(5);
    }
}

on_both!(a_message_that_fails_leaves_nothing, a_message_that_fails_leaves_nothing_on_postgres, fails);
async fn fails(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let factor = phone_of(&project, &session).await;
    app.sms.fail_next("no credit");
    let refused = challenge(&project, &session, &factor).send().await.expect(500);
    assert_eq!(refused.json()["msg"], "error sending message");
    assert_eq!(user(&project, &session).await["factors"][0]["last_challenged_at"], Value::Null);
    challenged(&project, &session, &factor).await;

    let mute = app.project("mute", json!({ "mfa_phone_enroll_enabled": true, "mfa_phone_verify_enabled": true })).await;
    let session = mute.sign_up(ADDRESS).await;
    let factor = phone_of(&mute, &session).await;
    let refused = challenge(&mute, &session, &factor).send().await.expect(500);
    assert_eq!(refused.json()["msg"], "Failed to get SMS provider");
}

on_both!(a_code_dies_of_guesses, a_code_dies_of_guesses_on_postgres, guesses);
async fn guesses(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({ "security_otp_max_attempts": 4 })).await;
    let elsewhere = sibling.through(&project);
    let session = project.sign_up(ADDRESS).await;
    let factor = phone_of(&project, &session).await;
    let id = challenged(&project, &session, &factor).await;
    let code = sms_code(&app);
    // What cannot be a code is no guess.
    for malformed in ["abc", "12345", "12345678901", "12 34 56", "x"] {
        let refused = verify(&project, &session, &factor, &id, malformed).send().await.expect(422);
        assert_eq!(refused.error_code(), "mfa_verification_failed");
    }
    for gateway in [&project, &elsewhere, &project] {
        verify(gateway, &session, &factor, &id, &wrong(&code)).send().await.expect(422);
    }
    let session = verify(&project, &session, &factor, &id, &code).send().await.expect(200).json();
    app.clock.advance(5);
    let id = challenged(&project, &session, &factor).await;
    let code = sms_code(&app);
    for gateway in [&project, &elsewhere, &project, &elsewhere] {
        verify(gateway, &session, &factor, &id, &wrong(&code)).send().await.expect(422);
    }
    let refused = verify(&project, &session, &factor, &id, &code).send().await.expect(422);
    assert_eq!(refused.error_code(), "mfa_verification_failed");
    // The next one is another.
    app.clock.advance(5);
    let id = challenged(&project, &session, &factor).await;
    verify(&elsewhere, &session, &factor, &id, &sms_code(&app)).send().await.expect(200);
}

on_both!(a_hook_sends_codes_of_factors, a_hook_sends_codes_of_factors_on_postgres, hook);
async fn hook(app: TestApp) {
    let project = project(&app, hooks::config(&["send_sms"], json!({}))).await;
    let session = project.sign_up(ADDRESS).await;
    let factor = phone_of(&project, &session).await;
    let uri = hooks::uri("send_sms");
    app.hooks.reply_next(&uri, Ok(hooks::error(403, "not today")));
    app.hooks.reply_next(&uri, Err(HookError::Timeout));
    for _ in 0..2 {
        let refused = challenge(&project, &session, &factor).send().await.expect(500);
        assert_eq!(refused.json()["msg"], "error invoking hook");
    }
    app.hooks.take(&uri);
    let body = json!({ "channel": "carrier_pigeon" });
    let path = format!("/factors/{factor}/challenge");
    let id = text(&project.post(&path, body).bearer(access(&session)).send().await.expect(200).json()["id"]);
    let told = app.hooks.take(&uri).remove(0);
    assert_eq!((&told["sms"]["sms_type"], &told["sms"]["phone"]), (&json!("mfa"), &json!(NUMBER)));
    assert_eq!(told["user"]["factors"][0]["id"], factor);
    assert!(app.sms.sent().is_empty());
    verify(&project, &session, &factor, &id, told["sms"]["otp"].as_str().unwrap()).send().await.expect(200);
}

on_both!(twilio_verify_checks_its_own_codes, twilio_verify_checks_its_own_codes_on_postgres, twilio);
async fn twilio(app: TestApp) {
    let config = json!({
        "sms_provider": "twilio_verify",
        "sms_twilio_verify_account_sid": "AC1",
        "sms_twilio_verify_auth_token": "token",
        "sms_twilio_verify_message_service_sid": "VA1",
    });
    let project = project(&app, config).await;
    let session = project.sign_up(ADDRESS).await;
    let factor = phone_of(&project, &session).await;
    let path = format!("/factors/{factor}/challenge");
    let asked = project.post(&path, json!({ "channel": "whatsapp" })).bearer(access(&session)).send().await;
    let id = text(&asked.expect(200).json()["id"]);
    let ours = sms_code(&app);
    app.sms.approve("654321");
    let refused = verify(&project, &session, &factor, &id, &ours).send().await.expect(403);
    assert_eq!(refused.error_code(), "otp_expired");
    verify(&project, &session, &factor, &id, "654321").send().await.expect(200);
    assert_eq!(app.sms.checked().last(), Some(&(NUMBER.to_owned(), "654321".to_owned())));
}

on_both!(a_code_belongs_to_its_challenge, a_code_belongs_to_its_challenge_on_postgres, own);
async fn own(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let factor = phone_of(&project, &session).await;
    let first = challenged(&project, &session, &factor).await;
    let code = sms_code(&app);
    app.clock.advance(5);
    let second = challenged(&project, &session, &factor).await;
    verify(&project, &session, &factor, &second, &code).send().await.expect(422);
    // Nor does the challenge of another factor take it.
    let totp = app_of(&project, &session, "app").await;
    let other = challenged(&project, &session, &totp.factor).await;
    let refused = verify(&project, &session, &factor, &other, &code).send().await.expect(422);
    assert_eq!(refused.error_code(), "mfa_factor_not_found");
    verify(&project, &session, &factor, &first, &code).send().await.expect(200);
}
