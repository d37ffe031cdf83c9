//! Sign-in by password: what is told, what is written down, how often one may try.

use std::collections::BTreeSet;

use http::Method;
use outbound::mailbox::{Page, Scope};
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::hooks::{password_grant, sessions_of};

async fn admin_makes(project: &TestProject, user: Value) -> Value {
    project.post("/admin/users", user).bearer(&project.service_role_key).send().await.expect(200).json()
}

async fn ban(project: &TestProject, user: &Value) {
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    let ban = project.ask(Method::PUT, &path).bearer(&project.service_role_key).json(&json!({ "ban_duration": "1h" }));
    ban.send().await.expect(200);
}

/// Makes one account of each kind: `confirmed@`, `unconfirmed@` and `banned@example.com`, and none for `nobody@`.
async fn accounts(project: &TestProject) {
    let account = |name: &str, confirmed: bool| {
        let email = format!("{name}@example.com");
        json!({ "email": email, "password": "correct horse", "email_confirm": confirmed })
    };
    admin_makes(project, account("confirmed", true)).await;
    admin_makes(project, account("unconfirmed", false)).await;
    let banned = admin_makes(project, account("banned", true)).await;
    ban(project, &banned).await;
}

async fn grant(project: &TestProject, name: &str, password: &str) -> Answer {
    password_grant(project, &format!("{name}@example.com"), password).send().await
}

on_both!(the_contract_tells_what_stands_in_the_way, the_contract_tells_what_stands_in_the_way_on_postgres, tells);
async fn tells(app: TestApp) {
    let project = app.project("sign-in", json!({ "mailer_autoconfirm": false })).await;
    accounts(&project).await;
    for (name, password, code) in [
        ("nobody", "correct horse", "invalid_credentials"),
        ("confirmed", "wrong", "invalid_credentials"),
        ("unconfirmed", "wrong", "invalid_credentials"),
        ("unconfirmed", "correct horse", "email_not_confirmed"),
        ("banned", "wrong", "user_banned"),
        ("banned", "correct horse", "user_banned"),
    ] {
        assert_eq!(grant(&project, name, password).await.expect(400).error_code(), code, "{name} {password}");
    }
    grant(&project, "confirmed", "correct horse").await.expect(200);
    assert_eq!(app.mailbox.list(Scope::All, Page::default()).total, 0);
}

