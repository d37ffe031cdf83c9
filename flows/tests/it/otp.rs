//! `POST /otp` and `POST /magiclink`.

use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::mails::{confirmed_user, confirming, count_users, one, read_user, show_hash, take, type_code};
use crate::statements::undisturbed;

const EMAIL: &str = "a@example.com";
const PHONE: &str = "15550001111";

fn with_phones(others: Value) -> Value {
    let mut config = confirming(json!({
        "external_phone_enabled": true,
        "sms_provider": "messagebird",
        "sms_messagebird_access_key": "key",
        "sms_messagebird_originator": "app",
    }));
    config.as_object_mut().unwrap().extend(others.as_object().cloned().unwrap());
    config
}

async fn otp(project: &TestProject, body: Value) -> testkit::Answer {
    project.post("/otp", body).send().await
}

on_both!(test_magiclink_creates_token, magiclink_creates_token_on_postgres, creates_token);
async fn creates_token(app: TestApp) {
    let project = app.project("otp", confirming(json!({}))).await;
    let user = confirmed_user(&project, json!({ "email": EMAIL })).await;
    let answer = project.post("/magiclink", json!({ "email": EMAIL })).send().await.expect(200).json();
    assert_eq!(answer, json!({ "message": "Magic link sent if email exists" }));
    let mail = one(&app, EMAIL).await;
    assert_eq!((mail.kind.as_str(), mail.code.len(), mail.hash.len()), ("magic_link", 8, 56));
    assert_eq!(mail.redirect, "http://localhost:3000");
    let link = format!(
        "http://127.0.0.1:8000/p/otp/auth/v1/verify?token={}&type=magiclink&redirect_to=http://localhost:3000",
        mail.hash
    );
    assert_eq!(mail.link, link);
    assert!(read_user(&project, &user["id"]).await["recovery_sent_at"].is_string());
    // Neither what is typed nor what is clicked lies in the database.
    let stored = app.stored_text().await;
    assert!(stored.contains(user["id"].as_str().unwrap().replace('-', "").as_str()) || stored.contains(EMAIL));
    assert!(!stored.contains(&mail.code) && !stored.contains(&mail.hash));
    let session = show_hash(&project, "magiclink", &mail.hash).await.expect(200).json();
    assert_eq!(session["user"]["id"], user["id"]);
    show_hash(&project, "magiclink", &mail.hash).await.expect(403);
}

on_both!(a_code_signs_in_once, a_code_signs_in_once_on_postgres, code_once);
async fn code_once(app: TestApp) {
    let project = app.project("otp", confirming(json!({}))).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    let answer = otp(&project, json!({ "email": "A@Example.com" })).await.expect(200).json();
    assert_eq!(answer, json!({}));
    let mail = one(&app, EMAIL).await;
    type_code(&project, "email", EMAIL, &mail.code).await.expect(200);
    type_code(&project, "email", EMAIL, &mail.code).await.expect(403);
    show_hash(&project, "email", &mail.hash).await.expect(403);
}

on_both!(an_unknown_address_signs_up, an_unknown_address_signs_up_on_postgres, signs_up);
async fn signs_up(app: TestApp) {
    let project = app.project("otp", confirming(json!({}))).await;
    otp(&project, json!({ "email": EMAIL, "data": { "plan": "new" } })).await.expect(200);
    let mail = one(&app, EMAIL).await;
    assert_eq!(mail.kind, "confirmation");
    let session = type_code(&project, "email", EMAIL, &mail.code).await.expect(200).json();
    assert_eq!(session["user"]["user_metadata"]["plan"], "new");
    assert_eq!(session["user"]["user_metadata"]["email_verified"], true);
    // Nobody knows the password of such an account.
    let guess = json!({ "email": EMAIL, "password": "correct horse" });
    project.post("/token?grant_type=password", guess).send().await.expect(400);
}

