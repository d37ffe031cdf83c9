//! New-style API keys as bearers.

use flows::management::NewApiKeyRequest;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

on_both!(a_secret_key_is_an_admin_of_its_project_only, a_secret_key_is_an_admin_of_its_project_only_on_postgres, keys);
async fn keys(app: TestApp) {
    let project = app.project("keys", json!({})).await;
    let other = app.project("other", json!({})).await;
    let make = |kind: &str| NewApiKeyRequest {
        kind: kind.to_owned(),
        name: "backend".to_owned(),
        ..NewApiKeyRequest::default()
    };
    let secret = app.management.create_api_key(&project.project_ref, make("secret")).await.unwrap();
    let publishable = app.management.create_api_key(&project.project_ref, make("publishable")).await.unwrap();
    let (secret_key, publishable_key) = (secret.key.expose(), publishable.key.expose());

    project.get("/admin/users").bearer(secret_key).send().await.expect(200);
    other.get("/admin/users").bearer(secret_key).send().await.expect(403);
    let refused = project.get("/admin/users").bearer(publishable_key).send().await.expect(403);
    assert_eq!(refused.error_code(), "not_admin");
    // A key is nobody's: it has no user.
    let refused = project.get("/user").bearer(secret_key).send().await.expect(403);
    assert_eq!(refused.error_code(), "bad_jwt");
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    project.post("/signup", body).bearer(publishable_key).send().await.expect(200);

    app.management.delete_api_key(&project.project_ref, secret.id.parse().unwrap()).await.unwrap();
    project.get("/admin/users").bearer(secret_key).send().await.expect(403);
}

on_both!(old_style_keys_can_be_switched_off, old_style_keys_can_be_switched_off_on_postgres, legacy);
async fn legacy(app: TestApp) {
    let project = app.project("keys", json!({})).await;
    project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(200);
    app.management.set_legacy_keys_enabled(&project.project_ref, false).await.unwrap();
    project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(401);
    app.management.set_legacy_keys_enabled(&project.project_ref, true).await.unwrap();
    project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(200);
}
