//! `POST /invite`.

use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::hooks::{config as hooked, error, uri};
use crate::mails::{confirmed_user, confirming, count_users, one, show_hash, type_code};

const EMAIL: &str = "a@example.com";

async fn invite(project: &TestProject, body: Value) -> Answer {
    project.post("/invite", body).bearer(&project.service_role_key).send().await
}

on_both!(an_invitation_opens_an_account, an_invitation_opens_an_account_on_postgres, opens);
async fn opens(app: TestApp) {
    // Neither closed sign-ups nor a switched-off provider keep an administrator from inviting.
    let config = confirming(json!({ "disable_signup": true, "external_email_enabled": false }));
    let project = app.project("invite", config).await;
    let user = invite(&project, json!({ "email": "A@Example.com", "data": { "team": "x" } })).await.expect(200).json();
    assert_eq!((&user["email"], &user["user_metadata"]), (&json!(EMAIL), &json!({ "team": "x" })));
    assert!(user["invited_at"].is_string() && user["confirmation_sent_at"].is_string());
    assert_eq!(user["identities"][0]["identity_data"].get("team"), None);
    let mail = one(&app, EMAIL).await;
    assert_eq!(mail.kind, "invite");
    assert!(mail.link.contains("&type=invite&"));
    let session = show_hash(&project, "invite", &mail.hash).await.expect(200).json();
    assert_eq!(session["user"]["id"], user["id"]);
    assert_eq!(session["user"]["user_metadata"], json!({ "team": "x", "email_verified": true }));
    let again = invite(&project, json!({ "email": EMAIL })).await.expect(422);
    assert_eq!(again.error_code(), "email_exists");
}

on_both!(who_has_not_come_is_invited_again, who_has_not_come_is_invited_again_on_postgres, again);
async fn again(app: TestApp) {
    let project = app.project("invite", confirming(json!({}))).await;
    let first = invite(&project, json!({ "email": EMAIL, "data": { "team": "x" } })).await.expect(200).json();
    let old = one(&app, EMAIL).await;
    // At once: invitations have no cool-down.
    let second = invite(&project, json!({ "email": EMAIL, "data": { "team": "y" } })).await.expect(200).json();
    assert_eq!((&second["id"], &second["user_metadata"]), (&first["id"], &first["user_metadata"]));
    show_hash(&project, "invite", &old.hash).await.expect(403);
    let new = one(&app, EMAIL).await;
    type_code(&project, "invite", EMAIL, &new.code).await.expect(200);
}

on_both!(who_may_invite_and_whom, who_may_invite_and_whom_on_postgres, refused);
async fn refused(app: TestApp) {
    let project = app.project("invite", confirming(json!({}))).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    let token = project.sign_in(EMAIL).await["access_token"].as_str().unwrap().to_owned();
    let body = json!({ "email": "b@example.com" });
    project.post("/invite", body.clone()).send().await.expect(401);
    project.post("/invite", body.clone()).bearer(&project.anon_key).send().await.expect(403);
    project.post("/invite", body).bearer(&token).send().await.expect(403);
    for (body, message) in [
        (json!({}), "An email address is required"),
        (json!({ "email": "nope" }), "Unable to validate email address: invalid format"),
    ] {
        assert_eq!(invite(&project, body).await.expect(400).json()["msg"], message);
    }
    assert_eq!(count_users(&project).await, 1);
}

on_both!(hooks_see_the_invited, hooks_see_the_invited_on_postgres, hooks);
async fn hooks(app: TestApp) {
    let points = ["before_user_created", "after_user_created", "send_email"];
    let project = app.project("invite", hooked(&points, confirming(json!({})))).await;
    for point in ["before_user_created", "send_email"] {
        app.hooks.reply_next(&uri(point), Ok(error(403, "no")));
        invite(&project, json!({ "email": EMAIL })).await.expect(403);
        assert_eq!(count_users(&project).await, 0);
    }
    let user = invite(&project, json!({ "email": EMAIL, "data": { "team": "x" } })).await.expect(200).json();
    let before = app.hooks.take(&uri("before_user_created")).pop().unwrap();
    assert_eq!((&before["user"]["id"], &before["user"]["role"]), (&user["id"], &json!("")));
    let sent = app.hooks.take(&uri("send_email")).pop().unwrap();
    assert_eq!(sent["email_data"]["email_action_type"], "invite");
    assert_eq!(app.hooks.take(&uri("after_user_created"))[0]["user"], user);
    app.hooks.reply_next(&uri("after_user_created"), Ok(error(418, "its own words")));
    let failed = invite(&project, json!({ "email": EMAIL })).await.expect(418);
    assert_eq!(failed.json()["msg"], "its own words");
}
