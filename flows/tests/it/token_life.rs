//! How long tokens live.

use serde_json::{Value, json};
use testkit::TestApp;

use crate::both::on_both;

on_both!(test_token_expiry_configurable, token_expiry_configurable_on_postgres, configurable);
async fn configurable(app: TestApp) {
    let project = app.project("life", json!({ "jwt_exp": 120 })).await;
    let session = project.sign_up("a@example.com").await;
    assert_eq!(session["expires_in"], 120);
    let access = session["access_token"].as_str().unwrap();
    app.clock.advance(119);
    project.get("/user").bearer(access).send().await.expect(200);
    app.clock.advance(1);
    let expired = project.get("/user").bearer(access).send().await.expect(403);
    assert_eq!(expired.error_code(), "bad_jwt");

    // Live: the next token has the new life, without a restart.
    let patch = json!({ "jwt_exp": 600 });
    app.management.patch_config(&project.project_ref, patch.as_object().unwrap()).await.unwrap();
    let refreshed = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    assert_eq!(refreshed["expires_in"], 600);
    let default = app.project("default", json!({})).await.sign_up("a@example.com").await;
    assert_eq!(default["expires_in"], 3600);
}

on_both!(a_refused_setting_changes_nothing, a_refused_setting_changes_nothing_on_postgres, refused);
async fn refused(app: TestApp) {
    let project = app.project("life", json!({ "jwt_exp": 120 })).await;
    let patch = json!({ "jwt_exp": 700_000, "disable_signup": true });
    let error = app.management.patch_config(&project.project_ref, patch.as_object().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("jwt_exp"), "{error}");
    let config = app.management.config(&project.project_ref).await.unwrap();
    assert_eq!((config["jwt_exp"].clone(), config["disable_signup"].clone()), (json!(120), Value::Bool(false)));
}
