//! What the operator grants a project of accounts and mails.

use domain::quota::Quota;
use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;

async fn grant(app: &TestApp, project: &TestProject, quotas: Value) {
    app.management.set_quotas(&project.project_ref, quotas.as_object().unwrap()).await.unwrap();
}

async fn accounts_are_made_as_long_as_there_is_room(app: TestApp) {
    let settings = json!({ "external_anonymous_users_enabled": true });
    let project = app.project("one", settings.clone()).await;
    let other = app.project("two", settings).await;
    grant(&app, &project, json!({ "users": 3 })).await;
    let first = project.sign_up("a@example.com").await;
    project.sign_up("b@example.com").await;
    project.post("/signup", json!({})).send().await.expect(200);

    let body = |email: &str| json!({ "email": email, "password": "correct horse" });
    let refused = project.post("/signup", body("c@example.com")).send().await.expect(422).json();
    assert_eq!(refused["error_code"], "project_quota_reached", "{refused}");
    project.post("/signup", json!({})).send().await.expect(422);
    project.post("/otp", json!({ "email": "d@example.com" })).send().await.expect(422);
    let admin = |path: &str, body: Value| project.post(path, body).bearer(&project.service_role_key).send();
    admin("/admin/users", body("e@example.com")).await.expect(422);
    admin("/invite", json!({ "email": "f@example.com" })).await.expect(422);
    let link = json!({ "type": "invite", "email": "g@example.com" });
    admin("/admin/generate_link", link).await.expect(422);
    // Who has an account goes on, and so does the neighbour.
    project.sign_in("a@example.com").await;
    other.sign_up("c@example.com").await;
    let usage = app.management.usage(&project.project_ref).await.unwrap();
    assert_eq!((usage.users, usage.refused[&Quota::Users]), (3, 6));

    let id = first["user"]["id"].as_str().unwrap();
    let gone = project.ask(Method::DELETE, &format!("/admin/users/{id}")).bearer(&project.service_role_key);
    gone.send().await.expect(200);
    app.clock.advance(6);
    project.sign_up("c@example.com").await;
    project.post("/signup", body("h@example.com")).send().await.expect(422);
    grant(&app, &project, json!({ "users": null })).await;
    project.sign_up("h@example.com").await;
}
on_both!(room_for_accounts_on_sqlite, room_for_accounts_on_postgres, accounts_are_made_as_long_as_there_is_room);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_learns_of_accounts_a_full_project_refuses_known_and_unknown_addresses_alike() {
    let app = TestApp::sqlite().await;
    let settings = json!({ "mailer_autoconfirm": false, "security_enumeration_protection_enabled": true });
    let project = app.project("one", settings).await;
    project.post("/signup", json!({ "email": "a@example.com", "password": "correct horse" })).send().await.expect(200);
    grant(&app, &project, json!({ "users": 1 })).await;
    app.clock.advance(3600);
    for email in ["a@example.com", "b@example.com"] {
        let body = json!({ "email": email, "password": "correct horse" });
        project.post("/signup", body).send().await.expect(422);
        let asked = project.post("/otp", json!({ "email": email })).send().await.expect(200).json();
        assert_eq!(asked, json!({}), "{email}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_sends_as_many_mails_as_it_is_granted() {
    let app = TestApp::sqlite().await;
    let project = app.project("one", json!({})).await;
    for name in ["a", "b", "c"] {
        project.sign_up(&format!("{name}@example.com")).await;
    }
    grant(&app, &project, json!({ "mails_per_hour": 2 })).await;
    let recover = |name: &str| project.post("/recover", json!({ "email": format!("{name}@example.com") })).send();
    recover("a").await.expect(200);
    recover("b").await.expect(200);
    let refused = recover("c").await.expect(429).json();
    assert_eq!(refused["error_code"], "over_email_send_rate_limit", "{refused}");
    let usage = app.management.usage(&project.project_ref).await.unwrap();
    assert_eq!((usage.mails_last_hour, usage.refused[&Quota::MailsPerHour]), (2, 1));
    app.clock.advance(3601);
    recover("c").await.expect(200);
}