on_both!(
    with_protection_only_a_right_password_tells,
    with_protection_only_a_right_password_tells_on_postgres,
    protected
);
async fn protected(app: TestApp) {
    let settings = json!({ "mailer_autoconfirm": false, "security_enumeration_protection_enabled": true });
    let project = app.project("sign-in", settings).await;
    accounts(&project).await;
    let mut answers = BTreeSet::new();
    for (name, password) in [
        ("nobody", "correct horse"),
        ("confirmed", "wrong"),
        ("unconfirmed", "wrong"),
        ("banned", "wrong"),
        ("unconfirmed", "correct horse"),
    ] {
        answers.insert(grant(&project, name, password).await.expect(400).text);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(grant(&project, "banned", "correct horse").await.expect(400).error_code(), "user_banned");
    grant(&project, "confirmed", "correct horse").await.expect(200);
}

on_both!(
    a_wrong_password_costs_the_same_for_everybody,
    a_wrong_password_costs_the_same_for_everybody_on_postgres,
    work
);
async fn work(app: TestApp) {
    let settings = json!({
        "mailer_autoconfirm": false,
        "security_enumeration_protection_enabled": true,
        "audit_log_failures_enabled": true,
        "rate_limit_sign_in_per_email": 1000,
    });
    let project = app.project("sign-in", settings).await;
    accounts(&project).await;
    grant(&project, "warm", "wrong").await.expect(400);
    let mut spent = BTreeSet::new();
    for name in ["nobody", "confirmed", "unconfirmed", "banned"] {
        let before = app.database.statements();
        grant(&project, name, "wrong").await.expect(400);
        spent.insert(app.database.statements() - before);
    }
    assert_eq!(spent.len(), 1, "{spent:?}");
}

on_both!(an_unconfirmed_owner_gets_his_mail_again, an_unconfirmed_owner_gets_his_mail_again_on_postgres, reminded);
async fn reminded(app: TestApp) {
    let settings = json!({ "mailer_autoconfirm": false, "security_enumeration_protection_enabled": true });
    let project = app.project("sign-in", crate::hooks::config(&["send_email"], settings)).await;
    accounts(&project).await;
    let mails = || app.hooks.take(&crate::hooks::uri("send_email"));
    grant(&project, "unconfirmed", "wrong").await.expect(400);
    assert!(mails().is_empty());
    grant(&project, "unconfirmed", "correct horse").await.expect(400);
    let sent = mails();
    assert_eq!((sent.len(), &sent[0]["email_data"]["email_action_type"]), (1, &json!("signup")));
    // Not more often than messages go out, and with the same answer.
    grant(&project, "unconfirmed", "correct horse").await.expect(400);
    assert!(mails().is_empty());
    let verify = json!({ "type": "signup", "token_hash": sent[0]["email_data"]["token_hash"] });
    project.post("/verify", verify).send().await.expect(200);
    grant(&project, "unconfirmed", "correct horse").await.expect(200);
}

on_both!(refused_sign_ins_are_written_down_on_request, refused_sign_ins_are_written_down_on_request_on_postgres, noted);
async fn noted(app: TestApp) {
    let failures = async |project: &TestProject| -> Vec<Value> {
        let rows = project.get("/admin/audit").bearer(&project.service_role_key).send().await.expect(200).json();
        let rows = rows.as_array().cloned().unwrap();
        rows.into_iter().map(|row| row["payload"].clone()).filter(|row| row["action"] == "login_failed").collect()
    };
    let quiet = app.project("quiet", json!({})).await;
    grant(&quiet, "nobody", "wrong").await.expect(400);
    assert!(failures(&quiet).await.is_empty());

    let project = app.project("sign-in", json!({ "audit_log_failures_enabled": true })).await;
    accounts(&project).await;
    grant(&project, "nobody", "wrong").await.expect(400);
    grant(&project, "banned", "wrong").await.expect(400);
    grant(&project, "confirmed", "correct horse").await.expect(200);
    let mut noted: Vec<_> = failures(&project).await;
    noted.sort_by_key(|row| row["actor_username"].to_string());
    assert_eq!(noted.len(), 2);
    assert_eq!(noted[0]["traits"], json!({ "provider": "email", "reason": "user_banned" }));
    assert_eq!(noted[1]["traits"], json!({ "provider": "email", "reason": "invalid_credentials" }));
    assert_eq!(noted[1]["actor_username"], "nobody@example.com");
}

on_both!(a_weak_password_signs_in_and_is_told, a_weak_password_signs_in_and_is_told_on_postgres, weak);
async fn weak(app: TestApp) {
    let project = app.project("sign-in", json!({})).await;
    let strong = project.sign_up("a@example.com").await;
    assert_eq!(strong.get("weak_password"), None);
    assert_eq!(project.sign_in("a@example.com").await["weak_password"], Value::Null);
    let patch = json!({ "password_min_length": 20 });
    app.management.patch_config(&project.project_ref, patch.as_object().unwrap()).await.unwrap();
    let weak = project.sign_in("a@example.com").await;
    assert_eq!(weak["weak_password"]["reasons"], json!(["length"]));
    assert_eq!(sessions_of(&project, &weak["user"]["id"]).await, 3);
}

on_both!(attempts_for_one_address_are_limited, attempts_for_one_address_are_limited_on_postgres, limited);
async fn limited(app: TestApp) {
    let settings = json!({ "rate_limit_sign_in_per_email": 5, "rate_limit_sign_in_window": 900 });
    let project = app.project("sign-in", settings).await;
    let sibling = app.sibling().await;
    let there = sibling.through(&project);
    accounts(&project).await;
    for name in ["confirmed", "nobody"] {
        for attempt in 0..5 {
            let gateway = if attempt % 2 == 0 { &project } else { &there };
            grant(gateway, name, "wrong").await.expect(400);
        }
        app.clock.advance(100);
        // The right password does not help any more, on no gateway and in no spelling.
        for refused in [grant(&there, name, "correct horse").await, grant(&project, &name.to_uppercase(), "x").await] {
            let refused = refused.expect(429);
            assert_eq!(
                (refused.error_code().as_str(), refused.header("retry-after")),
                ("over_request_rate_limit", "800")
            );
        }
        app.clock.advance(800);
    }
    grant(&project, "confirmed", "correct horse").await.expect(200);

    // A success starts anew.
    for _ in 0..3 {
        for _ in 0..4 {
            grant(&project, "confirmed", "wrong").await.expect(400);
        }
        grant(&there, "confirmed", "correct horse").await.expect(200);
    }
}

on_both!(the_named_audience_narrows_look_ups, the_named_audience_narrows_look_ups_on_postgres, audience);
async fn audience(app: TestApp) {
    let project = app.project("audience", json!({})).await;
    project.sign_up("a@example.com").await;
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    let ask = |aud: &str| project.post("/token?grant_type=password", body.clone()).header("x-jwt-aud", aud);
    ask("authenticated").send().await.expect(200);
    assert_eq!(ask("elsewhere").send().await.expect(400).error_code(), "invalid_credentials");
}
