//! A hook that takes its time holds no connection and delays nobody else.

use std::time::Duration;

use serde_json::json;
use testkit::TestApp;

use super::{config, password_grant, uri};
use crate::both::on_both;

const POINTS: [&str; 2] = ["password_verification_attempt", "custom_access_token"];

on_both!(nobody_waits_for_a_hook_of_others, nobody_waits_for_a_hook_of_others_on_postgres, nobody_waits);
async fn nobody_waits(app: TestApp) {
    let other = app.project("other", json!({})).await;
    for point in POINTS {
        let name = point.replace('_', "-");
        let project = app.project(name.get(..20).unwrap_or(&name), config(&[point], json!({}))).await;
        if point == "custom_access_token" {
            app.hooks.reply_with(&uri(point), |payload| Ok(json!({ "claims": payload["claims"] })));
        }
        project.sign_up("a@example.com").await;
        app.hooks.take(&uri(point));
        app.hooks.hold(&uri(point));
        // More than the database has connections.
        let waiting: Vec<_> =
            (0..12).map(|_| tokio::spawn(password_grant(&project, "a@example.com", "correct horse").send())).collect();
        tokio::time::timeout(Duration::from_secs(20), async {
            while app.hooks.calls().iter().filter(|(called, _)| *called == uri(point)).count() < waiting.len() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        let served = async {
            let session = other.sign_up(&format!("{name}@example.com")).await;
            other.get("/user").bearer(session["access_token"].as_str().unwrap()).send().await.expect(200);
            project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(200);
        };
        tokio::time::timeout(Duration::from_secs(20), served).await.unwrap();
        app.hooks.release(&uri(point));
        for answer in waiting {
            answer.await.unwrap().expect(200);
        }
    }
}
