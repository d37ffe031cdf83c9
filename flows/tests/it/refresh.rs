//! Refresh: successors, reuse, theft.

use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

on_both!(reuse_outside_the_interval_ends_the_family, reuse_outside_the_interval_ends_the_family_on_postgres, theft);
async fn theft(app: TestApp) {
    for version in [1, 2] {
        let config = json!({
            "security_refresh_token_algorithm_version": version, "security_refresh_token_reuse_interval": 5
        });
        let project = app.project(&format!("refresh-{version}"), config).await;
        let first = project.sign_up("a@example.com").await;
        let second = project.refresh(&first["refresh_token"]).send().await.expect(200).json();
        let third = project.refresh(&second["refresh_token"]).send().await.expect(200).json();
        app.clock.advance(6);
        let stolen = project.refresh(&first["refresh_token"]).send().await.expect(400);
        assert_eq!(stolen.error_code(), "refresh_token_already_used");
        let rotated = if version == 2 { "true" } else { "" };
        assert_eq!(stolen.header("sb-auth-refresh-token-rotated"), rotated);
        // All of it, at once.
        for token in [&first, &second, &third] {
            project.refresh(&token["refresh_token"]).send().await.expect(400);
        }
    }
}

on_both!(a_lost_answer_is_given_again, a_lost_answer_is_given_again_on_postgres, lost);
async fn lost(app: TestApp) {
    for version in [1, 2] {
        let config = json!({
            "security_refresh_token_algorithm_version": version, "security_refresh_token_reuse_interval": 0
        });
        let project = app.project(&format!("refresh-{version}"), config).await;
        let first = project.sign_up("a@example.com").await;
        let second = project.refresh(&first["refresh_token"]).send().await.expect(200).json();
        app.clock.advance(3600);
        let again = project.refresh(&first["refresh_token"]).send().await.expect(200).json();
        assert_eq!(again["refresh_token"], second["refresh_token"]);
    }
}

on_both!(a_banned_user_gets_no_successor, a_banned_user_gets_no_successor_on_postgres, banned);
async fn banned(app: TestApp) {
    let project = app.project("refresh", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    // The session's actor remembers the user as he was.
    let next = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let ban = json!({ "ban_duration": "1h" });
    project.ask(http::Method::PUT, &path).bearer(&project.service_role_key).json(&ban).send().await.expect(200);
    let refused = project.refresh(&next["refresh_token"]).send().await.expect(400);
    assert_eq!(refused.error_code(), "user_banned");
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    project.post("/token?grant_type=password", body).send().await.expect(400);
    app.clock.advance(3601);
    project.refresh(&next["refresh_token"]).send().await.expect(200);
}
