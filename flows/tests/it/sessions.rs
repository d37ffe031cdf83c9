//! A user's sessions: the list and its end.

use http::Method;
use serde_json::{Value, json};
use testkit::TestApp;

use crate::both::on_both;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

on_both!(test_session_list, session_list_on_postgres, session_list);
async fn session_list(app: TestApp) {
    let project = app.project("sessions", json!({})).await;
    let first = project.sign_up("a@example.com").await;
    app.clock.advance(60);
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    let second = project
        .post("/token?grant_type=password", body)
        .header("user-agent", FIREFOX)
        .header("x-forwarded-for", "192.0.2.7")
        .send()
        .await
        .expect(200)
        .json();
    let access = second["access_token"].as_str().unwrap();

    let answer = project.get("/sessions").bearer(access).send().await.expect(200);
    assert_eq!(answer.header("x-total-count"), "2");
    let sessions = answer.json()["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    let [newest, oldest] = [&sessions[0], &sessions[1]];
    assert_eq!((newest["current"].clone(), oldest["current"].clone()), (json!(true), json!(false)));
    assert_eq!(newest["user_agent"], FIREFOX);
    assert_eq!(newest["device"]["browser"].as_str().map(|text| text.contains("Firefox")), Some(true));
    assert_eq!(newest["ip"], "192.0.2.7");
    assert_eq!(newest["aal"], "aal1");
    assert_eq!(newest["amr"][0]["method"], "password");

    // Ending one leaves the other alone; another user's and unknown ids are the same to the caller.
    let stranger = project.sign_up("b@example.com").await;
    let other = stranger["access_token"].as_str().unwrap();
    let path = format!("/sessions/{}", oldest["id"].as_str().unwrap());
    project.ask(Method::DELETE, &path).bearer(other).send().await.expect(404);
    project.ask(Method::DELETE, "/sessions/abc").bearer(access).send().await.expect(404);
    project.ask(Method::DELETE, &path).bearer(access).send().await.expect(204);
    project.ask(Method::DELETE, &path).bearer(access).send().await.expect(404);
    project.get("/user").bearer(first["access_token"].as_str().unwrap()).send().await.expect(403);
    project.get("/user").bearer(access).send().await.expect(200);
}

on_both!(an_admin_lists_and_ends_sessions, an_admin_lists_and_ends_sessions_on_postgres, admin);
async fn admin(app: TestApp) {
    let project = app.project("sessions", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let path = format!("/admin/users/{}/sessions", session["user"]["id"].as_str().unwrap());
    project.get(&path).bearer(session["access_token"].as_str().unwrap()).send().await.expect(403);
    let listed = project.get(&path).bearer(&project.service_role_key).send().await.expect(200).json();
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(1));
    project.ask(Method::DELETE, &path).bearer(&project.service_role_key).send().await.expect(204);
    let listed = project.get(&path).bearer(&project.service_role_key).send().await.expect(200).json();
    assert_eq!(listed["sessions"], Value::Array(Vec::new()));
}
