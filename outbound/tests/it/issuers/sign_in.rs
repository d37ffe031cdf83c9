//! Codes, credentials, and providers that are out of service.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::custom_providers::{CustomProvider, Protocol};
use domain::ids::ProjectId;
use domain::provider::{Builtin, ClientKey, Connection, Departure, Kind, ProviderSettings, Return, SignedIn};
use domain::secret::Secret;
use domain::time::Timestamp;
use futures::FutureExt;
use outbound::{ProviderError, ProviderTransport};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::form_urlencoded;
use uuid::Uuid;

use super::{APPLE, ISSUER, NOW, Signer, World, claims};
use crate::stand_in::{Reply, Request, StandIn, json as json_reply, redirect, reply};

const SECRET: &str = "s3cret/&+";

fn project(number: u128) -> ProjectId {
    ProjectId::from(Uuid::from_u128(number))
}

/// A provider of the project's own.
pub(super) fn connection(protocol: Protocol) -> Connection {
    let at = Timestamp::from_unix(NOW);
    let provider = CustomProvider {
        id: Uuid::from_u128(1),
        identifier: "custom:acme".to_owned(),
        name: "Acme".to_owned(),
        protocol,
        client_id: "client".to_owned(),
        client_secret: Secret::new(SECRET.to_owned()),
        acceptable_client_ids: vec!["other".to_owned()],
        scopes: vec!["openid".to_owned()],
        pkce_enabled: true,
        attribute_mapping: serde_json::Map::new(),
        custom_claims_allowlist: Vec::new(),
        authorization_params: BTreeMap::new(),
        enabled: true,
        email_optional: false,
        skip_nonce_check: false,
        created_at: at,
        updated_at: at,
    };
    Connection {
        name: "custom:acme".to_owned(),
        kind: Kind::Custom(Box::new(provider)),
        settings: ProviderSettings {
            client_ids: vec!["client".to_owned(), "other".to_owned()],
            secret: Secret::new(SECRET.to_owned()),
            ..ProviderSettings::default()
        },
        redirect_uri: "https://auth.example/callback".to_owned(),
        strict: false,
    }
}

pub(super) fn oauth2() -> Connection {
    connection(Protocol::Oauth2 {
        authorization_url: format!("{ISSUER}/authorize"),
        token_url: format!("{ISSUER}/token"),
        userinfo_url: format!("{ISSUER}/userinfo"),
        jwks_uri: None,
    })
}

pub(super) fn oidc() -> Connection {
    connection(Protocol::Oidc { issuer: ISSUER.to_owned(), discovery_url: None, discovery_document: None })
}

fn back() -> Return {
    Return {
        code: Secret::new("c0de".to_owned()),
        oauth_token: String::new(),
        user: String::new(),
        code_verifier: Secret::new("v".repeat(43)),
        nonce: "n0nce".to_owned(),
    }
}

async fn arrive(world: &World, connection: &Connection) -> Result<SignedIn, ProviderError> {
    world.providers.arrive(project(1), connection, &back()).await
}

