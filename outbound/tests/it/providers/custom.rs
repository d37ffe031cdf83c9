//! Providers of a project's own (`contract/mfa-passkeys-oauth.md` §6.3, §6.4, §6.6).

use std::collections::BTreeMap;

use domain::custom_providers::{CustomProvider, Protocol};
use domain::provider::{Connection, Kind, Profile, ProviderEmail, ProviderSettings};
use domain::secret::Secret;
use domain::time::Timestamp;
use outbound::{ProviderError, ProviderTransport};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::idp::{BACK, CLIENT, Idp, Misbehaviour, NOW, Registered, SECRET};
use super::{departure, project, providers, sign_in};

fn provider(protocol: Protocol) -> CustomProvider {
    CustomProvider {
        id: Uuid::from_u128(2),
        identifier: "custom:corp".to_owned(),
        name: "Corp".to_owned(),
        protocol,
        client_id: CLIENT.to_owned(),
        client_secret: Secret::new("sealed".to_owned()),
        acceptable_client_ids: vec!["client-9".to_owned()],
        scopes: vec!["profile".to_owned()],
        pkce_enabled: true,
        attribute_mapping: serde_json::Map::new(),
        custom_claims_allowlist: Vec::new(),
        authorization_params: BTreeMap::new(),
        enabled: true,
        email_optional: false,
        skip_nonce_check: false,
        created_at: Timestamp::from_unix(NOW),
        updated_at: Timestamp::from_unix(NOW),
    }
}

fn oauth2() -> CustomProvider {
    provider(Protocol::Oauth2 {
        authorization_url: "https://corp.test/authorize?tenant=7".to_owned(),
        token_url: "https://corp.test/token".to_owned(),
        userinfo_url: "https://corp.test/me".to_owned(),
        jwks_uri: None,
    })
}

fn oidc() -> CustomProvider {
    provider(Protocol::Oidc { issuer: "https://corp.test".to_owned(), discovery_url: None, discovery_document: None })
}

fn connection(provider: CustomProvider) -> Connection {
    Connection {
        name: provider.identifier.clone(),
        settings: ProviderSettings {
            client_ids: vec![provider.client_id.clone()],
            secret: Secret::new(SECRET.to_owned()),
            ..ProviderSettings::default()
        },
        kind: Kind::Custom(Box::new(provider)),
        redirect_uri: BACK.to_owned(),
        strict: false,
    }
}

fn registered(provider: &CustomProvider) -> Registered {
    let oidc = matches!(provider.protocol, Protocol::Oidc { .. });
    Registered {
        authorize: "corp.test/authorize".to_owned(),
        token: "corp.test/token".to_owned(),
        scope: if oidc { "openid profile" } else { "profile" }.to_owned(),
        challenge: provider.pkce_enabled,
        nonce: oidc,
        issuer: "https://corp.test".to_owned(),
        ..Registered::default()
    }
}

/// Who signs in where the endpoint for profiles says this.
async fn answered(provider: CustomProvider, answer: Value) -> Result<Profile, ProviderError> {
    let at = if matches!(provider.protocol, Protocol::Oidc { .. }) { "corp.test/userinfo" } else { "corp.test/me" };
    let idp = Idp::start(Registered { documents: vec![(at.to_owned(), answer)], ..registered(&provider) }).await;
    sign_in(&idp, &connection(provider)).await.map(|signed_in| signed_in.profile)
}

/// Who signs in where the ID token says this.
async fn told(provider: CustomProvider, claims: Value) -> Result<Profile, ProviderError> {
    let idp = Idp::start(Registered { id_token: claims, ..registered(&provider) }).await;
    sign_in(&idp, &connection(provider)).await.map(|signed_in| signed_in.profile)
}

fn mapping(mut provider: CustomProvider, mapping: Value, allowed: &[&str]) -> CustomProvider {
    provider.attribute_mapping = mapping.as_object().unwrap().clone();
    provider.custom_claims_allowlist = allowed.iter().map(|claim| (*claim).to_owned()).collect();
    provider
}

