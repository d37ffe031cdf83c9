//! `POST /signup`.

use futures::future::join_all;
use outbound::hooks::HookError;
use serde_json::{Value, json};
use testkit::TestApp;

use crate::both::on_both;
use crate::hooks::{config as hooked, error, uri};
use crate::mails::{confirming, count_users, one, take, type_code};

const EMAIL: &str = "a@example.com";
const PHONE: &str = "15550001111";

fn body() -> Value {
    json!({ "email": EMAIL, "password": "correct horse", "data": { "plan": "gold" } })
}

fn by_phone() -> Value {
    json!({ "phone": PHONE, "password": "correct horse", "data": { "plan": "gold", "email": "v@example.com" } })
}

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

on_both!(a_number_is_confirmed_by_code, a_number_is_confirmed_by_code_on_postgres, phone);
async fn phone(app: TestApp) {
    let project = app.project("signup", with_phones(json!({}))).await;
    let user = project.post("/signup", by_phone()).send().await.expect(200).json();
    assert_eq!((user["phone"].as_str(), user["email"].as_str()), (Some(PHONE), Some("")));
    assert!(user["confirmation_sent_at"].is_string());
    let claims = json!({ "plan": "gold", "sub": user["id"], "email_verified": false, "phone_verified": false });
    assert_eq!(user["identities"][0]["identity_data"], claims);
    assert_eq!(user["user_metadata"], claims);
    let grant = json!({ "phone": PHONE, "password": "correct horse" });
    let early = project.post("/token?grant_type=password", grant.clone()).send().await.expect(400);
    assert_eq!(early.error_code(), "phone_not_confirmed");
    let code = app.sms.sent()[0].code.expose().clone();
    let typed = json!({ "type": "sms", "phone": PHONE, "token": code });
    let session = project.post("/verify", typed).send().await.expect(200).json();
    assert_eq!(session["user"]["id"], user["id"]);
    project.post("/token?grant_type=password", grant).send().await.expect(200);
}

on_both!(a_number_can_be_confirmed_at_once, a_number_can_be_confirmed_at_once_on_postgres, phone_at_once);
async fn phone_at_once(app: TestApp) {
    let project = app.project("signup", with_phones(json!({ "sms_autoconfirm": true }))).await;
    let session = project.post("/signup", by_phone()).send().await.expect(200).json();
    assert!(session["access_token"].is_string() && app.sms.sent().is_empty());
    assert_eq!(session["user"]["identities"][0]["identity_data"]["phone_verified"], true);
    let again = project.post("/signup", by_phone()).send().await.expect(422);
    assert_eq!(again.error_code(), "user_already_exists");
}

on_both!(a_confirmed_address_is_not_told, a_confirmed_address_is_not_told_on_postgres, obfuscated);
async fn obfuscated(app: TestApp) {
    let project = app.project("signup", confirming(json!({}))).await;
    let user = project.post("/signup", body()).send().await.expect(200).json();
    let code = one(&app, EMAIL).await.code;
    type_code(&project, "signup", EMAIL, &code).await.expect(200);
    app.clock.advance(60);
    let again = json!({ "email": EMAIL, "password": "another one", "data": { "mine": true } });
    let shown = project.post("/signup", again).send().await.expect(200).json();
    assert_ne!(shown["id"], user["id"]);
    assert_eq!((&shown["role"], &shown["identities"]), (&json!(""), &json!([])));
    assert_eq!(shown["user_metadata"], json!({ "mine": true }));
    assert!(take(&app, EMAIL).await.is_empty());
    let other = json!({ "email": EMAIL, "password": "another one" });
    project.post("/token?grant_type=password", other).send().await.expect(400);
}

