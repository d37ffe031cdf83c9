//! The keys of issuers of access tokens.

use domain::third_party::Source;
use outbound::{ProviderError, ProviderTransport};
use serde_json::{Value, json};

use super::{ISSUER, Signer, World};
use crate::stand_in::reply;

#[tokio::test]
async fn keys_come_by_way_of_metadata_from_an_address_or_from_the_project() {
    let signer = Signer::new("ES256", "k1");
    let world = World::with(&[&signer]).await;
    // Issuers of access tokens have no sign-in page.
    world.served().metadata = Some(json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks")}));
    let published = json!({"keys": [signer.jwk]});
    let by_issuer = Source::OidcIssuer(ISSUER.to_owned());
    assert_eq!(world.providers.keys(&by_issuer, false).await.as_ref(), Ok(&published));
    let by_address = Source::JwksUrl(format!("{ISSUER}/jwks"));
    assert_eq!(world.providers.keys(&by_address, false).await.as_ref(), Ok(&published));
    assert_eq!(world.asked("/jwks"), 1);
    let given = json!({"keys": [{"kty": "oct"}]});
    assert_eq!(world.providers.keys(&Source::CustomJwks(given.clone()), true).await, Ok(given));
}

#[tokio::test]
async fn fresh_keys_are_fetched_at_most_once_a_minute() {
    let (old, new) = (Signer::new("ES256", "old"), Signer::new("ES256", "new"));
    let world = World::with(&[&old]).await;
    let source = Source::JwksUrl(format!("{ISSUER}/jwks"));
    let kids = |keys: Result<Value, ProviderError>| keys.unwrap()["keys"][0]["kid"].clone();
    assert_eq!(kids(world.providers.keys(&source, true).await), "old");
    world.served().keys = vec![new.jwk.clone()];
    assert_eq!(kids(world.providers.keys(&source, true).await), "old");
    world.clock.advance(60);
    assert_eq!(kids(world.providers.keys(&source, false).await), "old");
    assert_eq!(kids(world.providers.keys(&source, true).await), "new");
    assert_eq!(world.asked("/jwks"), 2);
}

#[tokio::test]
async fn without_keys_there_is_a_reason() {
    let world = World::with(&[]).await;
    world.served().instead = Some(reply(200, &[], b"<html>"));
    let source = Source::JwksUrl(format!("{ISSUER}/jwks"));
    let text = "the keys of the issuer are no JWK set".to_owned();
    assert_eq!(world.providers.keys(&source, false).await, Err(ProviderError::Discovery(text)));
    let plain = Source::JwksUrl("http://idp.test/jwks".to_owned());
    assert!(world.providers.keys(&plain, false).await.is_err());
}
