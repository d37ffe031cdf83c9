//! What an operator sees of the sign-ins of a project: providers, redirects, issuers of others.

use http::Method;
use serde_json::{Value, json};

use crate::management::Gateway;

fn keys() -> Value {
    json!({"keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "one", "use": "sig",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }]})
}

#[tokio::test]
async fn providers_are_listed_and_tested() {
    let gateway = Gateway::start().await;
    let config = json!({
        "external_github_enabled": true,
        "external_github_client_id": "the-client",
        "external_github_secret": "the-secret",
    });
    gateway.create(json!({"ref": "acme", "config": config})).await;
    let path = "/v1/projects/acme/config/auth/providers";
    let listed = gateway.get(path).await.expect(200);
    assert_eq!(listed.header("cache-control"), "no-store");
    assert!(!listed.text.contains("the-secret"), "{}", listed.text);
    let shown = json!([{
        "name": "github", "kind": "builtin", "enabled": true, "client_id": "the-client", "has_secret": true,
        "redirect_uri": "http://127.0.0.1:8000/p/acme/auth/v1/callback",
    }]);
    assert_eq!(listed.json(), shown);

    let test = async |name: &str| gateway.send(Method::POST, &format!("{path}/{name}/test"), json!({})).await;
    let tested = test("github").await.expect(200).json();
    assert_eq!((&tested["provider"], &tested["healthy"]), (&json!("github"), &json!(true)));
    assert_eq!((&tested["checks"][0]["name"], &tested["checks"][0]["state"]), (&json!("settings"), &json!("ok")));
    let off = test("google").await.expect(200).json();
    assert_eq!((&off["healthy"], &off["checks"][0]["state"]), (&json!(false), &json!("failed")));
    for unknown in ["nosuch", "custom:nosuch", "custom%3Anosuch", "%ff"] {
        test(unknown).await.expect(404);
    }
    gateway.get("/v1/projects/nobody/config/auth/providers").await.expect(404);
}

#[tokio::test]
async fn a_change_that_leaves_unsafe_redirects_says_so() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme", "config": {"site_url": "https://app.example.com"}})).await;
    let path = "/v1/projects/acme/config/auth";
    let patch =
        async |list: &str| gateway.send(Method::PATCH, path, json!({ "uri_allow_list": list })).await.expect(200);
    let harmless = patch("https://app.example.com/in").await;
    assert_eq!(harmless.header("x-tenantry-hint"), "");
    let judged = gateway.get(&format!("{path}/redirects")).await.expect(200).json();
    let (site, entry) = ("https://app.example.com", "https://app.example.com/in");
    let shown = |entry: &str| json!({"entry": entry, "safe": true, "reasons": []});
    assert_eq!(judged, json!([shown(site), shown(entry)]));

    let hinted = patch("http://app.example.com/**,https://app.example.com/in").await;
    assert_eq!(hinted.header("x-tenantry-hint"), "unsafe redirect entries: 1; see GET config/auth/redirects");
    let judged = gateway.get(&format!("{path}/redirects")).await.expect(200).json();
    assert_eq!((&judged[1]["entry"], &judged[1]["safe"]), (&json!("http://app.example.com/**"), &json!(false)));
    assert!(judged[1]["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{judged}");
    gateway.get("/v1/projects/nobody/config/auth/redirects").await.expect(404);
}

#[tokio::test]
async fn issuers_of_others_are_added_and_removed() {
    let gateway = Gateway::start().await;
    gateway.create(json!({"ref": "acme"})).await;
    gateway.create(json!({"ref": "other"})).await;
    gateway.app.providers.serve_keys(Some(keys()));
    let path = "/v1/projects/acme/config/auth/third-party-auth";
    assert_eq!(gateway.get(path).await.expect(200).json(), json!([]));
    let add = async |body: Value| gateway.send(Method::POST, path, body).await;
    let made = add(json!({"oidc_issuer_url": "https://tenant.eu.auth0.com/"})).await.expect(201).json();
    assert_eq!((&made["type"], &made["jwks_url"]), (&json!("auth0"), &Value::Null));
    assert_eq!(made["oidc_issuer_url"], "https://tenant.eu.auth0.com/");
    assert_eq!(made["resolved_jwks"]["keys"][0]["kid"], "one");
    assert!(made["inserted_at"].is_string() && made["updated_at"].is_string() && made["resolved_at"].is_string());
    let given = add(json!({"custom_jwks": keys()})).await.expect(201).json();
    assert_eq!(given["custom_jwks"]["keys"][0]["kid"], "one");

    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(gateway.get(&one).await.expect(200).json(), made);
    assert_eq!(gateway.get(path).await.expect(200).json().as_array().map(Vec::len), Some(2));
    let elsewhere = one.replace("acme", "other");
    gateway.get(&elsewhere).await.expect(404);
    gateway.send(Method::DELETE, &elsewhere, json!({})).await.expect(404);
    assert_eq!(gateway.send(Method::DELETE, &one, json!({})).await.expect(200).json()["id"], made["id"]);
    gateway.get(&one).await.expect(404);
    gateway.get(&format!("{path}/nonsense")).await.expect(400);

    for body in [
        json!({}),
        json!({"oidc_issuer_url": "https://a.example.com", "jwks_url": "https://a.example.com/jwks"}),
        json!({"oidc_issuer_url": 5}),
        json!({"jwks_url": "http://a.example.com/jwks"}),
        json!({"custom_jwks": "keys"}),
    ] {
        let refused = add(body.clone()).await.expect(400).json();
        assert!(refused["message"].is_string(), "{body}: {refused}");
    }
    add(json!({"custom_jwks": keys()})).await.expect(409);
}