fn email(email: &str, verified: bool) -> [ProviderEmail; 1] {
    [ProviderEmail { email: email.to_owned(), verified, primary: true }]
}

#[tokio::test]
async fn claims_of_the_standard_are_taken_and_others_only_where_they_are_wanted() {
    let answer = json!({
        "sub": "c1", "email": "Ada@Example.test", "email_verified": true, "name": "Ada Example", "locale": "",
        "updated_at": 1_700_000_000, "department": "R&D", "level": 3, "phone_verified": false,
    });
    let profile = answered(oauth2(), answer.clone()).await.unwrap();
    assert_eq!((profile.subject.as_str(), &profile.emails[..]), ("c1", &email("Ada@Example.test", true)[..]));
    let claims = json!({ "sub": "c1", "name": "Ada Example", "updated_at": "2023-11-14T22:13:20Z" });
    assert_eq!(Value::Object(profile.claims), claims);

    let kept = answered(mapping(oauth2(), json!({}), &["department", "level", "absent"]), answer).await.unwrap();
    assert_eq!(kept.claims["custom_claims"], json!({ "department": "R&D", "level": 3 }));
}

#[tokio::test]
async fn a_claim_of_another_type_is_no_sign_in() {
    for wrong in [
        json!({ "sub": 1 }),
        json!({ "sub": "c1", "email_verified": "true" }),
        json!({ "sub": "c1", "name": ["Ada"] }),
        json!({ "sub": "c1", "updated_at": "yesterday" }),
        json!({ "sub": "" }),
        json!({ "id": "c1" }),
        json!([]),
    ] {
        assert_eq!(answered(oauth2(), wrong.clone()).await.err(), Some(ProviderError::Profile), "{wrong}");
    }
}

#[tokio::test]
async fn a_mapping_may_supply_the_subject_but_not_prove_an_address() {
    let answer = json!({ "preferred_username": "ada@corp.test", "email": "ada@example.test", "email_verified": true });
    let subject = mapping(oauth2(), json!({ "sub": "preferred_username" }), &[]);
    let profile = answered(subject.clone(), answer.clone()).await.unwrap();
    assert_eq!(
        (profile.subject.as_str(), &profile.emails[..]),
        ("ada@corp.test", &email("ada@example.test", true)[..])
    );

    let address = mapping(oauth2(), json!({ "sub": "preferred_username", "email": "preferred_username" }), &[]);
    let profile = answered(address, answer.clone()).await.unwrap();
    assert_eq!(profile.emails, email("ada@corp.test", false), "the provider has verified another address");

    let flag = mapping(oauth2(), json!({ "sub": "preferred_username", "email_verified": true }), &[]);
    let mut unproven = answer;
    unproven["email_verified"] = false.into();
    assert_eq!(answered(flag, unproven).await.unwrap().emails, email("ada@example.test", false));
}

#[tokio::test]
async fn an_id_token_says_who_and_no_mapping_changes_the_address() {
    let claims = json!({
        "sub": "c1", "email": "ada@example.test", "email_verified": true, "preferred_username": "ada", "name": "Ada",
        "team": "x",
    });
    let mapped = mapping(oidc(), json!({ "email": "preferred_username", "nickname": "name" }), &["team"]);
    let profile = told(mapped, claims).await.unwrap();
    assert_eq!(profile.emails, email("ada@example.test", true));
    let wanted = json!({
        "iss": "https://corp.test", "sub": "c1", "aud": [CLIENT], "iat": NOW, "exp": NOW + 600, "name": "Ada",
        "nickname": "Ada", "preferred_username": "ada", "custom_claims": { "team": "x" },
    });
    assert_eq!(Value::Object(profile.claims), wanted);
}

