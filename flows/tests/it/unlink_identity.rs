//! Removing a way of signing in.

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::account::{ADDRESS, by_password, come, providers, rows};
use crate::both::on_both;
use crate::identities::link;
use crate::letters::access;
use crate::mails::{self, confirmed_user};
use crate::oauth::{self, person, user, with_addresses};

async fn unlink(project: &TestProject, session: &Value, row: &str) -> Answer {
    project.ask(Method::DELETE, &format!("/user/identities/{row}")).bearer(access(session)).send().await
}

/// The row of the identity of `provider`.
async fn row(project: &TestProject, session: &Value, provider: &str) -> String {
    let now = user(project, access(session)).await;
    let identities = now["identities"].as_array().unwrap();
    let found = identities.iter().find(|identity| identity["provider"] == provider).unwrap();
    found["identity_id"].as_str().unwrap().to_owned()
}

/// Somebody with a password and an identity of GitLab with this address.
async fn somebody(app: &TestApp, project: &TestProject, other: (&str, bool)) -> Value {
    confirmed_user(project, json!({ "email": ADDRESS })).await;
    let session = project.sign_in(ADDRESS).await;
    link(app, project, &session, "gitlab", with_addresses("1", &[other])).await.access_token();
    session
}

on_both!(an_identity_goes_and_is_nobodys, an_identity_goes_and_is_nobodys_on_postgres, goes);
async fn goes(app: TestApp) {
    let project = oauth::project(&app, json!({
        "mailer_notifications_identity_unlinked_enabled": true,
        "mailer_templates_identity_unlinked_notification_content": "kind=unlinked|code={{ .Provider }}| {{ .SiteURL }}",
    }))
    .await;
    let session = somebody(&app, &project, ("other@example.com", true)).await;
    let gitlab = row(&project, &session, "gitlab").await;
    let refused = unlink(&project, &session, &format!("{gitlab}x")).await.expect(404);
    assert_eq!(refused.json()["msg"], "identity_id must be an UUID");
    // The provider's id of it names nothing here, nor does somebody else's row.
    let other = come(&app, &project, "keycloak", person("k", "bo@example.com")).await;
    let theirs = user(&project, other.access_token()).await["identities"][0]["identity_id"].clone();
    for row in [session["user"]["id"].as_str().unwrap(), theirs.as_str().unwrap()] {
        assert_eq!(unlink(&project, &session, row).await.expect(422).error_code(), "identity_not_found");
    }
    assert_eq!(unlink(&project, &session, &gitlab).await.expect(200).json(), json!({}));
    let left = user(&project, access(&session)).await;
    assert_eq!((&left["email"], providers(&left)), (&json!(ADDRESS), vec!["email"]));
    assert_eq!(left["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));
    let log = rows(&project, "identity_unlinked").await;
    let traits = json!({ "identity_id": gitlab, "provider": "gitlab", "provider_id": "1" });
    assert_eq!((log.len(), &log[0]["payload"]["traits"]), (1, &traits));
    assert!(!log[0]["ip_address"].as_str().unwrap().is_empty());
    let told = mails::one(&app, ADDRESS).await;
    assert_eq!((told.kind.as_str(), told.code.as_str()), ("unlinked", "gitlab"));
    // It makes an account of its own from now on.
    let landed = come(&app, &project, "gitlab", person("1", "other@example.com")).await;
    assert_ne!(user(&project, landed.access_token()).await["id"], session["user"]["id"]);
}

on_both!(the_last_way_in_stays, the_last_way_in_stays_on_postgres, last);
async fn last(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    confirmed_user(&project, json!({ "email": ADDRESS })).await;
    let session = project.sign_in(ADDRESS).await;
    let own = row(&project, &session, "email").await;
    for row in [own.as_str(), session["user"]["id"].as_str().unwrap()] {
        let refused = unlink(&project, &session, row).await.expect(422);
        assert_eq!(refused.error_code(), "single_identity_not_deletable");
    }
    assert_eq!(by_password(&project, ADDRESS, "correct horse").await, 200);
}

on_both!(two_at_once_leave_one, two_at_once_leave_one_on_postgres, at_once);
async fn at_once(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let session = somebody(&app, &project, ("other@example.com", true)).await;
    let sibling = app.sibling().await;
    let there = sibling.through(&project);
    let (email, gitlab) = (row(&project, &session, "email").await, row(&project, &session, "gitlab").await);
    let asks = (0..8).map(|n| {
        unlink(if n % 2 == 0 { &project } else { &there }, &session, if n % 4 < 2 { &email } else { &gitlab })
    });
    let mut statuses: Vec<u16> = join_all(asks).await.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422, 422, 422, 422, 422, 422, 422]);
    assert_eq!(user(&project, access(&session)).await["identities"].as_array().map(Vec::len), Some(1));
}

