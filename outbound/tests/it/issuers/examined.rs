//! What can be known of a provider without a person.

use domain::provider::{Builtin, ClientKey, Kind};
use domain::secret::Secret;
use outbound::ProviderTransport;

use super::sign_in::{oauth2, oidc};
use super::{Signer, World};
use crate::stand_in::reply;

async fn examined(world: &World, connection: &domain::provider::Connection) -> Vec<(&'static str, Option<bool>)> {
    let checks = world.providers.examine(connection).await;
    checks.into_iter().map(|check| (check.name, check.passed)).collect()
}

#[tokio::test]
async fn a_provider_that_is_set_up_well_passes() {
    let signer = Signer::new("ES256", "k1");
    let world = World::with(&[&signer]).await;
    let all = [("discovery", Some(true)), ("keys", Some(true)), ("secret", Some(true)), ("redirect", Some(true))];
    assert_eq!(examined(&world, &oidc()).await, all);
    assert_eq!(examined(&world, &oauth2()).await, all[2..]);
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_told_apart() {
    let world = World::with(&[]).await;
    world.served().token = reply(401, &[], br#"{"error":"invalid_client"}"#);
    let expected =
        [("discovery", Some(true)), ("keys", Some(false)), ("secret", Some(false)), ("redirect", Some(true))];
    assert_eq!(examined(&world, &oidc()).await, expected);

    world.served().token = reply(400, &[], br#"{"error":"something"}"#);
    assert_eq!(examined(&world, &oauth2()).await[0], ("secret", None));

    world.served().instead = Some(reply(400, &[], b"Error 400: redirect_uri_mismatch"));
    assert_eq!(examined(&world, &oauth2()).await, [("secret", None), ("redirect", Some(false))]);

    world.served().instead = Some(reply(503, &[], b""));
    assert_eq!(examined(&world, &oauth2()).await, [("secret", None), ("redirect", None)]);
}

#[tokio::test]
async fn without_metadata_nothing_else_can_be_known() {
    let world = World::with(&[]).await;
    world.served().metadata = None;
    assert_eq!(examined(&world, &oidc()).await, [("discovery", Some(false)), ("keys", None)]);
}

#[tokio::test]
async fn a_private_key_that_cannot_be_read_is_told_without_showing_it() {
    let world = World::with(&[]).await;
    let mut connection = oauth2();
    connection.kind = Kind::Builtin(Builtin::Gitlab);
    connection.settings.url = Some(super::ISSUER.to_owned());
    connection.settings.client_key = Some(ClientKey {
        team_id: "T".to_owned(),
        key_id: "K".to_owned(),
        private_key: Secret::new("not a key".to_owned()),
    });
    let checks = world.providers.examine(&connection).await;
    assert_eq!((checks[0].name, checks[0].passed), ("secret", Some(false)));
    assert!(!checks[0].detail.contains("not a key"));
    assert_eq!(world.asked("/oauth/token"), 0);
}
