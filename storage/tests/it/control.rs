use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::project::{Profile, Project, Status};
use domain::secret::Secret;
use domain::third_party::Source;
use serde_json::{Value, json};
use storage::control::{ApiKey, Bundle, Change, ConfigVersion, KeyStatus, SigningKey};
use storage::{ControlStore, StoreError};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixture::{Fixture, object, t};
use crate::third_party::issuer;

on_both! {
    a_project_is_made_whole
    a_taken_ref_or_instance_is_a_conflict
    a_project_is_renamed_paused_and_removed
    of_many_writers_of_a_version_one_wins
    one_signing_key_is_in_use
    api_keys_come_and_go
    secrets_and_settings_are_replaced
    every_change_is_numbered_in_commit_order
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn signing_key(f: &Fixture, status: KeyStatus, hour: i64) -> SigningKey {
    SigningKey {
        id: f.id(),
        algorithm: "ES256".to_owned(),
        status,
        sealed: secret("sealed key"),
        public_jwk: Some(json!({ "kty": "EC" })),
        created_at: t(hour),
        updated_at: t(hour),
    }
}

fn api_key(f: &Fixture, kind: &str, name: &str) -> ApiKey {
    ApiKey {
        id: f.id(),
        name: name.to_owned(),
        kind: kind.to_owned(),
        hash: f.id().to_string(),
        prefix: "sb_".to_owned(),
        sealed: secret("sealed api key"),
        description: None,
        created_at: t(1),
        updated_at: t(1),
    }
}

pub(crate) fn bundle(f: &Fixture, name: &str) -> Bundle {
    let project = Project {
        id: ProjectId(f.id()),
        project_ref: name.parse().unwrap(),
        instance: InstanceId(f.id()),
        name: "A project".to_owned(),
        status: Status::Active,
        profile: Profile::Compat,
        database_url: None,
        created_at: t(1),
    };
    Bundle {
        project,
        config: ConfigVersion {
            version: 1,
            values: object(json!({ "site_url": "https://a", "n": 1 })),
            created_at: t(1),
        },
        signing_keys: vec![signing_key(f, KeyStatus::InUse, 1)],
        api_keys: vec![api_key(f, "publishable", "default"), api_key(f, "secret", "default")],
        secrets: vec![("jwt_secret".to_owned(), secret("a")), ("project_key".to_owned(), secret("b"))],
        third_party: vec![issuer(f, Source::OidcIssuer("https://issuer.example.com".to_owned()), 1)],
    }
}

pub(crate) async fn made(f: &Fixture, control: &ControlStore, name: &str) -> ProjectId {
    let bundle = bundle(f, name);
    control.projects().create(&bundle, t(1)).await.unwrap();
    bundle.project.id
}

pub(crate) fn named(text: &str) -> ProjectRef {
    text.parse().unwrap()
}

async fn a_project_is_made_whole(f: Fixture) {
    let control = f.control().await;
    let new = bundle(&f, "first");
    control.projects().create(&new, t(1)).await.unwrap();
    let read = control.projects().bundle(&named("first")).await.unwrap().unwrap();
    assert_eq!((read.project.id, read.project.instance), (new.project.id, new.project.instance));
    assert_eq!((read.project.status, read.project.profile), (Status::Active, Profile::Compat));
    assert_eq!((read.project.name.as_str(), read.project.created_at), ("A project", t(1)));
    assert_eq!(read.config, new.config);
    let key = &read.signing_keys[0];
    assert_eq!(
        (key.id, key.status, &key.public_jwk),
        (new.signing_keys[0].id, KeyStatus::InUse, &new.signing_keys[0].public_jwk)
    );
    assert_eq!((key.sealed.expose().as_str(), key.algorithm.as_str(), key.updated_at), ("sealed key", "ES256", t(1)));
    let kinds: Vec<_> = read.api_keys.iter().map(|key| (key.kind.as_str(), key.name.as_str())).collect();
    assert_eq!(kinds, [("publishable", "default"), ("secret", "default")]);
    let secrets: Vec<_> = read.secrets.iter().map(|(name, sealed)| (name.as_str(), sealed.expose().as_str())).collect();
    assert_eq!(secrets, [("jwt_secret", "a"), ("project_key", "b")]);
    assert_eq!(read.third_party, new.third_party);

    assert!(control.projects().bundle(&named("second")).await.unwrap().is_none());
    assert!(control.projects().by_ref(&named("second")).await.unwrap().is_none());
    assert_eq!(control.projects().by_ref(&named("first")).await.unwrap().unwrap().id, new.project.id);
    assert_eq!(control.projects().by_id(new.project.id).await.unwrap().unwrap().project_ref, named("first"));
    assert!(control.projects().by_id(ProjectId(f.id())).await.unwrap().is_none());
}

async fn a_taken_ref_or_instance_is_a_conflict(f: Fixture) {
    let control = f.control().await;
    let first = bundle(&f, "first");
    control.projects().create(&first, t(1)).await.unwrap();
    let same_ref = bundle(&f, "first");
    assert!(matches!(control.projects().create(&same_ref, t(1)).await, Err(StoreError::Conflict)));
    let mut same_rows = bundle(&f, "second");
    same_rows.project.instance = first.project.instance;
    assert!(matches!(control.projects().create(&same_rows, t(1)).await, Err(StoreError::Conflict)));
    assert_eq!(control.projects().list().await.unwrap().len(), 1);
    same_rows.project.database_url = Some(secret("sealed url"));
    control.projects().create(&same_rows, t(1)).await.unwrap();
    let own = control.projects().by_ref(&named("second")).await.unwrap().unwrap();
    assert_eq!(own.database_url, Some(secret("sealed url")));
}

async fn a_project_is_renamed_paused_and_removed(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let other = made(&f, &control, "second").await;
    assert!(control.projects().rename(id, "New name", t(2)).await.unwrap());
    assert!(control.projects().set_status(id, Status::Paused, t(2)).await.unwrap());
    let project = control.projects().by_id(id).await.unwrap().unwrap();
    assert_eq!((project.name.as_str(), project.status), ("New name", Status::Paused));
    assert_eq!(control.projects().by_id(other).await.unwrap().unwrap().status, Status::Active);
    assert!(control.projects().delete(id, t(3)).await.unwrap());
    assert!(!control.projects().delete(id, t(3)).await.unwrap());
    assert!(!control.projects().rename(id, "x", t(3)).await.unwrap());
    assert!(!control.projects().set_status(id, Status::Active, t(3)).await.unwrap());
    assert_eq!(control.projects().list().await.unwrap().len(), 1);
    assert!(control.secrets().list(id).await.unwrap().is_empty());
    assert!(control.api_keys().list(id).await.unwrap().is_empty());
    assert!(control.configs().latest(id).await.unwrap().is_none());
    assert_eq!(control.third_party().list(id).await.unwrap(), []);
    made(&f, &control, "first").await;
}

async fn of_many_writers_of_a_version_one_wins(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let mut racing = JoinSet::new();
    for n in 0..16 {
        let control = control.clone();
        racing.spawn(async move {
            match control.configs().append(id, 1, &object(json!({ "writer": n })), t(2)).await {
                Ok(version) => Some(version),
                Err(StoreError::Conflict) => None,
                Err(other) => panic!("{other:?}"),
            }
        });
    }
    let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners, [2]);
    for wrong in [0, 1, 3] {
        let late = control.configs().append(id, wrong, &object(json!({})), t(3)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{wrong}");
    }
    assert_eq!(control.configs().append(id, 2, &object(json!({ "x": null })), t(4)).await.unwrap(), 3);
    let latest = control.configs().latest(id).await.unwrap().unwrap();
    assert_eq!((latest.version, latest.values.get("x"), latest.created_at), (3, Some(&Value::Null), t(4)));
    let history = control.configs().history(id, 2).await.unwrap();
    assert_eq!(history.iter().map(|config| config.version).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(control.configs().version(id, 1).await.unwrap().unwrap().values, bundle(&f, "any").config.values);
    assert!(control.configs().version(id, 9).await.unwrap().is_none());
}

async fn one_signing_key_is_in_use(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let keys = control.signing_keys();
    let first = keys.list(id).await.unwrap().remove(0).id;
    let next = signing_key(&f, KeyStatus::Standby, 2);
    keys.insert(id, &next).await.unwrap();
    assert!(keys.set_status(id, next.id, KeyStatus::Standby, KeyStatus::InUse, t(3)).await.unwrap());
    let states = |keys: Vec<SigningKey>| keys.into_iter().map(|key| (key.id, key.status)).collect::<Vec<_>>();
    let rotated = [(next.id, KeyStatus::InUse), (first, KeyStatus::PreviouslyUsed)];
    assert_eq!(states(keys.list(id).await.unwrap()), rotated);
    assert_eq!(keys.get(id, first).await.unwrap().unwrap().updated_at, t(3));

    // A move from a state the key is not in changes nothing, not even the key in use.
    assert!(!keys.set_status(id, first, KeyStatus::Standby, KeyStatus::InUse, t(4)).await.unwrap());
    assert!(!keys.set_status(id, f.id(), KeyStatus::Standby, KeyStatus::InUse, t(4)).await.unwrap());
    assert_eq!(states(keys.list(id).await.unwrap()), rotated);

    assert!(!keys.delete(id, first, t(5)).await.unwrap());
    assert!(keys.set_status(id, first, KeyStatus::PreviouslyUsed, KeyStatus::Revoked, t(5)).await.unwrap());
    assert!(keys.delete(id, first, t(6)).await.unwrap());
    let third = signing_key(&f, KeyStatus::InUse, 7);
    keys.insert(id, &third).await.unwrap();
    assert_eq!(keys.get(id, next.id).await.unwrap().unwrap().status, KeyStatus::PreviouslyUsed);
    let other = made(&f, &control, "second").await;
    assert!(keys.get(other, third.id).await.unwrap().is_none());
    assert!(!keys.set_status(other, third.id, KeyStatus::InUse, KeyStatus::Standby, t(8)).await.unwrap());
}

async fn api_keys_come_and_go(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let other = made(&f, &control, "second").await;
    let keys = control.api_keys();
    let key = api_key(&f, "secret", "backend");
    keys.insert(id, &key).await.unwrap();
    assert!(matches!(keys.insert(id, &api_key(&f, "secret", "backend")).await, Err(StoreError::Conflict)));
    keys.insert(id, &api_key(&f, "publishable", "backend")).await.unwrap();
    assert_eq!(keys.project_of(&key.hash).await.unwrap(), Some(id));
    assert_eq!(keys.project_of("unknown").await.unwrap(), None);
    assert!(keys.update(id, key.id, "renamed", Some("for jobs"), t(2)).await.unwrap());
    assert!(!keys.update(other, key.id, "stolen", None, t(2)).await.unwrap());
    let read = keys.get(id, key.id).await.unwrap().unwrap();
    assert_eq!((read.name.as_str(), read.description.as_deref(), read.updated_at), ("renamed", Some("for jobs"), t(2)));
    assert_eq!((read.sealed.expose().as_str(), read.prefix.as_str()), ("sealed api key", "sb_"));
    assert!(keys.get(other, key.id).await.unwrap().is_none());
    assert!(!keys.delete(other, key.id, t(3)).await.unwrap());
    assert!(keys.delete(id, key.id, t(3)).await.unwrap());
    assert!(!keys.delete(id, Uuid::nil(), t(3)).await.unwrap());
    assert_eq!(keys.project_of(&key.hash).await.unwrap(), None);
    assert_eq!(keys.list(id).await.unwrap().len(), 3);
}

async fn secrets_and_settings_are_replaced(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    control.secrets().put(id, "jwt_secret", &secret("newer"), t(2)).await.unwrap();
    let secrets = control.secrets().list(id).await.unwrap();
    assert_eq!(secrets[0], ("jwt_secret".to_owned(), secret("newer")));
    assert_eq!(secrets.len(), 2);

    let settings = control.settings();
    assert_eq!(settings.get("operator_token").await.unwrap(), None);
    let (one, other) = tokio::join!(
        settings.put_if_absent("operator_token", "one", t(1)),
        settings.put_if_absent("operator_token", "other", t(1)),
    );
    assert_eq!(one.unwrap(), other.unwrap());
    settings.put("operator_token", "new", t(2)).await.unwrap();
    assert_eq!(settings.get("operator_token").await.unwrap().as_deref(), Some("new"));
}

async fn every_change_is_numbered_in_commit_order(f: Fixture) {
    let control = f.control().await;
    assert_eq!(control.events().latest().await.unwrap(), 0);
    let id = made(&f, &control, "first").await;
    let start = control.events().latest().await.unwrap();
    control.configs().append(id, 1, &object(json!({})), t(2)).await.unwrap();
    control.projects().rename(id, "Name", t(3)).await.unwrap();
    control.projects().rename(ProjectId(f.id()), "Nobody", t(3)).await.unwrap();
    assert!(control.configs().append(id, 1, &object(json!({})), t(3)).await.is_err());
    let events = control.events().after(start, 10).await.unwrap();
    let changes: Vec<_> = events.iter().map(|event| (event.project, event.change, event.created_at)).collect();
    assert_eq!(changes, [(id, Change::Config, t(2)), (id, Change::Project, t(3))]);
    assert_eq!(control.events().after(start, 1).await.unwrap(), events[..1]);

    // A reader that always continues after the last number it saw misses nothing.
    let writers = tokio::spawn({
        let control = control.clone();
        async move {
            let mut writers = JoinSet::new();
            for _ in 0..20 {
                let control = control.clone();
                writers.spawn(async move { control.projects().rename(id, "Name", t(4)).await.unwrap() });
            }
            writers.join_all().await;
        }
    });
    let mut seen = events[1].seq;
    let mut count = 0;
    while !writers.is_finished() || control.events().latest().await.unwrap() > seen {
        for event in control.events().after(seen, 3).await.unwrap() {
            (seen, count) = (event.seq, count + 1);
        }
    }
    assert_eq!(count, 20);
    assert!(control.events().trim(t(9)).await.unwrap() > 20);
    assert_eq!(control.events().latest().await.unwrap(), seen);
}
