//! Nothing of one project is there in another.

use http::Method;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

on_both!(projects_share_nothing, projects_share_nothing_on_postgres, nothing);
async fn nothing(app: TestApp) {
    let one = app.project("one", json!({})).await;
    let two = app.project("two", json!({})).await;
    let session = one.sign_up("a@example.com").await;
    let access = session["access_token"].as_str().unwrap();
    let user = session["user"]["id"].as_str().unwrap();

    // The same address is another person there.
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    two.post("/token?grant_type=password", body).send().await.expect(400);
    let other = two.sign_up("a@example.com").await;
    assert_ne!(other["user"]["id"], session["user"]["id"]);

    // No token, key or id of one opens anything of the other.
    for (method, path) in [(Method::GET, "/user"), (Method::POST, "/logout"), (Method::GET, "/sessions")] {
        let refused = two.ask(method, path).bearer(access).send().await.expect(403);
        assert_eq!(refused.error_code(), "bad_jwt");
    }
    two.refresh(&session["refresh_token"]).send().await.expect(400);
    two.get("/admin/users").bearer(&one.service_role_key).send().await.expect(403);
    let path = format!("/admin/users/{user}");
    two.get(&path).bearer(&two.service_role_key).send().await.expect(404);
    two.ask(Method::DELETE, &path).bearer(&two.service_role_key).send().await.expect(404);
    one.get("/user").bearer(access).send().await.expect(200);

    // Ending one leaves the other alone.
    app.management.delete_project(&one.project_ref).await.unwrap();
    one.get("/user").bearer(access).send().await.expect(404);
    two.get("/user").bearer(other["access_token"].as_str().unwrap()).send().await.expect(200);
}

on_both!(a_paused_project_serves_nothing, a_paused_project_serves_nothing_on_postgres, paused);
async fn paused(app: TestApp) {
    let project = app.project("one", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let access = session["access_token"].as_str().unwrap();
    app.management.set_paused(&project.project_ref, true).await.unwrap();
    project.get("/user").bearer(access).send().await.expect(503);
    project.refresh(&session["refresh_token"]).send().await.expect(503);
    app.management.set_paused(&project.project_ref, false).await.unwrap();
    project.get("/user").bearer(access).send().await.expect(200);
}
