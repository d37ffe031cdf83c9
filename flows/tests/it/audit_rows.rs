//! What the rows of the audit log say about who did what.

use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::letters::{access, admin, mail, project, put};
use crate::mails::confirmed_user;

/// The payloads of `action`, newest first.
async fn rows(project: &TestProject, action: &str) -> Vec<Value> {
    let path = format!("/admin/audit?query=action:{action}");
    let listed = admin(project, Method::GET, &path, json!({})).await.expect(200).json();
    listed.as_array().unwrap().iter().map(|row| row["payload"].clone()).collect()
}

fn actors(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["actor_username"].as_str().unwrap()).collect()
}

on_both!(a_contact_taken_at_once_is_written_twice, a_contact_taken_at_once_is_written_twice_on_postgres, at_once);
async fn at_once(app: TestApp) {
    let project = project(&app, json!({ "sms_autoconfirm": true, "mailer_autoconfirm": true })).await;
    let session = project.post("/signup", json!({})).send().await.expect(200).json();
    put(&project, &session, json!({ "email": "a@example.com" })).await.expect(200);
    // The change as a whole is the act of the user as he is then.
    assert_eq!(actors(&rows(&project, "user_modified").await), ["a@example.com", ""]);
    put(&project, &session, json!({ "phone": "15550001111" })).await.expect(200);
    let modified = rows(&project, "user_modified").await;
    assert_eq!(actors(&modified), ["15550001111", "a@example.com", "a@example.com", ""]);
    put(&project, &session, json!({ "data": { "full_name": "Ada" } })).await.expect(200);
    let modified = rows(&project, "user_modified").await;
    assert_eq!(modified.len(), 5);
    assert_eq!((&modified[0]["actor_name"], modified[1].get("actor_name")), (&json!("Ada"), None));
    assert!(modified.iter().all(|row| row.get("traits").is_none()));
}

on_both!(an_invitation_names_no_number, an_invitation_names_no_number_on_postgres, invited);
async fn invited(app: TestApp) {
    let project = project(&app, json!({})).await;
    let body = json!({ "email": "a@example.com" });
    let user = admin(&project, Method::POST, "/invite", body).await.expect(200).json();
    mail(&app, "a@example.com").await;
    let traits = json!({ "user_id": user["id"], "user_email": "a@example.com" });
    assert_eq!(rows(&project, "user_invited").await[0]["traits"], traits);
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    admin(&project, Method::PUT, &path, json!({ "user_metadata": {} })).await.expect(200);
    let traits = json!({ "user_id": user["id"], "user_email": "a@example.com", "user_phone": "" });
    assert_eq!(rows(&project, "user_modified").await[0]["traits"], traits);
}

on_both!(the_end_of_a_session_names_its_user, the_end_of_a_session_names_its_user_on_postgres, ended);
async fn ended(app: TestApp) {
    let project = project(&app, json!({})).await;
    let body = json!({
        "email": "a@example.com", "phone": "15550001111", "user_metadata": { "full_name": "Ada" }
    });
    let user = confirmed_user(&project, body).await;
    let (session, other) = (project.sign_in("a@example.com").await, project.sign_in("a@example.com").await);
    let path = "/sessions";
    let listed = project.get(path).bearer(access(&session)).send().await.expect(200).json();
    let ids = listed["sessions"].as_array().unwrap().iter();
    let id = ids.filter(|entry| entry["current"] != true).map(|entry| entry["id"].as_str().unwrap()).next().unwrap();
    let end = project.ask(Method::DELETE, &format!("{path}/{id}")).bearer(access(&session));
    end.send().await.expect(204);
    project.post("/logout", json!({})).bearer(access(&session)).send().await.expect(204);
    let rows = rows(&project, "logout").await;
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!((&row["actor_username"], &row["actor_name"]), (&json!("15550001111"), &json!("Ada")));
        assert_eq!(row["actor_id"], user["id"]);
    }
    project.get("/user").bearer(access(&other)).send().await.expect(403);
}

on_both!(the_end_of_an_account_names_it, the_end_of_an_account_names_it_on_postgres, deleted);
async fn deleted(app: TestApp) {
    let project = project(&app, json!({})).await;
    let user = confirmed_user(&project, json!({ "email": "a@example.com", "phone": "15550001111" })).await;
    let session = project.sign_in("a@example.com").await;
    project.ask(Method::DELETE, "/user").bearer(access(&session)).send().await.expect(204);
    let row = rows(&project, "user_deleted").await.remove(0);
    let traits = json!({ "user_id": user["id"], "user_email": "a@example.com", "user_phone": "15550001111" });
    assert_eq!((&row["traits"], &row["actor_id"]), (&traits, &user["id"]));
}
