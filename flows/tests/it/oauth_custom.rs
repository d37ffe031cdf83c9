//! Sign-ins at providers of the project's own.

use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::oauth::{CHALLENGE, Landed, VERIFIER, begin_at, exchange, land, person, project, user};

async fn custom(project: &TestProject, method: Method, path: &str, body: Value) {
    let ask = project.ask(method, &format!("/admin/custom-providers{path}")).bearer(&project.service_role_key);
    let answer = ask.json(&body).send().await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

/// A project with `custom:plain` (OAuth 2.0) and `custom:oidc`, of one operator.
async fn with_providers(app: &TestApp) -> TestProject {
    let project = project(app, json!({ "custom_oauth_enabled": true })).await;
    let plain = json!({
        "provider_type": "oauth2", "identifier": "custom:plain", "name": "Plain", "client_id": "c", "client_secret": "s",
        "authorization_url": "https://plain.example/authorize", "token_url": "https://plain.example/token",
        "userinfo_url": "https://plain.example/me",
    });
    let oidc = json!({
        "provider_type": "oidc", "identifier": "custom:oidc", "name": "Oidc", "client_id": "c", "client_secret": "s",
        "issuer": "https://oidc.example/tenant",
    });
    for provider in [plain, oidc] {
        custom(&project, Method::POST, "", provider).await;
    }
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    app.providers.grant("nobody", Ok(crate::oauth::with_addresses("2", &[])));
    project
}

on_both!(they_sign_people_in, they_sign_people_in_on_postgres, sign_in);
async fn sign_in(app: TestApp) {
    let project = with_providers(&app).await;
    let landed = land(&project, &begin_at(&project, "Custom:Plain", "").await, "ada").await;
    let ada = user(&project, landed.access_token()).await;
    assert_eq!(ada["identities"][0]["provider"], "custom:plain");
    let landed = land(&project, &begin_at(&project, "custom:oidc", CHALLENGE).await, "ada").await;
    let session = exchange(&project, landed.code(), VERIFIER).await.expect(200).json();
    assert_eq!(session["user"]["id"], ada["id"]);
}

on_both!(they_can_be_switched_off_at_any_time, they_can_be_switched_off_on_postgres, switched_off);
async fn switched_off(app: TestApp) {
    let project = with_providers(&app).await;
    let coded = land(&project, &begin_at(&project, "custom:plain", CHALLENGE).await, "ada").await;
    let under_way = begin_at(&project, "custom:plain", "").await;
    let refused = async |reason: &str| {
        let answer = project.get("/authorize?provider=custom:plain").send().await.expect(400);
        assert_eq!(answer.json()["msg"], format!("Unsupported provider: {reason}"));
        let told = land(&project, &under_way, "ada").await;
        assert_eq!(told.error()[1..], ["oauth_provider_not_supported", &format!("Unsupported provider: {reason}")]);
        let answer = exchange(&project, coded.code(), VERIFIER).await.expect(400);
        assert_eq!(answer.error_code(), "oauth_provider_not_supported");
    };
    let patch = async |on: bool| {
        let change = json!({ "custom_oauth_enabled": on });
        app.management.patch_config(&project.project_ref, change.as_object().unwrap()).await.unwrap();
    };
    custom(&project, Method::PUT, "/custom:plain", json!({ "enabled": false })).await;
    refused("custom provider custom:plain is disabled").await;
    custom(&project, Method::PUT, "/custom:plain", json!({ "enabled": true })).await;
    patch(false).await;
    refused("custom OAuth providers are disabled").await;
    patch(true).await;
    exchange(&project, coded.code(), VERIFIER).await.expect(200);
    custom(&project, Method::DELETE, "/custom:plain", json!({})).await;
    let told = land(&project, &under_way, "ada").await;
    assert_eq!(told.error()[2], "Unsupported provider: custom provider custom:plain not found");
}

on_both!(whoever_may_come_without_address_is_settled_at_the_start, optional_addresses_on_postgres, optional);
async fn optional(app: TestApp) {
    let project = with_providers(&app).await;
    let demanded = begin_at(&project, "custom:plain", "").await;
    custom(&project, Method::PUT, "/custom:plain", json!({ "email_optional": true })).await;
    let told = land(&project, &demanded, "nobody").await;
    assert_eq!(told.error()[2], "Error getting user email from external provider");
    let landed = land(&project, &begin_at(&project, "custom:plain", "").await, "nobody").await;
    assert_eq!(user(&project, landed.access_token()).await["email"], "");
}

// One provider of the project's own cannot have another one's code handed over to it (RFC 9207).
on_both!(answers_are_not_mixed_up, answers_are_not_mixed_up_on_postgres, mixed_up);
async fn mixed_up(app: TestApp) {
    let project = with_providers(&app).await;
    for (provider, own, foreign) in [
        (
            "custom:plain",
            "https://plain.example",
            ["https://oidc.example/tenant", "https://plain.example.evil.example"],
        ),
        ("custom:oidc", "https://oidc.example/tenant", ["https://oidc.example/other", "https://oidc.example/tenant/"]),
    ] {
        let state = begin_at(&project, provider, "").await;
        let answered = async |iss: &str| {
            let answer = project.get(&format!("/callback?state={state}&code=ada&iss={iss}")).send().await.expect(302);
            Landed::of(&answer)
        };
        for iss in foreign {
            assert_eq!(answered(iss).await.error()[2], "OAuth callback was answered by another issuer", "{iss}");
        }
        user(&project, answered(own).await.access_token()).await;
    }
    assert_eq!(app.providers.returns().len(), 2);
}