fn tokens() -> Reply {
    json_reply(r#"{"access_token":"at","token_type":"bearer","refresh_token":"rt"}"#)
}

fn basic(request: &Request) -> Option<String> {
    let credentials = request.header("authorization")?.strip_prefix("Basic ")?;
    Some(String::from_utf8(STANDARD.decode(credentials).unwrap()).unwrap())
}

fn form(request: &Request) -> BTreeMap<String, String> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

fn to_token_endpoint(world: &World) -> Vec<Request> {
    world.server.requests().into_iter().filter(|request| request.target == "/token").collect()
}

#[tokio::test]
async fn a_code_is_traded_with_redirect_address_and_verifier() {
    let world = World::with(&[]).await;
    world.served().token = tokens();
    let signed_in = arrive(&world, &oauth2()).await.unwrap();
    assert_eq!(signed_in.profile.subject, "s1");
    assert_eq!(signed_in.tokens.access_token.expose(), "at");
    assert_eq!(signed_in.tokens.refresh_token.expose(), "rt");
    let requests = world.server.requests();
    let [token, profile] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(basic(token).as_deref(), Some("client:s3cret%2F%26%2B"));
    let expected = [
        ("code", "c0de"),
        ("code_verifier", &"v".repeat(43)),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://auth.example/callback"),
    ];
    assert_eq!(form(token), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(profile.header("authorization"), Some("Bearer at"));
}

#[tokio::test]
async fn credentials_go_where_they_are_taken_and_that_is_remembered() {
    let world = World::with(&[]).await;
    world.served().token = Reply::Each(|request| {
        let in_body = form(request).get("client_secret").is_some_and(|secret| secret == SECRET);
        if in_body { tokens() } else { reply(401, &[], br#"{"error":"invalid_client"}"#) }
    });
    for _ in 0..2 {
        assert!(arrive(&world, &oauth2()).await.is_ok());
    }
    let styles: Vec<bool> = to_token_endpoint(&world).iter().map(|request| basic(request).is_some()).collect();
    assert_eq!(styles, [true, false, false]);

    // The provider has changed its mind.
    world.served().token = Reply::Each(|request| {
        if basic(request).is_some() { tokens() } else { reply(401, &[], br#"{"error":"invalid_client"}"#) }
    });
    assert_eq!(arrive(&world, &oauth2()).await.unwrap_err(), ProviderError::Code);
    assert!(arrive(&world, &oauth2()).await.is_ok());
}

#[tokio::test]
async fn a_code_that_was_judged_is_not_shown_again() {
    let world = World::with(&[]).await;
    for answer in [
        reply(400, &[], br#"{"error":"invalid_grant"}"#),
        reply(200, &[], br#"{"error":"bad_verification_code","error_description":"expired"}"#),
        reply(502, &[], b"<html>"),
    ] {
        let before = to_token_endpoint(&world).len();
        world.served().token = answer;
        assert_eq!(arrive(&world, &oauth2()).await.unwrap_err(), ProviderError::Code);
        assert_eq!(to_token_endpoint(&world).len() - before, 1);
    }
}

#[tokio::test]
async fn answers_may_be_forms_and_nothing_else_counts() {
    let world = World::with(&[]).await;
    let typed = |media_type: &str, body: &str| reply(200, &[("content-type", media_type)], body.as_bytes());
    world.served().token = typed("application/x-www-form-urlencoded; charset=utf-8", "access_token=a%2Bb&scope=x");
    assert_eq!(arrive(&world, &oauth2()).await.unwrap().tokens.access_token.expose(), "a+b");
    for answer in [
        typed("text/html", "access_token=a"),
        typed("application/json", ""),
        typed("application/json", r#"{"access_token":""}"#),
        typed("application/json", r#"{"access_token":7}"#),
        typed("application/json", r#"{"access_token":"a","error":"e"}"#),
        Reply::Flood(b"HTTP/1.1 200 x\r\n\r\n".to_vec()),
    ] {
        world.served().token = answer;
        assert_eq!(arrive(&world, &oauth2()).await.unwrap_err(), ProviderError::Code);
    }
}

#[tokio::test]
async fn profiles_must_be_json_and_bounded() {
    let world = World::with(&[]).await;
    world.served().token = tokens();
    for answer in [
        reply(200, &[("content-type", "text/html")], b"<html>"),
        reply(404, &[], b"{}"),
        json_reply("[]"),
        json_reply(r#"{"sub":""}"#),
        Reply::Flood(b"HTTP/1.1 200 x\r\n\r\n".to_vec()),
    ] {
        world.served().profile = answer;
        assert_eq!(arrive(&world, &oauth2()).await.unwrap_err(), ProviderError::Profile);
    }
}

/// Metadata may move, code and token stay with the endpoints that it names.
#[tokio::test]
async fn a_provider_of_a_project_sends_nothing_elsewhere() {
    let world = World::with(&[]).await;
    let elsewhere = StandIn::giving([json_reply(r#"{"access_token":"at","sub":"victim"}"#)]).await;
    for connection in [oauth2(), oidc()] {
        world.served().token = redirect(307, &elsewhere.url("/token"));
        assert_eq!(arrive(&world, &connection).await.unwrap_err(), ProviderError::Code);
        world.served().token = tokens();
        world.served().profile = redirect(302, &elsewhere.url("/userinfo"));
        assert_eq!(arrive(&world, &connection).await.unwrap_err(), ProviderError::Profile);
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn an_id_token_must_be_for_us_and_repeat_the_nonce() {
    let (signer, mallory) = (Signer::new("ES256", "k1"), Signer::new("ES256", "k1"));
    let world = World::with(&[&signer]).await;
    let answer = |token: String| json_reply(&json!({"access_token": "at", "id_token": token}).to_string());
    for changes in [json!({}), json!({"aud": ["x", "other"]})] {
        let mut told = claims(&changes);
        told["nonce"] = json!("n0nce");
        world.served().token = answer(signer.token(&told));
        assert_eq!(arrive(&world, &oidc()).await.unwrap().profile.subject, "s1", "{changes}");
    }
    for changes in [
        json!({}),
        json!({"nonce": "another"}),
        json!({"nonce": ["n0nce"]}),
        json!({"nonce": "n0nce", "aud": "somebody"}),
        json!({"nonce": "n0nce", "aud": []}),
        json!({"nonce": "n0nce", "aud": null}),
        json!({"nonce": "n0nce", "exp": NOW - 1}),
        json!({"nonce": "n0nce", "at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    ] {
        world.served().token = answer(signer.token(&claims(&changes)));
        assert_eq!(arrive(&world, &oidc()).await.unwrap_err(), ProviderError::Profile, "{changes}");
    }
    world.served().token = answer(mallory.token(&claims(&json!({"nonce": "n0nce"}))));
    assert_eq!(arrive(&world, &oidc()).await.unwrap_err(), ProviderError::Profile);
}

#[tokio::test]
async fn a_provider_that_fails_five_times_is_left_alone_by_that_project_for_half_a_minute() {
    let world = World::with(&[]).await;
    world.served().token = reply(503, &[], b"");
    for _ in 0..5 {
        assert_eq!(arrive(&world, &oauth2()).await.unwrap_err(), ProviderError::Code);
    }
    world.served().token = tokens();
    let asked = world.server.requests().len();
    assert_eq!(arrive(&world, &oauth2()).await.unwrap_err(), ProviderError::Unavailable);
    let departure = departure();
    let left = world.providers.depart(project(1), &oauth2(), &departure).await;
    assert_eq!(left, Err(ProviderError::Unavailable));
    assert_eq!(world.server.requests().len(), asked);
    assert!(world.providers.arrive(project(2), &oauth2(), &back()).await.is_ok());

    world.clock.advance(30);
    assert!(arrive(&world, &oauth2()).await.is_ok());
    assert!(world.providers.depart(project(1), &oauth2(), &departure).await.is_ok());
}

#[tokio::test]
async fn whoever_leaves_after_an_outage_can_come_back() {
    let world = World::with(&[]).await;
    world.served().token = reply(500, &[], b"");
    for _ in 0..5 {
        assert_eq!(arrive(&world, &oidc()).await.unwrap_err(), ProviderError::Code);
    }
    let leaves = || async { world.providers.depart(project(1), &oidc(), &departure()).await.map(|_| ()) };
    assert_eq!(leaves().await, Err(ProviderError::Unavailable));
    world.clock.advance(30);
    assert_eq!((leaves().await, leaves().await), (Ok(()), Ok(())));
    // The first who comes back finds out how the provider is.
    assert_eq!(arrive(&world, &oidc()).await.unwrap_err(), ProviderError::Code);
    assert_eq!(arrive(&world, &oidc()).await.unwrap_err(), ProviderError::Unavailable);
}

#[tokio::test]
async fn refused_codes_never_open_the_breaker() {
    let world = World::with(&[]).await;
    for _ in 0..10 {
        assert_eq!(arrive(&world, &oauth2()).await.unwrap_err(), ProviderError::Code);
    }
    world.served().token = tokens();
    assert!(arrive(&world, &oauth2()).await.is_ok());
}

#[tokio::test]
async fn without_metadata_nobody_is_sent_away() {
    let world = World::with(&[]).await;
    world.served().metadata = None;
    let error = world.providers.depart(project(1), &oidc(), &departure()).await.unwrap_err();
    let url = format!("{ISSUER}/.well-known/openid-configuration");
    assert_eq!(error, ProviderError::Discovery(format!("OIDC discovery from \"{url}\" failed: status 404")));
}

#[tokio::test]
async fn metadata_that_were_wrong_are_looked_at_again_soon() {
    let world = World::with(&[]).await;
    let good = world.served().metadata.clone();
    world.served().metadata.as_mut().unwrap()["issuer"] = json!("https://other.test");
    assert!(world.providers.depart(project(1), &oidc(), &departure()).await.is_err());
    world.served().metadata = good;
    assert!(world.providers.depart(project(1), &oidc(), &departure()).await.is_err());
    world.clock.advance(60);
    assert!(world.providers.depart(project(1), &oidc(), &departure()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_given_up_in_time_to_say_so() {
    let world = World::with(&[]).await;
    for (connection, silence) in [(oauth2(), Reply::Silence), (oidc(), Reply::Drip(b"HTTP/1.1 200 x\r\n\r\n".to_vec()))]
    {
        world.served().instead = Some(silence);
        let start = Instant::now();
        assert_eq!(arrive(&world, &connection).await.unwrap_err(), ProviderError::Code);
        assert!(start.elapsed() < Duration::from_secs(9));
    }
}

#[tokio::test]
async fn those_who_wait_for_a_provider_do_not_fill_the_gateway() {
    let world = World::with(&[]).await;
    world.served().instead = Some(Reply::Silence);
    let connection = oauth2();
    let mut waiting: Vec<_> = (0..128).map(|_| Box::pin(arrive(&world, &connection))).collect();
    assert!(waiting.iter_mut().all(|arriving| arriving.now_or_never().is_none()));
    assert_eq!(arrive(&world, &connection).await.unwrap_err(), ProviderError::Unavailable);
    drop(waiting);
    world.served().instead = None;
    assert_eq!(arrive(&world, &connection).await.unwrap_err(), ProviderError::Code);
}

#[tokio::test]
async fn kakao_is_shown_the_secret_in_the_form_only() {
    let world = World::with(&[]).await;
    let mut connection = oauth2();
    connection.kind = Kind::Builtin(Builtin::Kakao);
    connection.settings.url = Some(ISSUER.to_owned());
    assert!(arrive(&world, &connection).await.is_err());
    let requests = world.server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].target.as_str(), requests[0].header("authorization")), ("/oauth/token", None));
    assert_eq!(form(&requests[0])["client_secret"], SECRET);
}

#[tokio::test]
async fn apple_gets_a_secret_that_is_signed_for_each_exchange() {
    let signer = Signer::new("ES256", "k1");
    let world = World::with(&[&signer]).await;
    let metadata = json!({
        "issuer": APPLE, "authorization_endpoint": format!("{APPLE}/authorize"), "token_endpoint": format!("{APPLE}/token"),
        "jwks_uri": format!("{APPLE}/jwks"), "id_token_signing_alg_values_supported": ["ES256"],
    });
    world.served().metadata = Some(metadata);
    // Apple's tokens are of either of its names.
    let told = claims(&json!({"iss": "https://account.apple.com", "nonce": "n0nce"}));
    world.served().token = json_reply(&json!({"access_token": "at", "id_token": signer.token(&told)}).to_string());
    let mut connection = oauth2();
    connection.name = "apple".to_owned();
    connection.kind = Kind::Builtin(Builtin::Apple);
    connection.settings.client_key = Some(ClientKey {
        team_id: "TEAM".to_owned(),
        key_id: "KEY".to_owned(),
        private_key: Secret::new(KeyPair::generate().unwrap().serialize_pem()),
    });
    for at in [NOW, NOW + 60] {
        assert_eq!(arrive(&world, &connection).await.unwrap().profile.subject, "s1");
        let sent = form(to_token_endpoint(&world).last().unwrap());
        let secret = &sent["secret"];
        let payload: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(secret.split('.').nth(1).unwrap()).unwrap()).unwrap();
        let expected = json!({"iss": "TEAM", "sub": "client", "aud": APPLE, "iat": at, "exp": at + 300});
        assert_eq!((payload, sent["client_id"].as_str()), (expected, "client"));
        world.clock.advance(60);
    }
}

fn departure() -> Departure {
    Departure {
        state: "st".to_owned(),
        scopes: String::new(),
        parameters: Vec::new(),
        code_verifier: Secret::new("v".repeat(43)),
        nonce: "n0nce".to_owned(),
    }
}