on_both!(an_unconfirmed_account_stays_as_it_is, an_unconfirmed_account_stays_as_it_is_on_postgres, unconfirmed);
async fn unconfirmed(app: TestApp) {
    let project = app.project("signup", confirming(json!({}))).await;
    let user = project.post("/signup", body()).send().await.expect(200).json();
    assert_eq!(one(&app, EMAIL).await.kind, "confirmation");
    app.clock.advance(60);
    let again = json!({ "email": EMAIL, "password": "another one", "data": { "plan": "stolen" } });
    let shown = project.post("/signup", again).send().await.expect(200).json();
    assert_eq!((&shown["id"], &shown["user_metadata"]), (&user["id"], &user["user_metadata"]));
    let mail = one(&app, EMAIL).await;
    type_code(&project, "signup", EMAIL, &mail.code).await.expect(200);
    let grant = |password: &str| {
        project.post("/token?grant_type=password", json!({ "email": EMAIL, "password": password })).send()
    };
    grant("another one").await.expect(400);
    grant("correct horse").await.expect(200);
}

on_both!(the_invited_are_not_shown_to_who_signs_up, the_invited_are_not_shown_on_postgres, invited);
async fn invited(app: TestApp) {
    let project = app.project("signup", confirming(json!({}))).await;
    let invitation = json!({ "email": EMAIL, "data": { "salary": 7 } });
    project.post("/invite", invitation).bearer(&project.service_role_key).send().await.expect(200);
    app.clock.advance(60);
    let shown = project.post("/signup", body()).send().await.expect(200).json();
    assert_eq!((&shown["user_metadata"], &shown["identities"]), (&json!({}), &json!([])));
    assert!(shown["invited_at"].is_string());
}

on_both!(a_taken_address_opens_only_by_its_password, a_taken_address_opens_by_password_on_postgres, by_password);
async fn by_password(app: TestApp) {
    let project = app.project("signup", confirming(json!({ "mailer_autoconfirm": true }))).await;
    let made = json!({ "email": EMAIL, "password": "correct horse" });
    project.post("/admin/users", made).bearer(&project.service_role_key).send().await.expect(200);
    let guess = json!({ "email": EMAIL, "password": "another one" });
    let refused = project.post("/signup", guess).send().await.expect(422);
    assert_eq!(refused.error_code(), "user_already_exists");
    let session = project.post("/signup", body()).send().await.expect(200).json();
    assert!(session["access_token"].is_string());
    assert!(session["user"]["email_confirmed_at"].is_string());
    assert_eq!(session["user"]["user_metadata"].get("plan"), None);
}

on_both!(somebody_elses_number_opens_no_account, somebody_elses_number_opens_no_account_on_postgres, other_contact);
async fn other_contact(app: TestApp) {
    let project = app.project("signup", with_phones(json!({ "sms_autoconfirm": true }))).await;
    let made = json!({ "email": EMAIL, "phone": PHONE, "phone_confirm": true });
    project.post("/admin/users", made).bearer(&project.service_role_key).send().await.expect(200);
    // The number of the account is confirmed, its address is not: signing up with the address proves nothing.
    let shown = project.post("/signup", body()).send().await.expect(200).json();
    assert_eq!(shown.get("access_token"), None);
    assert_eq!(one(&app, EMAIL).await.kind, "confirmation");
}

on_both!(anonymous_accounts, anonymous_accounts_on_postgres, anonymous);
async fn anonymous(app: TestApp) {
    let project = app.project("signup", confirming(json!({}))).await;
    let closed = project.post("/signup", json!({})).send().await.expect(422);
    assert_eq!(closed.error_code(), "anonymous_provider_disabled");
    let config = confirming(json!({ "external_anonymous_users_enabled": true, "rate_limit_anonymous_users": 2 }));
    let project = app.project("anonymous", config).await;
    let ask = || {
        let request = project.post("/signup", json!({ "data": { "theme": "dark" }, "password": "ignored" }));
        request.header("x-forwarded-for", "192.0.2.7").send()
    };
    let session = ask().await.expect(200).json();
    let user = &session["user"];
    assert_eq!((&user["is_anonymous"], &user["user_metadata"]), (&json!(true), &json!({ "theme": "dark" })));
    assert_eq!((&user["identities"], &user["app_metadata"]), (&json!([]), &json!({})));
    ask().await.expect(200);
    assert_eq!(ask().await.expect(429).error_code(), "over_request_rate_limit");
    let config = confirming(json!({ "external_anonymous_users_enabled": true, "disable_signup": true }));
    let project = app.project("closed", config).await;
    let closed = project.post("/signup", json!({})).send().await.expect(422);
    assert_eq!(closed.error_code(), "signup_disabled");
}

