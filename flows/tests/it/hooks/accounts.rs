//! The hooks around the making of an account, and those that send.

use outbound::mailbox::{Page, Scope};
use serde_json::json;
use testkit::TestApp;

use super::{config, error, uri};
use crate::both::on_both;

on_both!(a_new_user_is_shown_before_and_after, a_new_user_is_shown_before_and_after_on_postgres, shown);
async fn shown(app: TestApp) {
    let points = ["before_user_created", "after_user_created", "send_email"];
    let project = app.project("hooks", config(&points, json!({ "mailer_autoconfirm": false }))).await;
    let body = json!({ "email": "a@example.com", "password": "correct horse", "data": { "plan": "gold" } });
    let signup =
        project.post("/signup?redirect_to=http://localhost:3000/welcome", body).send().await.expect(200).json();

    let before = app.hooks.take(&uri("before_user_created"));
    let (user, metadata) = (&before[0]["user"], &before[0]["metadata"]);
    assert_eq!((before.len(), &metadata["name"]), (1, &json!("before-user-created")));
    assert_eq!((&user["id"], &user["role"], &user["identities"]), (&signup["id"], &json!(""), &json!([])));
    assert_eq!([&user["created_at"], &user["updated_at"]], ["0001-01-01T00:00:00Z"; 2]);
    assert_eq!(user["user_metadata"], json!({ "plan": "gold" }));
    assert_eq!(user["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));

    let after = app.hooks.take(&uri("after_user_created"));
    assert_eq!((after.len(), &after[0]["metadata"]["name"]), (1, &json!("after-user-created")));
    assert_eq!(after[0]["user"], signup);

    let mails = app.hooks.take(&uri("send_email"));
    assert_eq!((mails.len(), &mails[0]["metadata"]["name"]), (1, &json!("send-email")));
    assert_eq!(mails[0]["user"]["identities"][0]["identity_id"], signup["identities"][0]["identity_id"]);
    assert_eq!(mails[0]["user"].get("confirmation_sent_at"), None);
    let data = mails[0]["email_data"].as_object().unwrap();
    let mut keys: Vec<&str> = data.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "email_action_type",
        "factor_type",
        "old_email",
        "old_phone",
        "provider",
        "redirect_to",
        "site_url",
        "token",
        "token_hash",
        "token_hash_new",
        "token_new",
    ];
    assert_eq!(keys, expected);
    assert!(data.values().all(serde_json::Value::is_string), "{data:?}");
    assert_eq!(data["site_url"], "http://127.0.0.1:8000/p/hooks/auth/v1");
    assert_eq!(
        (&data["redirect_to"], &data["email_action_type"]),
        (&json!("http://localhost:3000/welcome"), &json!("signup"))
    );
    assert_eq!(app.mailbox.list(Scope::All, Page::default()).total, 0);
}

on_both!(a_refusal_before_makes_nobody, a_refusal_before_makes_nobody_on_postgres, before);
async fn before(app: TestApp) {
    for confirmed_at_once in [true, false] {
        let settings = json!({ "mailer_autoconfirm": confirmed_at_once, "external_anonymous_users_enabled": true });
        let name = format!("hooks-{confirmed_at_once}");
        let project = app.project(&name, config(&["before_user_created"], settings)).await;
        app.hooks.reply(&uri("before_user_created"), Ok(error(403, "Only invited people")));
        let body = json!({ "email": "a@example.com", "password": "correct horse" });
        let refused = project.post("/signup", body.clone()).send().await.expect(403);
        assert_eq!((refused.error_code().as_str(), &refused.json()["msg"]), ("unknown", &json!("Only invited people")));
        project.post("/signup", json!({})).send().await.expect(403);
        let link = json!({ "email": "a@example.com", "create_user": true });
        project.post("/otp", link).send().await.expect(403);
        let users = project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(200).json();
        assert_eq!(users["users"], json!([]));

        app.hooks.reply(&uri("before_user_created"), Ok(error(403, "")));
        project.post("/signup", body).send().await.expect(200);
    }
}

on_both!(after_is_too_late_to_refuse, after_is_too_late_to_refuse_on_postgres, after);
async fn after(app: TestApp) {
    let settings = json!({ "mailer_autoconfirm": false, "external_anonymous_users_enabled": true });
    let project = app.project("hooks", config(&["after_user_created"], settings)).await;
    app.hooks.reply(&uri("after_user_created"), Ok(error(403, "too late")));
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    let refused = project.post("/signup", body).send().await.expect(500);
    assert_eq!(refused.json()["msg"], "Error invoking hook");
    assert_eq!(project.post("/signup", json!({})).send().await.expect(403).json()["msg"], "too late");
    let users = project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(200).json();
    assert_eq!(users["users"].as_array().unwrap().len(), 2);

    // Accounts that are confirmed at once are none of its business.
    app.hooks.take(&uri("after_user_created"));
    let at_once = app.project("at-once", config(&["after_user_created"], json!({}))).await;
    at_once.sign_up("a@example.com").await;
    assert!(app.hooks.take(&uri("after_user_created")).is_empty());
}

on_both!(a_mail_that_is_refused_leaves_nothing, a_mail_that_is_refused_leaves_nothing_on_postgres, mail);
async fn mail(app: TestApp) {
    let project = app.project("hooks", config(&["send_email"], json!({ "mailer_autoconfirm": false }))).await;
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    app.hooks.reply_next(&uri("send_email"), Ok(error(451, "mailbox not allowed")));
    let refused = project.post("/signup", body.clone()).send().await.expect(451);
    assert_eq!((refused.error_code().as_str(), &refused.json()["msg"]), ("unknown", &json!("mailbox not allowed")));
    app.hooks.reply_next(&uri("send_email"), Err(outbound::hooks::HookError::Status(500)));
    let refused = project.post("/signup", body.clone()).send().await.expect(500);
    assert_eq!(refused.json()["msg"], "Unexpected status code returned from hook: 500");
    assert!(!app.stored_text().await.contains("a@example.com"));
    project.post("/signup", body).send().await.expect(200);

    // Neither does a refused recovery: no cool-down, no token.
    app.clock.advance(61);
    let recover = json!({ "email": "a@example.com" });
    app.hooks.reply_next(&uri("send_email"), Ok(error(451, "mailbox not allowed")));
    project.post("/recover", recover.clone()).send().await.expect(451);
    app.hooks.take(&uri("send_email"));
    project.post("/recover", recover).send().await.expect(200);
    assert_eq!(app.hooks.take(&uri("send_email"))[0]["email_data"]["email_action_type"], "recovery");
}

on_both!(an_sms_goes_to_the_hook, an_sms_goes_to_the_hook_on_postgres, sms);
async fn sms(app: TestApp) {
    let settings = json!({ "external_phone_enabled": true, "sms_autoconfirm": false });
    let project = app.project("hooks", config(&["send_sms"], settings)).await;
    let body = json!({ "phone": "+1 555 000 0001", "password": "correct horse" });
    app.hooks.reply_next(&uri("send_sms"), Ok(error(451, "no such number")));
    project.post("/signup", body.clone()).send().await.expect(451);
    assert!(!app.stored_text().await.contains("15550000001"));
    app.hooks.take(&uri("send_sms"));
    let user = project.post("/signup", body).send().await.expect(200).json();
    let sent = app.hooks.take(&uri("send_sms"));
    assert_eq!((sent.len(), &sent[0]["metadata"]["name"]), (1, &json!("send-sms")));
    assert_eq!(sent[0]["user"]["id"], user["id"]);
    let sms = sent[0]["sms"].as_object().unwrap();
    assert_eq!((sms.len(), &sms["phone"]), (2, &json!("15550000001")));
    let verify = json!({ "type": "sms", "phone": "15550000001", "token": sms["otp"] });
    project.post("/verify", verify).send().await.expect(200);
}
