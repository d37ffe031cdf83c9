use serde_json::json;

use super::*;
use crate::fixtures::at;

fn body(value: Value) -> Body {
    value.as_object().cloned().unwrap()
}

fn full() -> Value {
    json!({
        "provider_type": "oauth2", "identifier": "custom:acme", "name": "Acme", "client_id": "c", "client_secret": "s",
        "authorization_url": "https://8.8.8.8/authorize", "token_url": "https://8.8.8.8/token",
        "userinfo_url": "https://8.8.8.8/userinfo",
    })
}

fn oidc() -> Value {
    json!({
        "provider_type": "oidc", "identifier": "custom:acme", "name": "Acme", "client_id": "c", "client_secret": "s",
        "issuer": "https://8.8.8.8",
    })
}

fn with(mut value: Value, name: &str, field: Value) -> Value {
    value[name] = field;
    value
}

fn fields(value: Value) -> Fields {
    Fields::read(body(value)).unwrap()
}

fn made(value: Value) -> CustomProvider {
    fields(value).make(Uuid::from_u128(1), at(7)).unwrap()
}

fn refused(value: Value) -> String {
    let refusal = Fields::read(body(value)).and_then(|fields| fields.make(Uuid::from_u128(1), at(7))).unwrap_err();
    refusal.wire().message.into_owned()
}

#[test]
fn the_required_fields_in_their_order() {
    let mut value = json!({});
    for (name, field, message) in [
        ("provider_type", json!("saml"), "provider_type must be either 'oauth2' or 'oidc'"),
        ("provider_type", json!("oauth2"), "provider_type must be either 'oauth2' or 'oidc'"),
        ("identifier", json!("acme"), "identifier is required"),
        ("identifier", json!("custom:acme"), "identifier must start with 'custom:' prefix, e.g. 'custom:acme'"),
        ("name", json!("Acme"), "name is required"),
        ("client_id", json!("c"), "client_id is required"),
        ("client_secret", json!("s"), "client_secret is required"),
        ("authorization_url", json!("x"), "authorization_url is required for OAuth2 providers"),
        ("token_url", json!("x"), "token_url is required for OAuth2 providers"),
        ("userinfo_url", json!("x"), "userinfo_url is required for OAuth2 providers"),
    ] {
        assert_eq!(refused(value.clone()), message);
        value[name] = field;
    }
    assert_eq!(made(value).identifier, "custom:acme");
    assert_eq!(refused(with(oidc(), "issuer", json!(""))), "issuer is required for OIDC providers");
}

#[test]
fn what_is_not_sent_has_its_default() {
    let provider = made(full());
    assert!(provider.pkce_enabled && provider.enabled && !provider.email_optional && !provider.skip_nonce_check);
    assert!(provider.scopes.is_empty() && provider.acceptable_client_ids.is_empty());
    assert!(provider.attribute_mapping.is_empty() && provider.authorization_params.is_empty());
    assert_eq!((provider.created_at, provider.updated_at), (at(7), at(7)));
    let null = made(with(with(full(), "scopes", json!(null)), "pkce_enabled", json!(null)));
    assert_eq!(null, provider);
    let other_case = made(with(full(), "PKCE_Enabled", json!(false)));
    assert!(!other_case.pkce_enabled);
}

#[test]
fn openid_is_among_the_scopes_of_an_openid_provider() {
    assert_eq!(made(oidc()).scopes, ["openid"]);
    assert_eq!(made(with(oidc(), "scopes", json!(["email"]))).scopes, ["openid", "email"]);
    assert_eq!(made(with(oidc(), "scopes", json!(["email", "openid"]))).scopes, ["email", "openid"]);
    let mut provider = made(oidc());
    fields(json!({ "name": "New" })).apply(&mut provider, at(8));
    assert_eq!(provider.scopes, ["openid"]);
    fields(json!({ "scopes": [] })).apply(&mut provider, at(8));
    assert_eq!(provider.scopes, ["openid"]);
}

#[test]
fn fields_have_their_types() {
    for (name, value) in [
        ("scopes", json!("read")),
        ("scopes", json!([1])),
        ("name", json!(1)),
        ("enabled", json!("yes")),
        ("attribute_mapping", json!([])),
        ("authorization_params", json!("x")),
    ] {
        let message = refused(with(full(), name, value));
        assert!(message.starts_with("Could not parse request body as JSON: "), "{name} {message}");
    }
}