on_both!(what_a_hook_or_a_provider_refuses_is_not_there, what_a_hook_refuses_is_not_there_on_postgres, refused);
async fn refused(app: TestApp) {
    let points = ["before_user_created", "send_email", "send_sms"];
    let project = app.project("signup", hooked(&points, with_phones(json!({})))).await;
    for (point, body) in [("before_user_created", body()), ("send_email", body()), ("send_sms", by_phone())] {
        app.hooks.reply_next(&uri(point), Ok(error(451, "not here")));
        let refused = project.post("/signup", body).send().await.expect(451);
        assert_eq!(refused.json()["msg"], "not here", "{point}");
        assert_eq!(count_users(&project).await, 0, "{point}");
    }
    app.hooks.reply_next(&uri("send_email"), Err(HookError::Status(500)));
    project.post("/signup", body()).send().await.expect(500);
    assert_eq!(count_users(&project).await, 0);
    // No cool-down is left behind.
    project.post("/signup", body()).send().await.expect(200);
    project.post("/signup", by_phone()).send().await.expect(200);
    assert!(app.sms.sent().is_empty() && take(&app, EMAIL).await.is_empty());
}

on_both!(a_mail_hook_gets_what_a_mail_would_hold, a_mail_hook_gets_what_a_mail_would_hold_on_postgres, mail_hook);
async fn mail_hook(app: TestApp) {
    let project = app.project("signup", hooked(&["send_email", "after_user_created"], confirming(json!({})))).await;
    let user = project.post("/signup", body()).send().await.expect(200).json();
    let told = app.hooks.take(&uri("send_email"));
    assert_eq!(told.len(), 1);
    let data = &told[0]["email_data"];
    assert_eq!((&data["email_action_type"], &told[0]["user"]["id"]), (&json!("signup"), &user["id"]));
    assert_eq!(told[0]["user"].get("confirmation_sent_at"), None);
    let after = app.hooks.take(&uri("after_user_created"));
    assert_eq!(after[0]["user"], user);
    let (token, hash) = (data["token"].as_str().unwrap(), data["token_hash"].as_str().unwrap());
    assert_eq!(crypto::otp::link_token(EMAIL, token), hash);
    let stored = app.stored_text().await;
    assert!(!stored.contains(token) && !stored.contains(hash));
    type_code(&project, "signup", EMAIL, token).await.expect(200);
}

on_both!(a_failed_afterthought_keeps_the_account, a_failed_afterthought_keeps_the_account_on_postgres, afterthought);
async fn afterthought(app: TestApp) {
    let project = app.project("signup", hooked(&["after_user_created"], confirming(json!({})))).await;
    app.hooks.reply_next(&uri("after_user_created"), Ok(error(403, "its own words")));
    let failed = project.post("/signup", body()).send().await.expect(500);
    assert_eq!(failed.json()["msg"], "Error invoking hook");
    assert_eq!(count_users(&project).await, 1);
    let code = one(&app, EMAIL).await.code;
    type_code(&project, "signup", EMAIL, &code).await.expect(200);
}

on_both!(parallel_sign_ups_make_one_account, parallel_sign_ups_make_one_account_on_postgres, race);
async fn race(app: TestApp) {
    let sibling = app.sibling().await;
    let project = app.project("signup", confirming(json!({}))).await;
    let elsewhere = sibling.through(&project);
    let gateways = [&project, &elsewhere];
    let answers = join_all((0..12).map(|n| gateways[n % 2].post("/signup", body()).send())).await;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(made, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 429));
    assert_eq!(count_users(&project).await, 1);
    assert_eq!(take(&app, EMAIL).await.len() + take(&sibling, EMAIL).await.len(), 1);
}
