//! New-style API keys: changed, and replaced by others.

use flows::management::{Error, NewApiKeyRequest, PatchApiKey};
use serde_json::json;
use testkit::{TestApp, TestProject};
use uuid::Uuid;

use super::log_of;
use crate::both::on_both;

fn secret(name: &str) -> NewApiKeyRequest {
    NewApiKeyRequest { kind: "secret".to_owned(), name: name.to_owned(), ..NewApiKeyRequest::default() }
}

async fn admin(project: &TestProject, key: &str, status: u16) {
    project.get("/admin/users").bearer(key).send().await.expect(status);
}

on_both!(a_key_is_replaced_without_a_gap, a_key_is_replaced_without_a_gap_on_postgres, rotated);
async fn rotated(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    let old = manage.create_api_key(&project.project_ref, secret("backend")).await.unwrap();
    let id: Uuid = old.id.parse().unwrap();
    let made = manage.rotate_api_key(&project.project_ref, id, Some(60)).await.unwrap();
    assert_eq!((made.new.name.as_str(), made.new.kind), ("backend", "secret"));
    assert_ne!(made.new.key, old.key);
    assert!(made.old.expires_at.is_some() && made.old.key != old.key, "masked");
    admin(&project, old.key.expose(), 200).await;
    admin(&project, made.new.key.expose(), 200).await;
    let again = manage.rotate_api_key(&project.project_ref, id, None).await;
    assert!(matches!(again, Err(Error::Invalid(_))), "it was replaced already");

    app.clock.advance(60);
    admin(&project, old.key.expose(), 403).await;
    admin(&project, made.new.key.expose(), 200).await;
    let left = manage.api_keys(&project.project_ref, false).await.unwrap();
    assert!(left.iter().all(|key| key.id != old.id), "what has ended is not listed");

    let at_once = manage.rotate_api_key(&project.project_ref, made.new.id.parse().unwrap(), Some(0)).await.unwrap();
    admin(&project, made.new.key.expose(), 403).await;
    admin(&project, at_once.new.key.expose(), 200).await;
    assert!(!app.stored_text().await.contains(at_once.new.key.expose()));
}

on_both!(a_key_is_named_and_limited, a_key_is_named_and_limited_on_postgres, patched);
async fn patched(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    let key = manage.create_api_key(&project.project_ref, secret("backend")).await.unwrap();
    let id: Uuid = key.id.parse().unwrap();
    assert_eq!(key.secret_jwt_template, Some(json!({ "role": "service_role" })));
    let change = PatchApiKey {
        name: Some("worker".to_owned()),
        description: Some(Some("the queue".to_owned())),
        secret_jwt_template: Some(Some(json!({ "role": "anon" }))),
    };
    let changed = manage.patch_api_key(&project.project_ref, id, change, false).await.unwrap();
    assert_eq!(
        (changed.name.as_str(), changed.description.as_deref(), changed.role),
        ("worker", Some("the queue"), "anon")
    );
    assert_ne!(changed.key, key.key, "masked");
    admin(&project, key.key.expose(), 403).await;
    let back = PatchApiKey { secret_jwt_template: Some(None), ..PatchApiKey::default() };
    let back = manage.patch_api_key(&project.project_ref, id, back, true).await.unwrap();
    assert_eq!((back.name.as_str(), &back.key), ("worker", &key.key), "what is not named stays");
    admin(&project, key.key.expose(), 200).await;

    manage.create_api_key(&project.project_ref, secret("other")).await.unwrap();
    let taken = PatchApiKey { name: Some("other".to_owned()), ..PatchApiKey::default() };
    let taken = manage.patch_api_key(&project.project_ref, id, taken, false).await;
    assert!(matches!(taken, Err(Error::Conflict(_))));
    let root = PatchApiKey { secret_jwt_template: Some(Some(json!({ "role": "postgres" }))), ..PatchApiKey::default() };
    let root = manage.patch_api_key(&project.project_ref, id, root, false).await;
    assert!(matches!(root, Err(Error::Invalid(_))));
    let unknown = manage.patch_api_key(&project.project_ref, Uuid::nil(), PatchApiKey::default(), false).await;
    assert!(matches!(unknown, Err(Error::NotFound)));
}

on_both!(the_log_of_keys_holds_no_key, the_log_of_keys_holds_no_key_on_postgres, logged);
async fn logged(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await.project_ref);
    let key = manage.create_api_key(&project, secret("backend")).await.unwrap();
    let made = manage.rotate_api_key(&project, key.id.parse().unwrap(), None).await.unwrap();
    manage.delete_api_key(&project, made.new.id.parse().unwrap()).await.unwrap();
    let log = log_of(manage, &project).await;
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).rev().skip(1).collect();
    assert_eq!(
        actions,
        ["api_key.created", "api_key.created", "api_key.retired", "api_key.changed", "api_key.deleted"]
    );
    let text = format!("{log:?}");
    assert!(!text.contains(key.key.expose()) && !text.contains(made.new.key.expose()));
}

on_both!(other_projects_keys_are_unknown, other_projects_keys_are_unknown_on_postgres, foreign);
async fn foreign(app: TestApp) {
    let (one, two) = (app.project("one", json!({})).await.project_ref, app.project("two", json!({})).await.project_ref);
    let key = app.management.create_api_key(&one, secret("backend")).await.unwrap();
    let id: Uuid = key.id.parse().unwrap();
    assert!(matches!(app.management.api_key(&two, id, true).await, Err(Error::NotFound)));
    assert!(matches!(app.management.rotate_api_key(&two, id, None).await, Err(Error::NotFound)));
    assert!(matches!(app.management.delete_api_key(&two, id).await, Err(Error::NotFound)));
    assert_eq!(app.management.api_key(&one, id, true).await.unwrap().key, key.key);
}
