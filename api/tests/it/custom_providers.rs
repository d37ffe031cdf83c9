//! The administrator's providers.

use std::collections::BTreeMap;

use domain::custom_providers::{Create, CustomProvider, Delete, Get, List, Protocol, Update};
use domain::refusal::{ProviderRefusal, Refusal};
use domain::secret::Secret;
use domain::time::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::support::{FakeRuntime, TestEdge};

const ADMIN: [(&str, &str); 1] = [("authorization", "Bearer good")];

fn provider(identifier: &str, protocol: Protocol) -> CustomProvider {
    CustomProvider {
        id: Uuid::nil(),
        identifier: identifier.to_owned(),
        name: "Acme".to_owned(),
        protocol,
        client_id: "acme-client".to_owned(),
        client_secret: Secret::new("hidden".to_owned()),
        acceptable_client_ids: Vec::new(),
        scopes: vec!["read".to_owned(), "mail".to_owned()],
        pkce_enabled: true,
        attribute_mapping: serde_json::Map::from_iter([("name".to_owned(), json!("nickname"))]),
        custom_claims_allowlist: vec!["team".to_owned()],
        authorization_params: BTreeMap::from([("prompt".to_owned(), "login".to_owned())]),
        enabled: true,
        email_optional: false,
        skip_nonce_check: false,
        created_at: Timestamp::from_unix(1_700_000_000),
        updated_at: Timestamp::from_unix(1_700_000_001),
    }
}

fn oauth2(jwks_uri: Option<&str>) -> Protocol {
    Protocol::Oauth2 {
        authorization_url: "https://a.co/authorize".to_owned(),
        token_url: "https://a.co/token".to_owned(),
        userinfo_url: "https://a.co/userinfo".to_owned(),
        jwks_uri: jwks_uri.map(str::to_owned),
    }
}

fn oidc(discovered: bool) -> Protocol {
    Protocol::Oidc {
        issuer: "https://a.co".to_owned(),
        discovery_url: discovered.then(|| "https://a.co/meta".to_owned()),
        discovery_document: discovered.then(|| json!({"issuer": "https://a.co"})),
    }
}

fn edge() -> TestEdge {
    let admin = |bearer: &domain::request::Bearer| match &bearer.0 {
        Some(token) if token.expose() == "good" => Ok(()),
        Some(_) => Err(Refusal::NotAdmin),
        None => Err(Refusal::NoAuthorization),
    };
    let known = |identifier: &str| match identifier {
        "custom:acme" => Ok(provider("custom:acme", oauth2(None))),
        "custom:oidc" => Ok(provider("custom:oidc", oidc(true))),
        "" => Err(Refusal::from(ProviderRefusal::CustomProviderInvalid("no prefix".to_owned()))),
        _ => Err(ProviderRefusal::CustomProviderNotFound.into()),
    };
    TestEdge::new(
        FakeRuntime::default()
            .with_tokens("good")
            .on(move |_, request: List| {
                admin(&request.bearer)?;
                assert_eq!(request.provider_type, "oidc");
                Ok(vec![provider("custom:b", oidc(false)), provider("custom:a", oauth2(Some("https://a.co/jwks")))])
            })
            .on(move |_, request: Create| {
                admin(&request.bearer)?;
                let body = request.body?;
                assert_eq!(body["identifier"], "custom:acme");
                Ok(provider("custom:acme", oauth2(None)))
            })
            .on(move |_, request: Get| {
                admin(&request.bearer)?;
                Ok(known(&request.identifier)?)
            })
            .on(move |_, request: Update| {
                admin(&request.bearer)?;
                let provider = known(&request.identifier)?;
                request.body?;
                Ok(provider)
            })
            .on(move |_, request: Delete| {
                admin(&request.bearer)?;
                Ok(known(&request.identifier).map(drop)?)
            }),
    )
}

