//! `GET /settings`.

use flows::management::CreateProject;
use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;

on_both!(test_settings_endpoint, settings_endpoint_on_postgres, settings);
async fn settings(app: TestApp) {
    let config = json!({
        "external_github_enabled": true, "external_github_client_id": "id", "external_github_secret": "s3cret-of-github",
        "mailer_autoconfirm": true, "external_phone_enabled": true
    });
    let project = app.project("settings", config).await;
    let answer = project.get("/settings").send().await.expect(200);
    assert!(!answer.text.contains("s3cret-of-github"));
    let settings = answer.json();
    for (provider, on) in [("github", true), ("email", true), ("phone", true), ("google", false), ("apple", false)] {
        assert_eq!(settings["external"][provider], json!(on), "{provider}");
    }
    for (key, value) in [("disable_signup", false), ("mailer_autoconfirm", true), ("mfa_enabled", true)] {
        assert_eq!(settings[key], json!(value), "{key}");
    }
    assert_eq!(settings["sms_provider"], json!(""));

    // Live: the next request sees a change.
    let patch = json!({ "disable_signup": true });
    app.management.patch_config(&project.project_ref, patch.as_object().unwrap()).await.unwrap();
    assert_eq!(project.get("/settings").send().await.expect(200).json()["disable_signup"], json!(true));
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    assert_eq!(project.post("/signup", body).send().await.expect(422).error_code(), "signup_disabled");
}

on_both!(a_project_is_made_in_its_profile, a_project_is_made_in_its_profile_on_postgres, profile);
async fn profile(app: TestApp) {
    let request = |name: &str, config: serde_json::Value| CreateProject {
        project_ref: Some(name.to_owned()),
        profile: Some("shield".to_owned()),
        config: config.as_object().cloned().unwrap(),
        ..CreateProject::default()
    };
    let made = app.management.create_project(request("careful", json!({}))).await.unwrap();
    let config = app.management.config(&made.project.project_ref).await.unwrap();
    assert_eq!((&config["security_profile"], &config["password_min_length"]), (&json!("shield"), &json!(8)));
    let weak = app.management.create_project(request("weak", json!({ "mailer_autoconfirm": true }))).await;
    assert!(weak.is_err(), "what the profile locks is refused at once");
}
