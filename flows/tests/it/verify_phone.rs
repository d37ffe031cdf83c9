//! Codes by SMS.

use http::Method;
use serde_json::{Value, json};
use testkit::TestApp;

use crate::both::on_both;
use crate::hooks::claims;
use crate::letters::{access, admin, confirmed, mail, project, put, sms_code, verify, wrong};

const PHONE: &str = "15550001111";

fn sms(phone: &str, code: &str) -> Value {
    json!({ "type": "sms", "phone": phone, "token": code })
}

on_both!(a_code_signs_a_number_up, a_code_signs_a_number_up_on_postgres, sign_up);
async fn sign_up(app: TestApp) {
    let project = project(&app, json!({})).await;
    let body = json!({ "phone": PHONE, "password": "correct horse" });
    let user = project.post("/signup", body).send().await.expect(200).json();
    assert!(user.get("phone_confirmed_at").is_none());
    let code = sms_code(&app);
    verify(&project, sms(PHONE, &wrong(&code))).await.expect(403);
    verify(&project, json!({ "type": "phone_change", "phone": PHONE, "token": code })).await.expect(403);
    verify(&project, json!({ "type": "signup", "phone": PHONE, "token": code })).await.expect(403);
    let session = verify(&project, sms("+1 555 000 1111", &code)).await.expect(200).json();
    assert_eq!(session["user"]["confirmed_at"], session["user"]["phone_confirmed_at"]);
    assert_eq!(claims(&app, &project, &session)["amr"][0]["method"], "otp");
    verify(&project, sms(PHONE, &code)).await.expect(403);

    // A minute, unless the project says otherwise.
    app.clock.advance(2);
    project.post("/otp", json!({ "phone": PHONE })).send().await.expect(200);
    app.clock.advance(61);
    verify(&project, sms(PHONE, &sms_code(&app))).await.expect(403);
}

on_both!(
    a_code_that_went_to_a_phone_proves_no_address,
    a_code_that_went_to_a_phone_proves_no_address_on_postgres,
    apart
);
async fn apart(app: TestApp) {
    let project = project(&app, json!({})).await;
    let both = json!({ "phone": PHONE, "phone_confirm": true, "email": "a@example.com", "password": "correct horse" });
    let user = admin(&project, Method::POST, "/admin/users", both).await.expect(200).json();
    project.post("/otp", json!({ "phone": PHONE })).send().await.expect(200);
    let code = sms_code(&app);
    let by_mail = json!({ "type": "email", "email": "a@example.com", "token": code });
    verify(&project, by_mail).await.expect(403);
    verify(&project, sms(PHONE, &code)).await.expect(200);
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    let user = admin(&project, Method::GET, &path, json!({})).await.expect(200).json();
    assert!(user.get("email_confirmed_at").is_none());
}

on_both!(a_number_dies_of_guesses, a_number_dies_of_guesses_on_postgres, guesses);
async fn guesses(app: TestApp) {
    let project = project(&app, json!({ "security_otp_max_attempts": 3 })).await;
    project.post("/otp", json!({ "phone": PHONE })).send().await.expect(200);
    let code = sms_code(&app);
    for _ in 0..3 {
        verify(&project, sms(PHONE, &wrong(&code))).await.expect(403);
    }
    verify(&project, sms(PHONE, &code)).await.expect(403);
}