#[test]
fn what_the_server_controls_is_not_overridden() {
    for name in RESERVED_PARAMETERS {
        let value = with(full(), "authorization_params", json!({ name: "x" }));
        assert_eq!(refused(value), format!("Cannot override reserved OAuth parameter: {name}"));
    }
    let value = with(full(), "authorization_params", json!({ "prompt": 1 }));
    assert_eq!(refused(value), "Authorization parameter \"prompt\" must be a string");
    for name in PROTECTED_CLAIMS {
        let value = with(full(), "attribute_mapping", json!({ name: "x" }));
        assert_eq!(refused(value), format!("Cannot map to protected system field: {name}"));
    }
    made(with(full(), "attribute_mapping", json!({ "sub": "id", "email": "mail", "iss": "i", "custom_claims": {} })));
    let value = with(full(), "custom_claims_allowlist", json!(["ok", " "]));
    assert_eq!(refused(value), "custom_claims_allowlist entries must be non-empty strings");
}

#[test]
fn what_the_schema_bounds_is_refused_before_it_is_written() {
    let long = |letters: usize| json!("x".repeat(letters));
    for (name, value) in [
        ("name", long(101)),
        ("client_id", long(513)),
        ("token_url", long(2049)),
        ("jwks_uri", long(2049)),
        ("identifier", json!("custom:Acme")),
        ("identifier", json!("custom:a_b")),
        ("identifier", json!("custom:acme-")),
        ("identifier", json!("custom:")),
        ("identifier", json!(format!("custom:{}", "a".repeat(44)))),
    ] {
        assert!(
            refused(with(full(), name, value.clone())).starts_with(&format!("{name} must have at most")),
            "{value}"
        );
    }
    made(with(full(), "name", json!("\u{e4}".repeat(100))));
    made(with(full(), "identifier", json!(format!("custom:{}", "a".repeat(43)))));
}

#[test]
fn a_change_replaces_what_it_names() {
    let mut provider = made(with(full(), "jwks_uri", json!("https://8.8.8.8/jwks")));
    let change = fields(json!({
        "provider_type": "oidc", "identifier": "custom:other", "name": "", "client_id": "d", "client_secret": "new",
        "acceptable_client_ids": ["e"], "enabled": false, "token_url": "https://9.9.9.9/token", "jwks_uri": "",
        "issuer": "https://9.9.9.9", "authorization_params": { "prompt": "consent" }, "skip_nonce_check": true,
    }));
    assert_eq!(change.urls(&provider.protocol), ["https://9.9.9.9/token"]);
    assert!(!change.discovers(&provider.protocol));
    change.apply(&mut provider, at(9));
    assert_eq!((provider.identifier.as_str(), provider.name.as_str()), ("custom:acme", "Acme"));
    assert_eq!((provider.client_id.as_str(), provider.client_secret.expose().as_str()), ("d", "new"));
    assert_eq!(provider.acceptable_client_ids, ["e"]);
    assert_eq!(provider.authorization_params.get("prompt").map(String::as_str), Some("consent"));
    assert!(!provider.enabled && !provider.skip_nonce_check);
    let Protocol::Oauth2 { token_url, userinfo_url, jwks_uri, .. } = provider.protocol else { panic!("protocol") };
    assert_eq!((token_url.as_str(), userinfo_url.as_str()), ("https://9.9.9.9/token", "https://8.8.8.8/userinfo"));
    assert_eq!(jwks_uri.as_deref(), Some("https://8.8.8.8/jwks"));
    assert_eq!((provider.created_at, provider.updated_at), (at(7), at(9)));
}

#[test]
fn metadata_is_fetched_again_where_its_place_is_named() {
    let provider = made(oidc());
    for (value, expected) in [
        (json!({ "issuer": "https://8.8.8.8" }), true),
        (json!({ "discovery_url": "https://8.8.8.8/m" }), true),
        (json!({ "discovery_url": "" }), true),
        (json!({ "discovery_url": null }), false),
        (json!({ "issuer": "" }), false),
        (json!({ "name": "x" }), false),
    ] {
        assert_eq!(fields(value.clone()).discovers(&provider.protocol), expected, "{value}");
    }
}

#[test]
fn a_path_names_a_provider_in_either_spelling() {
    assert_eq!(identifier("custom:a").unwrap(), "custom:a");
    assert_eq!(identifier("custom%3Aa").unwrap(), "custom:a");
    assert_eq!(identifier("custom%3aa-%62").unwrap(), "custom:a-b");
    for (path, shown) in [("a", "a"), ("custom%3", "custom%3"), ("%ff", "%ff"), ("Custom:a", "Custom:a")] {
        let message = identifier(path).unwrap_err().wire().message.into_owned();
        assert_eq!(message, format!("identifier must start with 'custom:' prefix, e.g. 'custom:{shown}'"));
    }
}