const SHOWN: &str = r#"{"id":"00000000-0000-0000-0000-000000000000","provider_type":"oauth2","identifier":"custom:acme","name":"Acme","client_id":"acme-client","acceptable_client_ids":[],"scopes":["read","mail"],"pkce_enabled":true,"attribute_mapping":{"name":"nickname"},"custom_claims_allowlist":["team"],"authorization_params":{"prompt":"login"},"enabled":true,"email_optional":false,"skip_nonce_check":false,"authorization_url":"https://a.co/authorize","token_url":"https://a.co/token","userinfo_url":"https://a.co/userinfo","created_at":"2023-11-14T22:13:20Z","updated_at":"2023-11-14T22:13:21Z"}"#;

#[tokio::test]
async fn a_provider_is_made_read_changed_and_removed() {
    let edge = edge();
    let body = r#"{"identifier":"custom:acme","client_secret":"hidden"}"#;
    for path in ["/admin/custom-providers", "/admin/custom-providers/"] {
        let made = edge.ask("POST", path, &ADMIN, body).await;
        assert_eq!((made.status.as_u16(), made.text.as_str()), (201, SHOWN));
    }
    // A client may escape the colon.
    for identifier in ["custom:acme", "custom%3Aacme"] {
        let path = format!("/admin/custom-providers/{identifier}");
        let read = edge.ask("GET", &path, &ADMIN, "").await;
        assert_eq!((read.status.as_u16(), read.text.as_str()), (200, SHOWN));
        let changed = edge.ask("PUT", &path, &ADMIN, "{}").await;
        assert_eq!((changed.status.as_u16(), changed.text.as_str()), (200, SHOWN));
        let gone = edge.ask("DELETE", &path, &ADMIN, "").await;
        assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
        assert_eq!(gone.header("content-type"), None);
    }
    for identifier in ["custom:other", "custom:acme%2F", "acme"] {
        let unknown = edge.ask("GET", &format!("/admin/custom-providers/{identifier}"), &ADMIN, "").await;
        assert_eq!(unknown.refusal(), (404, "custom_provider_not_found".to_owned()), "{identifier}");
    }
    let unreadable = edge.ask("GET", "/admin/custom-providers/%ff", &ADMIN, "").await;
    assert_eq!(unreadable.refusal(), (400, "validation_failed".to_owned()));
}

#[tokio::test]
async fn each_protocol_shows_what_it_has() {
    let edge = edge();
    let listed = edge.ask("GET", "/admin/custom-providers?type=oidc", &ADMIN, "").await.json();
    let providers = listed["providers"].as_array().unwrap();
    assert_eq!(providers[0]["issuer"], "https://a.co");
    for absent in ["discovery_url", "discovery_document", "authorization_url", "token_url", "jwks_uri", "client_secret"]
    {
        assert!(providers[0].get(absent).is_none(), "{absent}");
    }
    assert_eq!(providers[1]["jwks_uri"], "https://a.co/jwks");
    assert!(providers[1].get("issuer").is_none());
    let read = edge.ask("GET", "/admin/custom-providers/custom:oidc", &ADMIN, "").await.json();
    assert_eq!((&read["provider_type"], &read["discovery_url"]), (&json!("oidc"), &json!("https://a.co/meta")));
    assert_eq!(read["discovery_document"], json!({"issuer": "https://a.co"}));
}

#[tokio::test]
async fn they_are_the_administrators() {
    let edge = edge();
    let one = "/admin/custom-providers/custom:acme";
    for (method, path, body) in [
        ("GET", "/admin/custom-providers?type=oidc", ""),
        ("GET", "/admin/custom-providers?type=%ff", ""),
        ("POST", "/admin/custom-providers", "{"),
        ("GET", one, ""),
        ("PUT", one, "{"),
        ("DELETE", one, ""),
        ("PATCH", one, ""),
    ] {
        let stranger = edge.ask(method, path, &[], body).await;
        assert_eq!(stranger.refusal(), (401, "no_authorization".to_owned()), "{method} {path}");
    }
    for (method, path) in [("POST", "/admin/custom-providers"), ("PUT", one)] {
        for body in ["", "{", "[]", "\"x\""] {
            assert_eq!(edge.ask(method, path, &ADMIN, body).await.refusal(), (400, "bad_json".to_owned()), "{body}");
        }
    }
}