on_both!(a_new_number_waits_for_its_code, a_new_number_waits_for_its_code_on_postgres, change);
async fn change(app: TestApp) {
    let project = project(&app, json!({ "mailer_notifications_phone_changed_enabled": true })).await;
    confirmed(&project, "a@example.com").await;
    app.clock.advance(2);
    let session = project.sign_in("a@example.com").await;
    let pending = put(&project, &session, json!({ "phone": PHONE })).await.expect(200).json();
    assert_eq!((&pending["phone"], &pending["new_phone"]), (&json!(""), &json!(PHONE)));
    let code = sms_code(&app);
    let body = |code: &str| json!({ "type": "phone_change", "phone": PHONE, "token": code });
    verify(&project, sms(PHONE, &code)).await.expect(403);
    verify(&project, body(&wrong(&code))).await.expect(403);
    // Somebody else wants it too: each has a code of his own.
    confirmed(&project, "b@example.com").await;
    let rival = project.sign_in("b@example.com").await;
    put(&project, &rival, json!({ "phone": PHONE })).await.expect(200);
    let rivals = sms_code(&app);
    let changed = verify(&project, body(&code)).await.expect(200).json();
    assert_eq!(changed["user"]["email"], "a@example.com");
    assert_eq!(changed["user"]["phone"], PHONE);
    assert_eq!(changed["user"]["app_metadata"]["providers"], json!(["email", "phone"]));
    let phone = &changed["user"]["identities"][1]["identity_data"];
    assert_eq!((&phone["phone"], &phone["phone_verified"]), (&json!(PHONE), &json!(true)));
    mail(&app, "a@example.com").await;
    // Too late.
    let taken = verify(&project, body(&rivals)).await.expect(422);
    assert_eq!(taken.error_code(), "phone_exists");
    let taken = put(&project, &rival, json!({ "phone": PHONE })).await.expect(422);
    assert_eq!(taken.error_code(), "phone_exists");
    let now = project.get("/user").bearer(access(&rival)).send().await.expect(200).json();
    assert_eq!(now["phone"], "");
}

on_both!(autoconfirm_takes_a_number_at_once, autoconfirm_takes_a_number_at_once_on_postgres, at_once);
async fn at_once(app: TestApp) {
    let project = project(&app, json!({ "sms_autoconfirm": true })).await;
    confirmed(&project, "a@example.com").await;
    let session = project.sign_in("a@example.com").await;
    let changed = put(&project, &session, json!({ "phone": PHONE })).await.expect(200).json();
    assert_eq!(changed["phone"], PHONE);
    assert_eq!(changed["app_metadata"]["providers"], json!(["email"]));
    assert!(app.sms.sent().is_empty());
    let body = json!({ "phone": PHONE, "password": "correct horse" });
    project.post("/token?grant_type=password", body).send().await.expect(200);
}

on_both!(test_numbers_have_a_fixed_code, test_numbers_have_a_fixed_code_on_postgres, fixed);
async fn fixed(app: TestApp) {
    let until = "2100-01-01T00:00:00Z";
    let config = json!({ "sms_test_otp": "15550000001=123456", "sms_test_otp_valid_until": until });
    let project = project(&app, config).await;
    let number = "15550000001";
    // Nobody has the number yet.
    verify(&project, sms(number, "123456")).await.expect(403);
    project.post("/otp", json!({ "phone": number })).send().await.expect(200);
    assert!(app.sms.sent().is_empty());
    verify(&project, sms(number, "654321")).await.expect(403);
    // It does not grow old.
    app.clock.advance(600);
    verify(&project, sms(number, "123456")).await.expect(200);
    // No stored token is needed, and none is used up.
    let session = verify(&project, sms(number, "123456")).await.expect(200).json();
    verify(&project, sms(number, "654321")).await.expect(403);
    verify(&project, sms("15550000002", "123456")).await.expect(403);

    // The same for a number that somebody is about to change to, if nothing else is left of the change.
    let other = "15550000003";
    let two = json!({ "sms_test_otp": "15550000001=123456,15550000003=424242" });
    app.management.patch_config(&project.project_ref, two.as_object().unwrap()).await.unwrap();
    let change = |code: &str| json!({ "type": "phone_change", "phone": other, "token": code });
    verify(&project, change("424242")).await.expect(403);
    put(&project, &session, json!({ "phone": other })).await.expect(200);
    put(&project, &session, json!({ "password": "kills every code" })).await.expect(200);
    verify(&project, change("123456")).await.expect(403);
    assert_eq!(verify(&project, change("424242")).await.expect(200).json()["user"]["phone"], other);
    verify(&project, change("424242")).await.expect(403);
    verify(&project, sms(number, "123456")).await.expect(403);

    let ended = json!({ "sms_test_otp_valid_until": "2000-01-01T00:00:00Z" });
    app.management.patch_config(&project.project_ref, ended.as_object().unwrap()).await.unwrap();
    project.post("/otp", json!({ "phone": number })).send().await.expect(200);
    let code = sms_code(&app);
    verify(&project, sms(number, &code)).await.expect(200);
}

