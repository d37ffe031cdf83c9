use std::collections::BTreeMap;

use domain::custom_providers::{CustomProvider, Protocol};
use domain::secret::Secret;
use serde_json::json;
use storage::{StoreError, TenantStore};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, object, t};

on_both! {
    a_provider_reads_back
    providers_are_listed_newest_first_and_by_type
    a_taken_identifier_is_a_conflict
    of_many_providers_of_one_name_one_is_made
    who_holds_the_lock_of_all_counts_right
    a_provider_is_changed_and_goes
    the_metadata_remembers_when_it_changed
    what_another_server_wrote_is_read
}

/// A provider of OAuth 2.0 with something in every column.
pub(crate) fn oauth2(f: &Fixture, identifier: &str, hour: i64) -> CustomProvider {
    CustomProvider {
        id: f.id(),
        identifier: identifier.to_owned(),
        name: "Ünternehmen".to_owned(),
        protocol: Protocol::Oauth2 {
            authorization_url: "https://idp.example.com/authorize".to_owned(),
            token_url: "https://idp.example.com/token".to_owned(),
            userinfo_url: "https://idp.example.com/me".to_owned(),
            jwks_uri: Some("https://idp.example.com/jwks".to_owned()),
        },
        client_id: "client".to_owned(),
        client_secret: Secret::new("sealed".to_owned()),
        acceptable_client_ids: vec!["ios".to_owned(), "with \"quotes\", commas and {braces}".to_owned()],
        scopes: vec!["profile".to_owned()],
        pkce_enabled: true,
        attribute_mapping: object(json!({ "email": "mail", "nested": { "a": [1] } })),
        custom_claims_allowlist: vec!["department".to_owned()],
        authorization_params: BTreeMap::from([("prompt".to_owned(), "consent".to_owned())]),
        enabled: true,
        email_optional: false,
        skip_nonce_check: false,
        created_at: t(hour),
        updated_at: t(hour),
    }
}

fn oidc(f: &Fixture, identifier: &str, hour: i64) -> CustomProvider {
    CustomProvider {
        protocol: Protocol::Oidc {
            issuer: "https://idp.example.com".to_owned(),
            discovery_url: Some("https://idp.example.com/metadata".to_owned()),
            discovery_document: Some(json!({ "issuer": "https://idp.example.com" })),
        },
        acceptable_client_ids: Vec::new(),
        scopes: Vec::new(),
        pkce_enabled: false,
        attribute_mapping: object(json!({})),
        custom_claims_allowlist: Vec::new(),
        authorization_params: BTreeMap::new(),
        enabled: false,
        email_optional: true,
        skip_nonce_check: true,
        ..oauth2(f, identifier, hour)
    }
}

async fn add(store: &TenantStore, provider: &CustomProvider) {
    let mut tx = store.begin().await.unwrap();
    tx.custom_providers().insert(provider).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_provider_reads_back(f: Fixture) {
    let store = f.tenant();
    let bare = CustomProvider {
        protocol: Protocol::Oidc {
            issuer: "https://i.example".to_owned(),
            discovery_url: None,
            discovery_document: None,
        },
        ..oidc(&f, "custom:bare", 3)
    };
    for new in [oauth2(&f, "custom:one", 1), oidc(&f, "custom:two", 2), bare] {
        add(&store, &new).await;
        let read = store.read_custom_provider(&new.identifier).await.unwrap().unwrap();
        assert_eq!(read, new);
        assert_eq!(read.client_secret, new.client_secret);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.custom_providers().lock(&new.identifier).await.unwrap(), Some(new));
        assert_eq!(tx.custom_providers().lock("custom:none").await.unwrap(), None);
    }
    assert_eq!(store.read_custom_provider("custom:none").await.unwrap(), None);
}

async fn providers_are_listed_newest_first_and_by_type(f: Fixture) {
    let store = f.tenant();
    for new in [oauth2(&f, "custom:b", 2), oidc(&f, "custom:c", 3), oauth2(&f, "custom:a", 1)] {
        add(&store, &new).await;
    }
    for (wanted, found) in [
        (None, &["custom:c", "custom:b", "custom:a"][..]),
        (Some("oauth2"), &["custom:b", "custom:a"]),
        (Some("oidc"), &["custom:c"]),
    ] {
        let listed = store.list_custom_providers(wanted).await.unwrap();
        assert_eq!(listed.iter().map(|provider| provider.identifier.as_str()).collect::<Vec<_>>(), found);
    }
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.custom_providers().count().await.unwrap(), 3);
}

async fn a_taken_identifier_is_a_conflict(f: Fixture) {
    let (store, other) = (f.tenant(), f.tenant());
    add(&store, &oauth2(&f, "custom:one", 1)).await;
    let mut tx = store.begin().await.unwrap();
    let taken = tx.custom_providers().insert(&oidc(&f, "custom:one", 2)).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    drop(tx);
    add(&other, &oauth2(&f, "custom:one", 1)).await;
}

