//! Sign-ups that are confirmed by mail.

use std::time::Duration;

use futures::future::join_all;
use outbound::mailbox::{Page, Scope};
use serde_json::json;
use testkit::{TestApp, TestProject};

use crate::both::on_both;

/// The text of the newest mail to `email`, once it has arrived.
async fn mail_to(app: &TestApp, email: &str) -> String {
    let arrival = async {
        loop {
            let listing = app.mailbox.search(Scope::All, &format!("to:{email}"), Page::default());
            if let Some(summary) = listing.messages.first() {
                return app.mailbox.get(Scope::All, &summary.id).unwrap().html;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrival).await.unwrap()
}

fn link_token(html: &str) -> String {
    let from = html.find("token=").unwrap() + "token=".len();
    html[from..].chars().take_while(char::is_ascii_hexdigit).collect()
}

async fn confirming(app: &TestApp) -> TestProject {
    app.project("confirm", json!({ "mailer_autoconfirm": false, "smtp_max_frequency": 1 })).await
}

on_both!(test_confirmation_tokens_hashed, confirmation_tokens_hashed_on_postgres, hashed);
async fn hashed(app: TestApp) {
    let project = confirming(&app).await;
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    let user = project.post("/signup", body).send().await.expect(200).json();
    let token = link_token(&mail_to(&app, "a@example.com").await);
    assert_eq!(token.len(), 56);
    let stored = app.stored_text().await;
    assert!(stored.contains(user["email"].as_str().unwrap()));
    assert!(!stored.contains(&token), "what stands in the link stands in the database");
    let landing = project.get(&format!("/verify?type=signup&token={token}")).send().await.expect(303);
    assert!(landing.header("location").contains("#access_token="));
}

on_both!(a_link_is_used_once_however_many_follow_it, a_link_is_used_once_on_postgres, once);
async fn once(app: TestApp) {
    let project = confirming(&app).await;
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    project.post("/signup", body).send().await.expect(200);
    let token = link_token(&mail_to(&app, "a@example.com").await);
    let path = format!("/verify?type=signup&token={token}");
    let answers = join_all((0..100).map(|_| project.get(&path).send())).await;
    let winners = answers.iter().filter(|answer| answer.header("location").contains("#access_token=")).count();
    assert_eq!(winners, 1);
    assert!(answers.iter().all(|answer| answer.status == 303));
}

on_both!(a_code_dies_after_ten_wrong_guesses, a_code_dies_after_ten_wrong_guesses_on_postgres, guesses);
async fn guesses(app: TestApp) {
    let project = confirming(&app).await;
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    project.post("/signup", body).send().await.expect(200);
    let token = link_token(&mail_to(&app, "a@example.com").await);
    for n in 0..10 {
        let wrong = json!({ "type": "signup", "email": "a@example.com", "token": format!("{n}0000000") });
        let refused = project.post("/verify", wrong).send().await.expect(403);
        assert_eq!(refused.error_code(), "otp_expired");
    }
    let dead = project.post("/verify", json!({ "type": "signup", "token_hash": token })).send().await.expect(403);
    assert_eq!(dead.error_code(), "otp_expired");
}

on_both!(a_mail_cools_down_and_expires, a_mail_cools_down_and_expires_on_postgres, cool_down);
async fn cool_down(app: TestApp) {
    let config = json!({ "mailer_autoconfirm": false, "smtp_max_frequency": 60, "mailer_otp_exp": 300 });
    let project = app.project("confirm", config).await;
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    let first = project.post("/signup", body.clone()).send().await.expect(200).json();
    let soon = project.post("/signup", body.clone()).send().await.expect(429);
    assert_eq!(soon.error_code(), "over_email_send_rate_limit");
    let token = link_token(&mail_to(&app, "a@example.com").await);
    app.clock.advance(301);
    let late = project.post("/verify", json!({ "type": "signup", "token_hash": token })).send().await.expect(403);
    assert_eq!(late.error_code(), "otp_expired");
    let again = project.post("/signup", body).send().await.expect(200).json();
    assert_eq!(again["id"], first["id"]);
}