#[tokio::test]
async fn without_an_id_token_the_endpoint_is_asked_unless_every_check_is_wanted() {
    let answer = json!({ "sub": "c1", "email": "ada@example.test", "email_verified": true });
    let profile = answered(oidc(), answer.clone()).await.unwrap();
    assert_eq!((profile.subject.as_str(), &profile.emails[..]), ("c1", &email("ada@example.test", true)[..]));

    let documents = vec![("corp.test/userinfo".to_owned(), answer)];
    let idp = Idp::start(Registered { documents, ..registered(&oidc()) }).await;
    let strict = Connection { strict: true, ..connection(oidc()) };
    assert_eq!(sign_in(&idp, &strict).await.err(), Some(ProviderError::Profile));
}

#[tokio::test]
async fn an_id_token_is_for_one_of_the_clients_ids() {
    for (aud, taken) in [("client-9", true), ("client-8", false)] {
        let id_token = json!({ "sub": "c1", "aud": aud });
        assert_eq!(told(oidc(), id_token).await.is_ok(), taken, "{aud}");
    }
    let wrong = Misbehaviour::Claims(json!({ "nonce": "another" }));
    let id_token = json!({ "sub": "c1" });
    let idp = Idp::start(Registered { id_token, misbehaviour: wrong, ..registered(&oidc()) }).await;
    assert_eq!(sign_in(&idp, &connection(oidc())).await.err(), Some(ProviderError::Profile));
}

#[tokio::test]
async fn well_known_issuers_keep_their_ways() {
    let mut google = oidc();
    google.protocol = Protocol::Oidc {
        issuer: "https://accounts.google.com".to_owned(),
        discovery_url: None,
        discovery_document: None,
    };
    let id_token = json!({ "sub": "g1", "email": "ada@example.test", "email_verified": true, "hd": "example.test" });
    let known = Registered { id_token, issuer: "https://accounts.google.com".to_owned(), ..registered(&google) };
    let idp = Idp::start(known).await;
    let profile = sign_in(&idp, &connection(google)).await.unwrap().profile;
    assert_eq!(profile.claims["custom_claims"], json!({ "hd": "example.test" }));
    assert_eq!(profile.emails, email("ada@example.test", true));
}

#[tokio::test]
async fn parameters_of_the_project_win_over_those_of_the_client() {
    let mut provider = oauth2();
    let params = [
        ("prompt", "login"),
        ("audience", "api"),
        ("response_mode", "form_post"),
        ("state", "x"),
        ("Redirect_uri", "https://evil.test"),
    ];
    provider.authorization_params =
        params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let idp = Idp::start(registered(&provider)).await;
    let mut departure = departure();
    departure.scopes = " email\tteams ".to_owned();
    let asked = [("prompt", "none"), ("response_mode", "fragment"), ("hd", "x")];
    departure.parameters = asked.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let url = providers(&idp).depart(project(), &connection(provider), &departure).await.unwrap();
    let url = Url::parse(&url).unwrap();
    let given: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let is = |name: &str| given.get(name).map_or("", String::as_str);
    assert_eq!([is("prompt"), is("audience"), is("hd"), is("tenant")], ["login", "api", "x", "7"]);
    assert_eq!(is("response_mode"), "form_post");
    assert_eq!([is("scope"), is("redirect_uri"), is("Redirect_uri")], ["email teams", BACK, ""]);
    assert_eq!([is("state"), is("code_challenge_method")], [super::STATE, "S256"]);
}

#[tokio::test]
async fn an_openid_provider_is_always_asked_for_an_id_token() {
    for (scopes, scope) in [("", "openid profile"), ("email", "openid email"), ("email openid", "email openid")] {
        let idp = Idp::start(registered(&oidc())).await;
        let mut departure = departure();
        departure.scopes = scopes.to_owned();
        let url = providers(&idp).depart(project(), &connection(oidc()), &departure).await.unwrap();
        let url = Url::parse(&url).unwrap();
        let asked = url.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned();
        assert_eq!(asked, scope, "{scopes}");
    }
}

#[tokio::test]
async fn a_challenge_is_sent_where_the_project_wants_it() {
    let mut provider = oauth2();
    provider.pkce_enabled = false;
    assert!(answered(provider, json!({ "sub": "c1" })).await.is_ok());
}
