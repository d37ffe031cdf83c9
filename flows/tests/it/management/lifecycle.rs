//! Pausing, deleting, restoring.

use flows::management::{CreateProject, Error};
use serde_json::json;
use testkit::TestApp;

use super::log_of;
use crate::both::on_both;

on_both!(a_deleted_project_can_be_restored, a_deleted_project_can_be_restored_on_postgres, restored);
async fn restored(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    let session = project.sign_up("a@example.com").await;
    let access = session["access_token"].as_str().unwrap();
    let deleted = manage.delete_project(&project.project_ref, Some(3600)).await.unwrap();
    assert_eq!(deleted.project.purge_at, Some(deleted.project.purge_at.unwrap()));

    project.get("/user").bearer(access).send().await.expect(404);
    project.get("/settings").send().await.expect(404);
    assert!(matches!(manage.project(&project.project_ref).await, Err(Error::NotFound)));
    assert!(matches!(manage.config(&project.project_ref).await, Err(Error::NotFound)));
    assert!(manage.project_or_deleted(&project.project_ref).await.is_ok());
    assert!(matches!(manage.delete_project(&project.project_ref, None).await, Err(Error::NotFound)), "once is enough");
    let again = CreateProject { project_ref: Some("one".to_owned()), ..CreateProject::default() };
    let text = manage.create_project(again).await.expect_err("its ref is taken").to_string();
    assert!(text.contains("restore it") && text.contains("grace of 0"), "{text}");

    manage.restore_project(&project.project_ref).await.unwrap();
    project.get("/user").bearer(access).send().await.expect(200);
    project.refresh(&session["refresh_token"]).send().await.expect(200);
    let actions: Vec<String> =
        log_of(manage, &project.project_ref).await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions, ["project.restored", "project.deleted", "project.created"]);
}

on_both!(a_project_comes_back_in_its_state, a_project_comes_back_in_its_state_on_postgres, paused);
async fn paused(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    manage.set_paused(&project.project_ref, true).await.unwrap();
    manage.delete_project(&project.project_ref, None).await.unwrap();
    let restored = manage.restore_project(&project.project_ref).await.unwrap();
    assert_eq!(restored.project.status.as_str(), "paused");
    project.get("/user").send().await.expect(503);
    let restored = manage.restore_project(&project.project_ref).await.unwrap();
    assert_eq!(restored.project.status.as_str(), "active", "a paused project is restored by serving it");
    let restored = manage.restore_project(&project.project_ref).await.unwrap();
    assert_eq!(restored.project.status.as_str(), "active");
}

on_both!(without_grace_everything_goes_at_once, without_grace_everything_goes_at_once_on_postgres, purged);
async fn purged(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    project.sign_up("a@example.com").await;
    manage.delete_project(&project.project_ref, None).await.unwrap();
    manage.delete_project(&project.project_ref, Some(0)).await.unwrap();
    assert!(matches!(manage.project_or_deleted(&project.project_ref).await, Err(Error::NotFound)));
    assert!(matches!(manage.restore_project(&project.project_ref).await, Err(Error::NotFound)));
    assert!(!app.stored_text().await.contains("a@example.com"));

    let log = manage.operator_log(flows::management::ReadLog::default()).await.unwrap().entries;
    let purged = log.iter().find(|entry| entry.action == "project.purged").unwrap();
    assert!(purged.before.as_ref().unwrap()["rows"]["users"].as_u64().is_some_and(|rows| rows > 0), "{purged:?}");
    let left = purged.after.as_ref().unwrap()["rows"].as_object().unwrap();
    assert!(!left.is_empty() && left.values().all(|rows| *rows == 0), "{left:?}");

    // The name is free, and nothing of the old project is the new one's.
    let fresh = app.project("one", json!({})).await;
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    fresh.post("/token?grant_type=password", body).send().await.expect(400);
}

on_both!(a_grace_has_bounds, a_grace_has_bounds_on_postgres, bounds);
async fn bounds(app: TestApp) {
    let project = app.project("one", json!({})).await;
    for grace in [-1, 365 * 24 * 3600 + 1] {
        let refused = app.management.delete_project(&project.project_ref, Some(grace)).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
    }
    project.get("/settings").send().await.expect(200);
}