on_both!(an_unconfirmed_address_is_confirmed_first, an_unconfirmed_address_is_confirmed_on_postgres, confirmed_first);
async fn confirmed_first(app: TestApp) {
    let project = app.project("otp", confirming(json!({}))).await;
    let body = json!({ "email": EMAIL, "password": "correct horse", "data": { "plan": "gold" } });
    let user = project.post("/signup", body).send().await.expect(200).json();
    take(&app, EMAIL).await;
    let soon = otp(&project, json!({ "email": EMAIL })).await.expect(429);
    assert_eq!(soon.error_code(), "over_email_send_rate_limit");
    app.clock.advance(60);
    otp(&project, json!({ "email": EMAIL, "data": { "plan": "stolen" } })).await.expect(200);
    let mail = one(&app, EMAIL).await;
    assert_eq!(mail.kind, "confirmation");
    let session = show_hash(&project, "signup", &mail.hash).await.expect(200).json();
    assert_eq!(session["user"]["id"], user["id"]);
    assert_eq!(session["user"]["user_metadata"]["plan"], "gold");
}

on_both!(closed_doors_have_their_words, closed_doors_have_their_words_on_postgres, closed);
async fn closed(app: TestApp) {
    let project = app.project("otp", with_phones(json!({ "disable_signup": true }))).await;
    for (body, status, code) in [
        (json!({ "email": EMAIL }), 422, "signup_disabled"),
        (json!({ "email": EMAIL, "create_user": false }), 422, "otp_disabled"),
        (json!({ "email": "nobody", "create_user": false }), 422, "otp_disabled"),
        (json!({ "phone": PHONE }), 422, "signup_disabled"),
        (json!({ "phone": PHONE, "create_user": false }), 422, "otp_disabled"),
        (json!({ "phone": "0", "create_user": false }), 422, "otp_disabled"),
        (json!({ "phone": PHONE, "channel": "whatsapp" }), 400, "validation_failed"),
        (json!({}), 400, "validation_failed"),
        (json!({ "create_user": false }), 400, "validation_failed"),
    ] {
        let refused = otp(&project, body.clone()).await.expect(status);
        assert_eq!(refused.error_code(), code, "{body}");
    }
    assert_eq!(count_users(&project).await, 0);
    let off = app.project("off", confirming(json!({ "external_email_enabled": false }))).await;
    for (body, status, code) in [
        (json!({ "email": EMAIL, "create_user": false }), 422, "otp_disabled"),
        (json!({ "email": EMAIL }), 422, "email_provider_disabled"),
        (json!({ "phone": PHONE }), 400, "phone_provider_disabled"),
    ] {
        assert_eq!(otp(&off, body.clone()).await.expect(status).error_code(), code, "{body}");
    }
    // Accounts that exist are let in all the same.
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    otp(&project, json!({ "email": EMAIL, "create_user": false })).await.expect(200);
    assert_eq!(one(&app, EMAIL).await.kind, "magic_link");
}

on_both!(with_autoconfirm_the_link_itself_confirms, with_autoconfirm_the_link_confirms_on_postgres, autoconfirm);
async fn autoconfirm(app: TestApp) {
    let config = confirming(json!({ "mailer_autoconfirm": true }));
    let project = app.project("otp", config).await;
    otp(&project, json!({ "email": EMAIL })).await.expect(200);
    let mail = one(&app, EMAIL).await;
    assert_eq!(mail.kind, "magic_link");
    let session = show_hash(&project, "email", &mail.hash).await.expect(200).json();
    assert!(session["user"]["email_confirmed_at"].is_string());
}

on_both!(a_code_by_sms_signs_in, a_code_by_sms_signs_in_on_postgres, by_sms);
async fn by_sms(app: TestApp) {
    let project = app.project("otp", with_phones(json!({ "sms_template": "{{ .Code }} for app" }))).await;
    confirmed_user(&project, json!({ "phone": PHONE })).await;
    let answer = otp(&project, json!({ "phone": format!("+{PHONE}") })).await.expect(200).json();
    assert_eq!(answer, json!({}));
    let sent = app.sms.sent();
    assert_eq!((sent.len(), sent[0].phone.as_str()), (1, PHONE));
    let code = sent[0].code.expose().clone();
    assert_eq!((code.len(), sent[0].body.expose().as_str()), (6, format!("{code} for app").as_str()));
    assert!(!app.stored_text().await.contains(&format!("'{code}'")));
    let soon = otp(&project, json!({ "phone": PHONE })).await.expect(429);
    assert_eq!(soon.error_code(), "over_sms_send_rate_limit");
    let body = json!({ "type": "sms", "phone": PHONE, "token": code });
    project.post("/verify", body.clone()).send().await.expect(200);
    project.post("/verify", body).send().await.expect(403);
}

