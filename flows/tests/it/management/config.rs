//! Versions of a configuration: who, why, what, and the way back.

use domain::operator::Reach;
use flows::management::Error;
use serde_json::{Value, json};
use testkit::TestApp;

use super::{acting, members};
use crate::both::on_both;

on_both!(a_version_tells_who_and_why, a_version_tells_who_and_why_on_postgres, history);
async fn history(app: TestApp) {
    let project = app.project("one", json!({ "jwt_exp": 600 })).await.project_ref;
    let manage = acting(&app, "alice", Reach::Everything);
    let note = Some("shorter, because of the audit");
    manage.patch_config_noting(&project, &members(json!({ "jwt_exp": 300 })), note).await.unwrap();
    manage.patch_config(&project, &members(json!({ "jwt_exp": 300 }))).await.unwrap();
    manage.patch_config(&project, &members(json!({ "site_url": "https://one.example" }))).await.unwrap();

    let versions = manage.config_history(&project, None, None).await.unwrap();
    let numbers: Vec<i64> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, [3, 2, 1], "what changes nothing is no version");
    assert_eq!((versions[1].changed_by.as_deref(), versions[1].note.as_deref()), (Some("alice"), note));
    assert_eq!(versions[2].changed_by.as_deref(), Some("gateway"));
    let older = manage.config_history(&project, Some(3), Some(1)).await.unwrap();
    assert_eq!(older.iter().map(|version| version.version).collect::<Vec<_>>(), [2]);

    let second = manage.config_version(&project, 2).await.unwrap();
    assert_eq!((&second.values["jwt_exp"], &second.values["site_url"]), (&json!(300), &json!("http://localhost:3000")));
    assert!(matches!(manage.config_version(&project, 9).await, Err(Error::NotFound)));
    let long = "x".repeat(1001);
    let refused = manage.patch_config_noting(&project, &members(json!({ "jwt_exp": 1 })), Some(&long)).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

on_both!(a_difference_names_fields_and_no_secret, a_difference_names_fields_and_no_secret_on_postgres, diff);
async fn diff(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({ "smtp_pass": "hunter2" })).await.project_ref);
    manage.patch_config(&project, &members(json!({ "smtp_pass": "hunter3", "jwt_exp": 60 }))).await.unwrap();
    let diff = manage.config_diff(&project, 1, None).await.unwrap();
    assert_eq!((diff.from, diff.to), (1, 2));
    let fields: Vec<&str> = diff.changes.iter().map(|change| change.field).collect();
    assert!(fields.len() == 2 && fields.contains(&"jwt_exp") && fields.contains(&"smtp_pass"), "{fields:?}");
    let text = serde_json::to_string(&diff).unwrap();
    assert!(!text.contains("hunter"), "{text}");
    let back = manage.config_diff(&project, 2, Some(1)).await.unwrap();
    let exp = back.changes.iter().find(|change| change.field == "jwt_exp").unwrap();
    assert_eq!((&exp.from, &exp.to), (&json!(60), &json!(3600)));
}

on_both!(a_preview_changes_nothing, a_preview_changes_nothing_on_postgres, preview);
async fn preview(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await.project_ref);
    let preview = manage.config_preview(&project, &members(json!({ "jwt_exp": 60, "site_url": null }))).await.unwrap();
    assert_eq!((preview.from, preview.to, preview.changes.len()), (1, 2, 1));
    assert_eq!(preview.changes[0].to, json!(60));
    let refused = manage.config_preview(&project, &members(json!({ "jwt_exp": "soon" }))).await;
    assert!(matches!(refused, Err(Error::Invalid(text)) if text.contains("jwt_exp")));
    assert_eq!(manage.config(&project).await.unwrap()["jwt_exp"], 3600);
    assert_eq!(manage.config_history(&project, None, None).await.unwrap().len(), 1);
}

