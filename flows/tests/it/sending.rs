//! Whoever takes a message, or is asked before one, may take his time: no connection waits for him.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::TestApp;

use crate::both::on_both;
use crate::hooks::{config as hooked, uri};
use crate::mails::{confirmed_user, confirming, count_users, one};

/// Waits until a hook was asked.
async fn asked_hook(app: &TestApp) {
    let asked = async {
        while app.hooks.calls().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.unwrap();
}

on_both!(nobody_waits_for_a_slow_message, nobody_waits_for_a_slow_message_on_postgres, slow);
async fn slow(app: TestApp) {
    let other = app.project("other", confirming(json!({}))).await;
    let points = ["before_user_created", "send_email", "send_sms"];
    let config = confirming(json!({ "external_phone_enabled": true }));
    let project = app.project("slow", hooked(&points, config)).await;
    for (round, point) in points.into_iter().enumerate() {
        let contact = |n: usize| match point {
            "send_sms" => json!({ "phone": format!("1555000{round}1{n:02}") }),
            _ => json!({ "email": format!("{point}{n}@example.com") }),
        };
        app.hooks.take(&uri(point));
        app.hooks.hold(&uri(point));
        // More than the database has connections.
        let asks = (0..12).map(|n| tokio::spawn(project.post("/otp", contact(n)).send()));
        let waiting: Vec<_> = asks.collect();
        tokio::time::timeout(Duration::from_secs(20), async {
            while app.hooks.calls().iter().filter(|(called, _)| *called == uri(point)).count() < waiting.len() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        // Nothing is there yet, and others get their mail.
        assert_eq!(count_users(&project).await, 12 * round, "{point}");
        let email = format!("{point}@example.com");
        other.post("/otp", json!({ "email": email })).send().await.expect(200);
        one(&app, &email).await;
        app.hooks.release(&uri(point));
        for answer in waiting {
            answer.await.unwrap().expect(200);
        }
        assert_eq!(count_users(&project).await, 12 * (round + 1), "{point}");
    }
}

on_both!(a_deletion_meanwhile_leaves_nothing, a_deletion_meanwhile_leaves_nothing_on_postgres, deleted);
async fn deleted(app: TestApp) {
    let project = app.project("slow", hooked(&["send_email"], confirming(json!({})))).await;
    let user = confirmed_user(&project, json!({ "email": "a@example.com" })).await;
    let point = uri("send_email");
    app.hooks.hold(&point);
    let asked = tokio::spawn(project.post("/recover", json!({ "email": "a@example.com" })).send());
    asked_hook(&app).await;
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    project.ask(http::Method::DELETE, &path).bearer(&project.service_role_key).send().await.expect(200);
    app.hooks.release(&point);
    // As for an address that never had an account.
    let answer: Value = asked.await.unwrap().expect(200).json();
    assert_eq!((answer, count_users(&project).await), (json!({}), 0));
    let told = app.hooks.take(&point).pop().unwrap();
    let hash = json!({ "type": "recovery", "token_hash": told["email_data"]["token_hash"] });
    project.post("/verify", hash).send().await.expect(403);
}

on_both!(a_change_meanwhile_is_worth_another_try, a_change_meanwhile_is_worth_a_try_on_postgres, changed);
async fn changed(app: TestApp) {
    let project = app.project("slow", hooked(&["send_email"], confirming(json!({})))).await;
    let user = confirmed_user(&project, json!({ "email": "a@example.com" })).await;
    let point = uri("send_email");
    app.hooks.hold(&point);
    let asked = tokio::spawn(project.post("/recover", json!({ "email": "a@example.com" })).send());
    asked_hook(&app).await;
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    let moved = json!({ "email": "b@example.com", "email_confirm": true });
    project.ask(http::Method::PUT, &path).bearer(&project.service_role_key).json(&moved).send().await.expect(200);
    app.hooks.release(&point);
    asked.await.unwrap().expect(503);
    // What went to the address from before opens nothing.
    let told = app.hooks.take(&point).pop().unwrap();
    let hash = json!({ "type": "recovery", "token_hash": told["email_data"]["token_hash"] });
    project.post("/verify", hash).send().await.expect(403);
}