on_both!(the_address_moves_to_a_verified_one, the_address_moves_to_a_verified_one_on_postgres, moves);
async fn moves(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let session = somebody(&app, &project, ("other@example.com", true)).await;
    // What was mailed for the old address is worth nothing afterwards.
    app.clock.advance(120);
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let hash = mails::one(&app, ADDRESS).await.hash;
    let own = row(&project, &session, "email").await;
    unlink(&project, &session, &own).await.expect(200);
    let moved = user(&project, access(&session)).await;
    assert_eq!((&moved["email"], providers(&moved)), (&json!("other@example.com"), vec!["gitlab"]));
    assert!(moved["email_confirmed_at"].is_string());
    assert_eq!(moved["app_metadata"], json!({ "provider": "gitlab", "providers": ["gitlab"] }));
    mails::show_hash(&project, "recovery", &hash).await.expect(403);
    assert_eq!(by_password(&project, "other@example.com", "correct horse").await, 200);
}

on_both!(an_address_that_nobody_proved_takes_no_place, an_address_that_nobody_proved_on_postgres, unproven);
async fn unproven(app: TestApp) {
    for auto in [false, true] {
        let project = app.project(&format!("auto-{auto}"), oauth::config(json!({ "mailer_autoconfirm": auto }))).await;
        let session = somebody(&app, &project, ("other@example.com", false)).await;
        let own = row(&project, &session, "email").await;
        let refused = unlink(&project, &session, &own).await.expect(422);
        assert_eq!(refused.error_code(), "email_conflict_identity_not_deletable");
        assert_eq!(user(&project, access(&session)).await["email"], ADDRESS);
    }
}

on_both!(the_address_of_another_account_is_passed_over, the_address_of_another_account_on_postgres, taken);
async fn taken(app: TestApp) {
    let project = oauth::project(&app, json!({ "external_keycloak_email_optional": true })).await;
    confirmed_user(&project, json!({ "email": "bo@example.com" })).await;
    let session = somebody(&app, &project, ("bo@example.com", true)).await;
    let own = row(&project, &session, "email").await;
    let refused = unlink(&project, &session, &own).await.expect(422);
    assert_eq!(refused.json()["msg"], "Unable to unlink identity due to email conflict");
    // With a way in that needs no address, the account has none then.
    link(&app, &project, &session, "keycloak", with_addresses("k", &[])).await.access_token();
    unlink(&project, &session, &own).await.expect(200);
    let left = user(&project, access(&session)).await;
    assert_eq!((&left["email"], &left["user_metadata"]["email_verified"]), (&json!(""), &json!(false)));
    assert_eq!(left.get("email_confirmed_at"), None);
    assert_eq!(providers(&left), ["gitlab", "keycloak"]);
}

on_both!(the_number_goes_with_its_identity, the_number_goes_with_its_identity_on_postgres, number);
async fn number(app: TestApp) {
    let project = oauth::project(&app, json!({ "external_phone_enabled": true })).await;
    confirmed_user(&project, json!({ "email": ADDRESS, "phone": "15550001111" })).await;
    let session = project.sign_in(ADDRESS).await;
    let phone = row(&project, &session, "phone").await;
    unlink(&project, &session, &phone).await.expect(200);
    let left = user(&project, access(&session)).await;
    assert_eq!((&left["phone"], left.get("phone_confirmed_at")), (&json!(""), None));
    assert_eq!((&left["email"], providers(&left)), (&json!(ADDRESS), vec!["email"]));
}

on_both!(unlinking_is_asked_for_properly, unlinking_is_asked_for_properly_on_postgres, asked);
async fn asked(app: TestApp) {
    let project = oauth::project(&app, json!({ "security_step_up_operations": "identity_unlink" })).await;
    let session = somebody(&app, &project, ("other@example.com", true)).await;
    let gitlab = row(&project, &session, "gitlab").await;
    let path = format!("/user/identities/{gitlab}");
    assert_eq!(project.ask(Method::DELETE, &path).send().await.expect(401).error_code(), "no_authorization");
    let foreign = project.ask(Method::DELETE, &path).bearer(access(&session)).header("x-jwt-aud", "other");
    assert_eq!(foreign.send().await.expect(403).error_code(), "unexpected_audience");
    app.clock.advance(3000);
    assert_eq!(unlink(&project, &session, &gitlab).await.expect(400).error_code(), "reauthentication_needed");
    let fresh = project.sign_in(ADDRESS).await;
    unlink(&project, &fresh, &gitlab).await.expect(200);

    let off = app.project("off", oauth::config(json!({ "security_manual_linking_enabled": false }))).await;
    confirmed_user(&off, json!({ "email": ADDRESS })).await;
    let session = off.sign_in(ADDRESS).await;
    assert_eq!(unlink(&off, &session, "x").await.expect(404).error_code(), "manual_linking_disabled");
}