on_both!(a_rollback_is_a_new_version_and_live, a_rollback_is_a_new_version_and_live_on_postgres, rollback);
async fn rollback(app: TestApp) {
    let project = app.project("one", json!({ "smtp_pass": "hunter2" })).await;
    let (manage, named) = (&app.management, &project.project_ref);
    let before = manage.config(named).await.unwrap();
    manage.patch_config(named, &members(json!({ "disable_signup": true, "smtp_pass": null }))).await.unwrap();
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    project.post("/signup", body).send().await.expect(422);

    let diff = manage.rollback_config(named, 1, None).await.unwrap();
    assert_eq!((diff.from, diff.to), (2, 3));
    project.sign_up("a@example.com").await;
    assert_eq!(manage.config(named).await.unwrap(), before, "secrets too");
    let newest = manage.config_history(named, None, Some(1)).await.unwrap().pop().unwrap();
    assert_eq!((newest.version, newest.note.as_deref()), (3, Some("back to version 1")));
    let same = manage.rollback_config(named, 1, None).await.unwrap();
    assert!(same.changes.is_empty() && same.to == 3, "nothing to go back to");
    assert!(matches!(manage.rollback_config(named, 7, None).await, Err(Error::NotFound)));
}

on_both!(operators_at_once_lose_nothing, operators_at_once_lose_nothing_on_postgres, at_once);
async fn at_once(app: TestApp) {
    let project = app.project("one", json!({})).await.project_ref;
    let fields =
        ["jwt_exp", "mailer_otp_exp", "sms_otp_exp", "rate_limit_otp", "rate_limit_verify", "password_min_length"];
    let changes = fields.map(|field| {
        let (manage, project) = (app.management.clone(), project.clone());
        async move { manage.patch_config(&project, &members(json!({ field: 77 }))).await.unwrap() }
    });
    futures::future::join_all(changes).await;
    let config = app.management.config(&project).await.unwrap();
    assert!(fields.iter().all(|field| config[*field] == 77), "{config:?}");
    assert_eq!(app.management.config_history(&project, None, None).await.unwrap().len(), 1 + fields.len());
}

on_both!(an_empty_secret_is_shown_as_none, an_empty_secret_is_shown_as_none_on_postgres, empty_secret);
async fn empty_secret(app: TestApp) {
    let config = json!({ "smtp_pass": "", "external_github_secret": "hush" });
    let (manage, project) = (&app.management, app.project("one", config).await.project_ref);
    let shown = manage.config(&project).await.unwrap();
    assert_eq!(shown["smtp_pass"], Value::Null);
    assert!(shown["external_github_secret"].is_string());
    let shown = manage.patch_config(&project, &members(json!({ "external_github_secret": "" }))).await.unwrap();
    assert_eq!(shown["external_github_secret"], Value::Null);
    assert_eq!(manage.config(&project).await.unwrap(), shown);
}

on_both!(
    a_rollback_keeps_the_security_profile_and_its_bounds,
    a_rollback_keeps_the_security_profile_and_its_bounds_on_postgres,
    profile_stays
);
async fn profile_stays(app: TestApp) {
    let site = "https://app.example.com";
    let (manage, named) = (&app.management, app.project("one", json!({ "site_url": site })).await.project_ref);
    manage.patch_config(&named, &members(json!({ "jwt_exp": 604_800 }))).await.unwrap();
    let shield = json!({ "security_profile": "shield", "site_url": "https://shield.example.com", "jwt_exp": null });
    manage.patch_config(&named, &members(shield)).await.unwrap();

    let refused = manage.rollback_config(&named, 2, None).await;
    assert!(
        matches!(&refused, Err(Error::Invalid(why)) if why.contains("security profile shield") && why.contains("jwt_exp")),
        "{refused:?}"
    );
    let diff = manage.rollback_config(&named, 1, None).await.unwrap();
    let changed: Vec<_> = diff.changes.iter().map(|change| change.field).collect();
    assert_eq!(changed, ["site_url"]);
    let config = manage.config(&named).await.unwrap();
    assert_eq!(
        (&config["security_profile"], &config["security_profile_mode"], &config["site_url"]),
        (&json!("shield"), &json!("enforce"), &json!(site))
    );
    let loose = manage.patch_config(&named, &members(json!({ "jwt_exp": 604_800 }))).await;
    assert!(matches!(loose, Err(Error::Invalid(_))), "its bounds are enforced still");
}
