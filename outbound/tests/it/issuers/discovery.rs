//! What an issuer publishes, and what may be wrong with it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::provider::Issuer;
use domain::secret::Secret;
use outbound::providers::Endpoints;
use outbound::{HttpProviders, IdTokenError, ProviderError, ProviderTransport, reach};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Counted, ISSUER, Signer, World, claims, issuer};
use crate::stand_in::{Reply, StandIn, client, client_within, json as json_reply, redirect, reply};

async fn discovered(world: &World) -> Result<Value, ProviderError> {
    world.providers.discover(&issuer(true)).await
}

fn failed(detail: &str) -> Result<Value, ProviderError> {
    let url = format!("{ISSUER}/.well-known/openid-configuration");
    Err(ProviderError::Discovery(format!("OIDC discovery from \"{url}\" failed: {detail}")))
}

#[tokio::test]
async fn metadata_are_asked_for_politely() {
    let world = World::with(&[]).await;
    let published = world.served().metadata.clone().unwrap();
    assert_eq!(discovered(&world).await, Ok(published));
    let request = &world.server.requests()[0];
    assert_eq!(request.header("accept"), Some("application/json"));
    assert!(request.header("user-agent").unwrap().starts_with("Tenantry/"));
}

#[tokio::test]
async fn each_question_of_an_administrator_is_asked_anew() {
    let world = World::with(&[]).await;
    assert!(discovered(&world).await.is_ok());
    world.served().metadata = None;
    assert_eq!(discovered(&world).await, failed("status 404"));
}

#[tokio::test]
async fn metadata_of_somebody_else_are_refused() {
    let world = World::with(&[]).await;
    for other in ["https://idp.test/", "https://mallory.test", "HTTPS://idp.test"] {
        world.served().metadata.as_mut().unwrap()["issuer"] = json!(other);
        let expected = failed("the issuer in the document is not the one that was asked for");
        assert_eq!(discovered(&world).await, expected, "{other}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let world = World::with(&[]).await;
    let metadata = json!({"issuer": ISSUER, "authorization_endpoint": format!("{ISSUER}/a")});
    world.served().metadata = Some(metadata);
    let text = "OIDC discovery document is missing required fields: token_endpoint, jwks_uri";
    assert_eq!(discovered(&world).await, Err(ProviderError::Discovery(text.to_owned())));
}

#[tokio::test]
async fn broken_answers_are_failures_with_a_reason() {
    let world = World::with(&[]).await;
    for (answer, detail) in [
        (reply(500, &[], b"{}"), "status 500"),
        (reply(204, &[], b""), "status 204"),
        (reply(200, &[("content-type", "text/html")], b"<html>"), "the answer is no JSON"),
        (json_reply("[]"), "the answer is no JSON object"),
        (Reply::Flood(b"HTTP/1.1 200 x\r\n\r\n".to_vec()), "the answer is longer than 1048576 bytes"),
    ] {
        world.served().instead = Some(answer);
        assert_eq!(discovered(&world).await, failed(detail));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_issuer_keeps_nobody_waiting_for_long() {
    let world = World::with(&[]).await;
    for silence in [Reply::Silence, Reply::Drip(b"HTTP/1.1 200 x\r\n\r\n".to_vec())] {
        world.served().instead = Some(silence);
        let start = Instant::now();
        assert!(discovered(&world).await.is_err());
        assert!(start.elapsed() <= Duration::from_secs(10));
    }
}

#[tokio::test]
async fn what_a_project_chose_must_be_encrypted_throughout() {
    let world = World::with(&[]).await;
    world.served().metadata.as_mut().unwrap()["token_endpoint"] = json!("http://idp.test/token");
    assert_eq!(discovered(&world).await, failed("an address in the document cannot be used"));
    let plain = Issuer { issuer: "http://idp.test".to_owned(), discovery_url: None, foreign: true };
    let text =
        "OIDC discovery from \"http://idp.test/.well-known/openid-configuration\" failed: the address cannot be used";
    assert_eq!(world.providers.discover(&plain).await, Err(ProviderError::Discovery(text.to_owned())));
}

/// A gateway that is itself on the private network: its operator may reach it, its projects may not.
fn on_a_private_network(endpoints: Endpoints) -> HttpProviders {
    let clock = Arc::new(super::Hand(super::NOW.into()));
    HttpProviders::new(client(), client_within(reach::public()), clock, Arc::<Counted>::default(), endpoints)
}

#[tokio::test]
async fn projects_reach_the_public_internet_only() {
    let providers = on_a_private_network(Endpoints::default());
    for host in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::a00:1]",
        "100.64.0.1",
        "2130706433",
    ] {
        let foreign = Issuer { issuer: format!("https://{host}"), discovery_url: None, foreign: true };
        let error = providers.discover(&foreign).await.unwrap_err();
        assert!(error.to_string().ends_with("failed: the address is not allowed"), "{host}: {error}");
    }
    let by_name = Issuer { issuer: "https://localhost:1".to_owned(), discovery_url: None, foreign: true };
    let error = providers.discover(&by_name).await.unwrap_err();
    assert!(error.to_string().ends_with("failed: the address is not allowed"), "{error}");
}

#[tokio::test]
async fn an_issuer_cannot_lead_a_project_to_a_private_address() {
    let signer = Signer::new("ES256", "k1");
    let world = World::with(&[&signer]).await;
    // Its metadata are public, its keys are said to be at home.
    let allowed = world.server.address;
    let only_there: outbound::Reach = Arc::new(move |address: IpAddr| address == allowed.ip());
    let secret = StandIn::at("127.0.0.2", |_, _| json_reply(r#"{"keys":[]}"#)).await;
    let endpoints =
        Endpoints::default().moved(ISSUER, &world.server.url("")).moved("https://inside.test", &secret.url(""));
    let clock = Arc::new(super::Hand(super::NOW.into()));
    let providers =
        HttpProviders::new(client(), client_within(only_there), clock, Arc::<Counted>::default(), endpoints);

    world.served().metadata.as_mut().unwrap()["jwks_uri"] = json!("https://inside.test/jwks");
    let token = Secret::new(signer.token(&claims(&json!({}))));
    assert!(matches!(providers.id_token(&issuer(true), &token, None).await, Err(IdTokenError::Issuer(_))));

    world.served().instead = Some(redirect(302, &secret.url("/metadata")));
    assert!(providers.discover(&issuer(true)).await.is_err());
    assert!(secret.requests().is_empty());

    // The operator's own issuers may be there.
    world.served().instead = None;
    assert!(matches!(providers.id_token(&issuer(false), &token, None).await, Err(IdTokenError::Bad)));
    assert_eq!(secret.requests().len(), 1);
}

#[tokio::test]
async fn hosts_are_resolved_as_they_are() {
    let world = World::with(&[]).await;
    let loopback = IpAddr::from([127, 0, 0, 1]);
    assert_eq!(world.providers.resolve("127.0.0.1").await, Ok(vec![loopback]));
    assert_eq!(world.providers.resolve("[::1]").await, Ok(vec!["::1".parse().unwrap()]));
    assert!(world.providers.resolve("localhost").await.unwrap().iter().all(IpAddr::is_loopback));
    assert_eq!(world.providers.resolve("no-such-host.invalid").await, Err(ProviderError::Host));
}