on_both!(twilio_verify_checks_its_own_codes, twilio_verify_checks_its_own_codes_on_postgres, elsewhere);
async fn elsewhere(app: TestApp) {
    let config = json!({
        "sms_provider": "twilio_verify",
        "sms_twilio_verify_account_sid": "AC1",
        "sms_twilio_verify_auth_token": "token",
        "sms_twilio_verify_message_service_sid": "VA1",
        "security_otp_max_attempts": 3,
    });
    let project = project(&app, config).await;
    app.sms.approve("424242");
    // Nobody asked for a code: the provider is not asked either.
    verify(&project, sms(PHONE, "424242")).await.expect(403);
    assert!(app.sms.checked().is_empty());
    project.post("/otp", json!({ "phone": PHONE })).send().await.expect(200);
    verify(&project, sms(PHONE, "000000")).await.expect(403);
    verify(&project, sms(PHONE, "nonsense")).await.expect(403);
    assert_eq!(app.sms.checked(), [(PHONE.to_owned(), "000000".to_owned())]);
    verify(&project, sms(PHONE, "424242")).await.expect(200);
    verify(&project, sms(PHONE, "424242")).await.expect(403);
    app.clock.advance(2);
    project.post("/otp", json!({ "phone": PHONE })).send().await.expect(200);
    for _ in 0..3 {
        verify(&project, sms(PHONE, "000000")).await.expect(403);
    }
    verify(&project, sms(PHONE, "424242")).await.expect(403);
}

on_both!(a_ban_shows_where_the_number_finds_the_user, a_ban_shows_where_the_number_finds_on_postgres, banned);
async fn banned(app: TestApp) {
    let project = project(&app, json!({})).await;
    let body = json!({ "phone": PHONE, "phone_confirm": true, "password": "correct horse" });
    let user = admin(&project, Method::POST, "/admin/users", body).await.expect(200).json();
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    let grant = json!({ "phone": PHONE, "password": "correct horse" });
    let session = project.post("/token?grant_type=password", grant).send().await.expect(200).json();
    let ban = |duration: &'static str| admin(&project, Method::PUT, &path, json!({ "ban_duration": duration }));
    let miss = async |body: Value| verify(&project, body).await.expect(403).error_code();
    let change = |phone: &str| json!({ "type": "phone_change", "phone": phone, "token": "000000" });
    ban("1h").await.expect(200);
    assert_eq!(miss(sms(PHONE, "000000")).await, "user_banned");
    // Nothing is pending: the number he has does not find him here.
    assert_eq!(miss(change(PHONE)).await, "otp_expired");
    ban("none").await.expect(200);
    let new = "15550002222";
    put(&project, &session, json!({ "phone": new })).await.expect(200);
    put(&project, &session, json!({ "password": "kills every code" })).await.expect(200);
    assert_eq!(miss(change(new)).await, "otp_expired");
    ban("1h").await.expect(200);
    assert_eq!(miss(change(new)).await, "user_banned");
}

on_both!(a_banned_rival_spoils_no_count, a_banned_rival_spoils_no_count_on_postgres, rival);
async fn rival(app: TestApp) {
    let project = project(&app, json!({ "security_otp_max_attempts": 3 })).await;
    let banned = confirmed(&project, "a@example.com").await;
    confirmed(&project, "b@example.com").await;
    for email in ["a@example.com", "b@example.com"] {
        let session = project.sign_in(email).await;
        put(&project, &session, json!({ "phone": PHONE })).await.expect(200);
    }
    let code = sms_code(&app);
    let path = format!("/admin/users/{}", banned["id"].as_str().unwrap());
    admin(&project, Method::PUT, &path, json!({ "ban_duration": "1h" })).await.expect(200);
    let body = |code: &str| json!({ "type": "phone_change", "phone": PHONE, "token": code });
    for _ in 0..3 {
        assert_eq!(verify(&project, body(&wrong(&code))).await.expect(403).error_code(), "otp_expired");
    }
    verify(&project, body(&code)).await.expect(403);
}
