//! `POST /logout`.

use http::Method;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

on_both!(test_logout_returns_204, logout_returns_204_on_postgres, returns_204);
async fn returns_204(app: TestApp) {
    let project = app.project("logout", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let access = session["access_token"].as_str().unwrap();
    let answer = project.ask(Method::POST, "/logout").bearer(access).send().await.expect(204);
    assert_eq!(answer.text, "");
    let gone = project.get("/user").bearer(access).send().await.expect(403);
    assert_eq!(gone.error_code(), "session_not_found");
}

on_both!(test_logout_unauthenticated_401, logout_unauthenticated_401_on_postgres, unauthenticated_401);
async fn unauthenticated_401(app: TestApp) {
    let project = app.project("logout", json!({})).await;
    let answer = project.ask(Method::POST, "/logout").send().await.expect(401);
    assert_eq!(answer.error_code(), "no_authorization");
}

on_both!(test_logout_revokes_refresh_tokens, logout_revokes_refresh_tokens_on_postgres, revokes_refresh_tokens);
async fn revokes_refresh_tokens(app: TestApp) {
    for (version, email) in [(1, "stored@example.com"), (2, "bound@example.com")] {
        let config = json!({ "security_refresh_token_algorithm_version": version });
        let project = app.project(&format!("logout-{version}"), config).await;
        let first = project.sign_up(email).await;
        let second = project.sign_in(email).await;
        project.ask(Method::POST, "/logout").bearer(second["access_token"].as_str().unwrap()).send().await.expect(204);
        for session in [first, second] {
            let refused = project.refresh(&session["refresh_token"]).send().await.expect(400);
            assert_eq!(refused.error_code(), "refresh_token_not_found");
        }
    }
}

on_both!(logout_scopes_end_what_they_say, logout_scopes_end_what_they_say_on_postgres, scopes);
async fn scopes(app: TestApp) {
    let project = app.project("logout", json!({})).await;
    let first = project.sign_up("a@example.com").await;
    let second = project.sign_in("a@example.com").await;
    let third = project.sign_in("a@example.com").await;
    let token = |session: &serde_json::Value| session["access_token"].as_str().unwrap().to_owned();
    project.ask(Method::POST, "/logout?scope=local").bearer(&token(&third)).send().await.expect(204);
    project.get("/user").bearer(&token(&third)).send().await.expect(403);
    project.get("/user").bearer(&token(&first)).send().await.expect(200);
    project.ask(Method::POST, "/logout?scope=others").bearer(&token(&first)).send().await.expect(204);
    project.get("/user").bearer(&token(&second)).send().await.expect(403);
    project.get("/user").bearer(&token(&first)).send().await.expect(200);
    let unknown = project.ask(Method::POST, "/logout?scope=all").bearer(&token(&first)).send().await.expect(400);
    assert_eq!(unknown.error_code(), "validation_failed");
    project.get("/user").bearer(&token(&first)).send().await.expect(200);
}