on_both!(an_unknown_number_signs_up_by_code, an_unknown_number_signs_up_on_postgres, phone_signs_up);
async fn phone_signs_up(app: TestApp) {
    let project = app.project("otp", with_phones(json!({}))).await;
    otp(&project, json!({ "phone": PHONE, "data": { "plan": "x", "email": "v@example.com" } })).await.expect(200);
    let code = app.sms.sent()[0].code.expose().clone();
    let body = json!({ "type": "sms", "phone": PHONE, "token": code });
    let session = project.post("/verify", body).send().await.expect(200).json();
    // An address is nothing that a number proves.
    assert_eq!(session["user"]["email"], "");
    assert_eq!(session["user"]["identities"][0]["identity_data"].get("email"), None);
    assert_eq!(session["user"]["user_metadata"]["plan"], "x");
}

on_both!(test_numbers_send_nothing_until_they_end, test_numbers_end_on_postgres, test_numbers);
async fn test_numbers(app: TestApp) {
    use domain::time::Clock;
    let until = app.clock.now().plus_seconds(1000).to_wire();
    let config = with_phones(json!({ "sms_test_otp": "15550000001=123456", "sms_test_otp_valid_until": until }));
    let project = app.project("otp", config).await;
    confirmed_user(&project, json!({ "phone": "15550000001" })).await;
    let answer = otp(&project, json!({ "phone": "15550000001" })).await.expect(200).json();
    assert_eq!(answer, json!({ "message_id": "test-otp" }));
    assert!(app.sms.sent().is_empty());
    let body = json!({ "type": "sms", "phone": "15550000001", "token": "123456" });
    project.post("/verify", body.clone()).send().await.expect(200);
    app.clock.advance(1000);
    let answer = otp(&project, json!({ "phone": "15550000001" })).await.expect(200).json();
    assert_eq!((answer, app.sms.sent().len()), (json!({}), 1));
    project.post("/verify", body).send().await.expect(403);
}

on_both!(a_provider_that_fails_leaves_nothing, a_provider_that_fails_leaves_nothing_on_postgres, provider_fails);
async fn provider_fails(app: TestApp) {
    let project = app.project("otp", with_phones(json!({}))).await;
    app.sms.fail_next("no credit More information: none");
    let refused = otp(&project, json!({ "phone": PHONE })).await.expect(422);
    assert_eq!(refused.error_code(), "sms_send_failed");
    let message = "Error sending confirmation OTP to provider: no credit More information: none";
    assert_eq!(refused.json()["msg"], message);
    assert_eq!(count_users(&project).await, 0);
    // No cool-down either: the next try goes out.
    otp(&project, json!({ "phone": PHONE })).await.expect(200);
    assert_eq!((app.sms.sent().len(), count_users(&project).await), (1, 1));
}

on_both!(without_a_provider_there_is_no_sms, without_a_provider_there_is_no_sms_on_postgres, no_provider);
async fn no_provider(app: TestApp) {
    let project = app.project("otp", confirming(json!({ "external_phone_enabled": true }))).await;
    let refused = otp(&project, json!({ "phone": PHONE })).await.expect(500);
    assert_eq!(refused.json()["msg"], "Unable to get SMS provider");
    assert_eq!(count_users(&project).await, 0);
}

on_both!(whatsapp_goes_over_twilio, whatsapp_goes_over_twilio_on_postgres, whatsapp);
async fn whatsapp(app: TestApp) {
    let config = with_phones(json!({
        "sms_provider": "twilio",
        "sms_twilio_account_sid": "sid",
        "sms_twilio_auth_token": "token",
        "sms_twilio_message_service_sid": "service",
    }));
    let project = app.project("otp", config).await;
    otp(&project, json!({ "phone": PHONE, "channel": "whatsapp" })).await.expect(200);
    assert_eq!(app.sms.sent()[0].channel.as_str(), "whatsapp");
}

on_both!(messages_are_limited_for_the_project, messages_are_limited_for_the_project_on_postgres, limited);
async fn limited(app: TestApp) {
    let config = with_phones(json!({ "rate_limit_email_sent": 2, "rate_limit_sms_sent": 1 }));
    let project = app.project("otp", config).await;
    for name in ["a", "b"] {
        otp(&project, json!({ "email": format!("{name}@example.com") })).await.expect(200);
    }
    let refused = otp(&project, json!({ "email": "c@example.com" })).await.expect(429);
    assert_eq!(refused.json()["msg"], "email rate limit exceeded");
    otp(&project, json!({ "phone": PHONE })).await.expect(200);
    let refused = otp(&project, json!({ "phone": "15550002222" })).await.expect(429);
    assert_eq!(refused.json()["msg"], "SMS rate limit exceeded");
    assert_eq!(count_users(&project).await, 3);
    app.clock.advance(3600);
    otp(&project, json!({ "email": "c@example.com" })).await.expect(200);
}

