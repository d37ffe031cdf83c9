//! The end of one's own account.

use http::Method;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;
use crate::letters::{access, admin, confirmed, mail, project, put, shielded, verify};

const ADDRESS: &str = "a@example.com";

on_both!(an_account_ends_with_all_it_has, an_account_ends_with_all_it_has_on_postgres, ends);
async fn ends(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    let user = confirmed(&project, ADDRESS).await;
    let (session, other) = (project.sign_in(ADDRESS).await, project.sign_in(ADDRESS).await);
    elsewhere.refresh(&other["refresh_token"]).send().await.expect(200);
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;

    project.ask(Method::DELETE, "/user").send().await.expect(401);
    let gone = project.ask(Method::DELETE, "/user").bearer(access(&session)).send().await.expect(204);
    assert_eq!(gone.text, "");
    for gateway in [&project, &elsewhere] {
        for session in [&session, &other] {
            gateway.get("/user").bearer(access(session)).send().await.expect(403);
            gateway.refresh(&session["refresh_token"]).send().await.expect(400);
        }
    }
    verify(&project, json!({ "type": "recovery", "token_hash": letter.hash })).await.expect(403);
    let grant = json!({ "email": ADDRESS, "password": "correct horse" });
    project.post("/token?grant_type=password", grant).send().await.expect(400);
    project.ask(Method::DELETE, "/user").bearer(access(&session)).send().await.expect(403);

    // The row stays without what names a person, and is written down.
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    let kept = admin(&project, Method::GET, &path, json!({})).await.expect(200).json();
    assert!(kept["deleted_at"].is_string());
    assert_ne!(kept["email"], ADDRESS);
    assert_eq!(kept["user_metadata"], json!({}));
    let audit =
        admin(&project, Method::GET, "/admin/audit?query=action:user_deleted", json!({})).await.expect(200).json();
    assert_eq!(audit[0]["payload"]["actor_id"], user["id"]);
    // The address is free again.
    let again = confirmed(&project, ADDRESS).await;
    assert_ne!(again["id"], user["id"]);
    project.sign_in(ADDRESS).await;
}

on_both!(an_old_session_must_prove_itself, an_old_session_must_prove_itself_on_postgres, proof);
async fn proof(app: TestApp) {
    let project = shielded(&app, json!({ "sessions_timebox": 0, "jwt_exp": 900 })).await;
    let account = json!({ "email": ADDRESS, "password": "walrus and carpenter", "email_confirm": true });
    admin(&project, Method::POST, "/admin/users", account).await.expect(200);
    let grant = json!({ "email": ADDRESS, "password": "walrus and carpenter" });
    let session = project.post("/token?grant_type=password", grant).send().await.expect(200).json();
    app.clock.advance(86_401);
    let session = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    let delete = |body| project.ask(Method::DELETE, "/user").bearer(access(&session)).json(&body).send();
    let refused = delete(json!({})).await.expect(400);
    assert_eq!(refused.error_code(), "reauthentication_needed");
    assert_eq!(
        delete(json!({ "current_password": "wrong" })).await.expect(400).error_code(),
        "current_password_invalid"
    );
    // The same for a password.
    let weak = put(&project, &session, json!({ "password": "another walrus entirely" })).await.expect(400);
    assert_eq!(weak.error_code(), "reauthentication_needed");
    delete(json!({ "current_password": "walrus and carpenter" })).await.expect(204);
}
