//! `GET /admin/audit`: what the log tells.

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;

async fn audit(project: &TestProject, query: &str) -> Answer {
    project.get(&format!("/admin/audit?{query}")).bearer(&project.service_role_key).send().await
}

fn actions(answer: &Answer) -> Vec<String> {
    let entries = answer.json();
    let action = |entry: &Value| entry["payload"]["action"].as_str().unwrap().to_owned();
    entries.as_array().unwrap().iter().map(action).collect()
}

on_both!(the_log_tells_the_newest_first, the_log_tells_the_newest_first_on_postgres, newest);
async fn newest(app: TestApp) {
    let project = app.project("audit", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let access = session["access_token"].as_str().unwrap();
    app.clock.advance(1);
    project.ask(Method::PUT, "/user").json(&json!({ "data": { "a": 1 } })).bearer(access).send().await.expect(200);
    app.clock.advance(1);
    project.post("/logout", json!({})).bearer(access).send().await.expect(204);

    let all = audit(&project, "").await.expect(200);
    // The first two were written in the same instant.
    assert_eq!(actions(&all), ["logout", "user_modified", "login", "user_signedup"]);
    assert_eq!(all.header("x-total-count"), "4");
    let newest = all.json()[0].clone();
    assert_eq!(newest["payload"]["actor_id"], session["user"]["id"]);
    assert_eq!((&newest["payload"]["log_type"], &newest["ip_address"]), (&json!("account"), &json!("")));
    let second = audit(&project, "page=2&per_page=3").await.expect(200);
    assert_eq!(actions(&second), ["user_signedup"]);
    assert!(second.header("link").ends_with("page=2&per_page=3>; rel=\"last\""), "{}", second.header("link"));
}

on_both!(the_log_is_searched_by_scope, the_log_is_searched_by_scope_on_postgres, scopes);
async fn scopes(app: TestApp) {
    let project = app.project("audit", json!({})).await;
    project.sign_up("a@example.com").await;
    project.sign_up("b@example.com").await;
    for (query, count) in [
        ("query=author:A@EXAMPLE", 2),
        ("query=action:login", 2),
        ("query=type:team", 2),
        ("query=author:", 4),
        ("query=author:nobody", 0),
        ("query=author:%25", 4),
        ("query=action:%5C", 0),
        ("query=action:%27%20or%201%3D1", 0),
    ] {
        let found = audit(&project, query).await.expect(200);
        assert_eq!(found.header("x-total-count"), count.to_string(), "{query}");
    }
    for bad in ["query=login", "query=actor:x", "page=x", "query=%00"] {
        assert_eq!(audit(&project, bad).await.expect(400).error_code(), "validation_failed", "{bad}");
    }
    assert_eq!(project.get("/admin/audit").send().await.expect(401).error_code(), "no_authorization");
    assert_eq!(
        project.get("/admin/audit").bearer(&project.anon_key).send().await.expect(403).error_code(),
        "not_admin"
    );
}

on_both!(a_project_may_keep_no_log, a_project_may_keep_no_log_on_postgres, none);
async fn none(app: TestApp) {
    let project = app.project("audit", json!({ "audit_log_disable_postgres": true })).await;
    project.sign_up("a@example.com").await;
    let all = audit(&project, "").await.expect(200);
    assert_eq!((all.text.as_str(), all.header("x-total-count")), ("[]", "0"));
    assert!(all.header("link").ends_with("page=0>; rel=\"last\""), "{}", all.header("link"));
}
