//! Providers of a project as its operator sees them, and whether they can be used.

use flows::management::{CheckView, Error};
use http::Method;
use outbound::providers::Check;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

async fn project(app: &TestApp) -> TestProject {
    let config = json!({
        "custom_oauth_enabled": true, "external_gitlab_enabled": true, "external_gitlab_client_id": "one,two",
        "external_gitlab_secret": "s", "external_github_enabled": true, "external_github_client_id": "g",
        "external_discord_client_id": "d",
    });
    let project = app.project("shop", config).await;
    let own = json!({
        "provider_type": "oidc", "identifier": "custom:acme", "name": "Acme", "client_id": "acme-client",
        "client_secret": "acme-secret", "issuer": "https://idp.example.com", "enabled": false,
    });
    let made = project.post("/admin/custom-providers", own).bearer(&project.service_role_key);
    made.send().await.expect(201);
    project
}

fn states(checks: &[CheckView]) -> Vec<(&str, &str)> {
    checks.iter().map(|check| (check.name.as_str(), check.state)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn providers_are_listed_with_what_is_to_be_registered() {
    let app = TestApp::sqlite().await;
    let project = project(&app).await;
    let listed = app.management.providers(&project.project_ref).await.unwrap();
    let view = |name: &str| listed.iter().find(|view| view.name == name).unwrap();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert_eq!((view("gitlab").client_id.as_str(), view("gitlab").has_secret), ("one", true));
    assert!(!view("github").has_secret && view("github").enabled);
    assert_eq!((view("custom:acme").kind, view("custom:acme").enabled), ("oidc", false));
    for view in &listed {
        assert_eq!(view.redirect_uri, format!("http://127.0.0.1:8000/p/{}/auth/v1/callback", project.project_ref));
    }
    assert!(!format!("{listed:?}").contains("acme-secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_is_examined_as_it_is_set_up() {
    let app = TestApp::sqlite().await;
    let project = project(&app).await;
    let check = |name, passed| Check { name, passed, detail: String::new() };
    let test = async |name: &str| app.management.test_provider(&project.project_ref, name).await;

    app.providers.find(vec![check("discovery", Some(true)), check("redirect", None)]);
    let good = test("GitLab").await.unwrap();
    assert_eq!((good.provider.as_str(), good.healthy), ("gitlab", true));
    assert_eq!(states(&good.checks), [("settings", "ok"), ("discovery", "ok"), ("redirect", "warning")]);

    app.providers.find(vec![check("discovery", Some(true)), check("secret", Some(false))]);
    let bad = test("gitlab").await.unwrap();
    assert_eq!((bad.healthy, states(&bad.checks)[2]), (false, ("secret", "failed")));
    // One of the project's own may be tried before it is switched on.
    assert_eq!(states(&test("custom:acme").await.unwrap().checks).len(), 3);

    // Where something is missing, nobody is asked.
    for (name, why) in [("github", "missing OAuth secret"), ("discord", "provider is not enabled")] {
        let found = test(name).await.unwrap();
        assert!(!found.healthy);
        assert_eq!((found.checks.len(), found.checks[0].detail.as_str()), (1, why));
    }
    for name in ["nobody", "custom:nobody", ""] {
        assert!(matches!(test(name).await.unwrap_err(), Error::NotFound), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_opened_for_the_examination_alone() {
    let app = TestApp::sqlite().await;
    let project = project(&app).await;
    let shown: Value = {
        let ask = project.ask(Method::GET, "/admin/custom-providers/custom:acme").bearer(&project.service_role_key);
        ask.send().await.expect(200).json()
    };
    assert_eq!(shown.get("client_secret"), None);
    app.management.test_provider(&project.project_ref, "custom:acme").await.unwrap();
    let examined = app.providers.examined().pop().unwrap();
    assert_eq!((examined.name.as_str(), examined.settings.secret.expose().as_str()), ("custom:acme", "acme-secret"));
}