on_both!(only_listed_addresses_get_mail, only_listed_addresses_get_mail_on_postgres, listed);
async fn listed(app: TestApp) {
    let config = confirming(json!({ "external_email_authorized_addresses": "a@example.com" }));
    let project = app.project("otp", config).await;
    let refused = otp(&project, json!({ "email": "b@example.com" })).await.expect(400);
    assert_eq!(refused.error_code(), "email_address_not_authorized");
    assert_eq!(count_users(&project).await, 0);
    otp(&project, json!({ "email": "a+label@example.com" })).await.expect(200);
    assert_eq!(take(&app, "a+label@example.com").await.len(), 1);
}

on_both!(links_can_hold_random_bits, links_can_hold_random_bits_on_postgres, random);
async fn random(app: TestApp) {
    let config = confirming(json!({ "mailer_link_token_mode": "random" }));
    let project = app.project("otp", config).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    otp(&project, json!({ "email": EMAIL })).await.expect(200);
    let mail = one(&app, EMAIL).await;
    assert_eq!(mail.hash.len(), 64);
    let guessable = crypto::otp::link_token(EMAIL, &mail.code);
    show_hash(&project, "magiclink", &guessable).await.expect(403);
    let stored = app.stored_text().await;
    assert!(!stored.contains(&mail.hash) && !stored.contains(&guessable));
    show_hash(&project, "magiclink", &mail.hash).await.expect(200);
    app.clock.advance(60);
    otp(&project, json!({ "email": EMAIL })).await.expect(200);
    let code = one(&app, EMAIL).await.code;
    type_code(&project, "email", EMAIL, &code).await.expect(200);
}

on_both!(a_number_gets_no_token_that_a_code_gives_away, a_number_gets_no_derived_token_on_postgres, phone_token);
async fn phone_token(app: TestApp) {
    let project = app.project("otp", with_phones(json!({}))).await;
    otp(&project, json!({ "phone": PHONE })).await.expect(200);
    let derived = crypto::otp::link_token(PHONE, app.sms.sent()[0].code.expose());
    for kind in ["signup", "email", "invite"] {
        show_hash(&project, kind, &derived).await.expect(403);
    }
}

on_both!(a_flow_with_a_challenge_ends_with_a_code, a_flow_with_a_challenge_ends_on_postgres, pkce);
async fn pkce(app: TestApp) {
    let project = app.project("otp", confirming(json!({}))).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    let verifier = "v".repeat(43);
    let body = json!({ "email": EMAIL, "code_challenge": verifier, "code_challenge_method": "plain" });
    otp(&project, body).await.expect(200);
    let mail = one(&app, EMAIL).await;
    assert!(mail.hash.starts_with("pkce_"));
    let landing = project.get(&format!("/verify?type=magiclink&token={}", mail.hash)).send().await.expect(303);
    let code = landing.header("location").split("code=").nth(1).unwrap().to_owned();
    let trade = json!({ "auth_code": code, "code_verifier": verifier });
    let session = project.post("/token?grant_type=pkce", trade.clone()).send().await.expect(200).json();
    assert_eq!(session["user"]["email"], EMAIL);
    project.post("/token?grant_type=pkce", trade).send().await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_message_costs_two_round_trips() {
    let app = undisturbed().await;
    let project = app.project("otp", with_phones(json!({}))).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    confirmed_user(&project, json!({ "phone": PHONE })).await;
    for (path, body) in [
        ("/otp", json!({ "email": EMAIL })),
        ("/recover", json!({ "email": EMAIL })),
        ("/otp", json!({ "phone": PHONE })),
        ("/otp", json!({ "email": "new@example.com" })),
        ("/resend", json!({ "email": "new@example.com", "type": "signup" })),
        ("/signup", json!({ "email": "newer@example.com", "password": "correct horse" })),
    ] {
        app.clock.advance(60);
        let before = app.database.statements();
        project.post(path, body.clone()).send().await.expect(200);
        assert_eq!(app.database.statements() - before, 2, "{path} {body}");
    }
}