async fn of_many_providers_of_one_name_one_is_made(f: Fixture) {
    let store = f.tenant();
    let mut racing = JoinSet::new();
    for _ in 0..20 {
        let (store, new) = (store.clone(), oauth2(&f, "custom:one", 1));
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            match tx.custom_providers().insert(&new).await {
                Ok(()) => tx.commit().await.map(|()| true).unwrap(),
                Err(StoreError::Conflict) => false,
                Err(other) => panic!("{other:?}"),
            }
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
}

async fn who_holds_the_lock_of_all_counts_right(f: Fixture) {
    let (store, other) = (f.tenant(), f.tenant());
    let mut racing = JoinSet::new();
    for number in 0..40 {
        let store = if number % 2 == 0 { store.clone() } else { other.clone() };
        let new = oauth2(&f, &format!("custom:{number}"), 1);
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            tx.custom_providers().lock_all().await.unwrap();
            if tx.custom_providers().count().await.unwrap() < 2 {
                tx.custom_providers().insert(&new).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    racing.join_all().await;
    for store in [store, other] {
        assert_eq!(store.list_custom_providers(None).await.unwrap().len(), 2);
    }
}

async fn a_provider_is_changed_and_goes(f: Fixture) {
    let store = f.tenant();
    let (old, stays) = (oauth2(&f, "custom:one", 1), oauth2(&f, "custom:two", 1));
    add(&store, &old).await;
    add(&store, &stays).await;
    let changed = CustomProvider {
        name: "New".to_owned(),
        protocol: Protocol::Oauth2 {
            authorization_url: "https://new.example.com/authorize".to_owned(),
            token_url: "https://new.example.com/token".to_owned(),
            userinfo_url: "https://new.example.com/me".to_owned(),
            jwks_uri: None,
        },
        client_id: "new".to_owned(),
        client_secret: Secret::new("sealed anew".to_owned()),
        updated_at: t(5),
        ..CustomProvider {
            id: old.id,
            identifier: old.identifier.clone(),
            created_at: old.created_at,
            ..oidc(&f, "", 1)
        }
    };
    let mut tx = store.begin().await.unwrap();
    assert!(tx.custom_providers().update(&changed).await.unwrap());
    assert!(!tx.custom_providers().update(&CustomProvider { id: f.id(), ..changed.clone() }).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.read_custom_provider("custom:one").await.unwrap(), Some(changed));
    assert_eq!(store.read_custom_provider("custom:two").await.unwrap(), Some(stays));

    let mut tx = store.begin().await.unwrap();
    assert!(tx.custom_providers().delete("custom:one").await.unwrap());
    assert!(!tx.custom_providers().delete("custom:one").await.unwrap());
    assert_eq!(tx.custom_providers().count().await.unwrap(), 1);
}

async fn the_metadata_remembers_when_it_changed(f: Fixture) {
    let store = f.tenant();
    let mut provider = oidc(&f, "custom:one", 1);
    add(&store, &provider).await;
    let at_hour = |column: &str, hour: i64| {
        let at = t(hour).utc().format("%Y-%m-%dT%H:%M:%S%.6fZ");
        format!("select count(*) from auth.custom_oauth_providers where {column} = '{at}'")
    };
    assert_eq!(f.number(&at_hour("discovery_cached_at", 1)).await, 1);
    let other = Some(json!({ "issuer": "https://idp.example.com", "scopes_supported": [] }));
    for (hour, document, cached) in [(2, None, None), (3, other.clone(), Some(3)), (4, other, Some(3))] {
        provider.updated_at = t(hour);
        let Protocol::Oidc { discovery_document, .. } = &mut provider.protocol else { panic!("not OIDC") };
        *discovery_document = document;
        let mut tx = store.begin().await.unwrap();
        assert!(tx.custom_providers().update(&provider).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(f.number(&at_hour("updated_at", hour)).await, 1);
        let count = match cached {
            Some(hour) => f.number(&at_hour("discovery_cached_at", hour)).await,
            None => {
                f.number("select count(*) from auth.custom_oauth_providers where discovery_cached_at is null").await
            }
        };
        assert_eq!(count, 1, "{hour}");
    }
}

async fn what_another_server_wrote_is_read(f: Fixture) {
    let store = f.tenant();
    let at = "'2026-01-01T00:00:00.000000Z'";
    f.write(&format!(
        "insert into auth.custom_oauth_providers
             (instance_id, id, provider_type, identifier, name, client_id, client_secret, authorization_params, attribute_mapping,
              cached_discovery, issuer, created_at, updated_at)
         values ({}, {}, 'oidc', 'custom:theirs', 'Theirs', 'client', 'plain', '{{\"prompt\": \"login\", \"n\": 1}}', 'null', 'null',
              'https://idp.example.com', {at}, {at})",
        f.literal(store.instance().0),
        f.literal(f.id()),
    ))
    .await;
    let read = store.read_custom_provider("custom:theirs").await.unwrap().unwrap();
    assert_eq!(read.authorization_params, BTreeMap::from([("prompt".to_owned(), "login".to_owned())]));
    assert_eq!(
        (read.pkce_enabled, read.enabled, read.email_optional, read.skip_nonce_check),
        (true, true, false, false)
    );
    assert!(read.attribute_mapping.is_empty() && read.scopes.is_empty() && read.acceptable_client_ids.is_empty());
    let Protocol::Oidc { discovery_document: None, .. } = read.protocol else { panic!("{:?}", read.protocol) };
}
