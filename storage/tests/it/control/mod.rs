use domain::ids::{InstanceId, ProjectId, ProjectRef};
use domain::project::{Placement, Profile, Project, Status};
use domain::quota::Quotas;
use domain::secret::Secret;
use domain::third_party::Source;
use serde_json::{Value, json};
use storage::control::{ApiKey, Bundle, Change, ConfigVersion, KeyStatus, ListProjects, SigningKey};
use storage::{ControlStore, StoreError};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, object, t};
use crate::third_party::issuer;

mod gateways;
mod holds;
mod keys;
mod leftovers;
mod life;
mod lists;
mod marks;
mod operators;
mod sweeps;
mod upgrade;

on_both! {
    a_project_is_made_whole
    a_taken_ref_or_instance_is_a_conflict
    a_project_is_renamed_paused_and_removed
    what_an_operator_grants_is_read_back
    a_project_with_rows_of_its_own_is_read_back
    of_many_writers_of_a_version_one_wins
    old_versions_go
    secrets_and_settings_are_replaced
    every_change_is_numbered_in_commit_order
}

pub(crate) fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(crate) fn signing_key(f: &Fixture, status: KeyStatus, hour: i64) -> SigningKey {
    SigningKey {
        id: f.id(),
        algorithm: "ES256".to_owned(),
        status,
        sealed: secret("sealed key"),
        public_jwk: Some(json!({ "kty": "EC" })),
        promote_at: None,
        created_at: t(hour),
        updated_at: t(hour),
    }
}

pub(crate) fn api_key(f: &Fixture, kind: &str, name: &str) -> ApiKey {
    ApiKey {
        id: f.id(),
        name: name.to_owned(),
        kind: kind.to_owned(),
        hash: f.id().to_string(),
        prefix: "sb_".to_owned(),
        sealed: secret("sealed api key"),
        description: None,
        secret_jwt_template: None,
        last_used_at: None,
        expires_at: None,
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
        placement: Placement::Gateway,
        database_url: None,
        quotas: Quotas::default(),
        hold: None,
        purge_at: None,
        created_at: t(1),
    };
    Bundle {
        project,
        config: ConfigVersion {
            version: 1,
            values: object(json!({ "site_url": "https://a", "n": 1 })),
            created_at: t(1),
            changed_by: Some("an operator".to_owned()),
            note: None,
        },
        signing_keys: vec![signing_key(f, KeyStatus::InUse, 1)],
        api_keys: vec![api_key(f, "publishable", "default"), api_key(f, "secret", "default")],
        secrets: vec![("jwt_secret".to_owned(), secret("a")), ("project_key".to_owned(), secret("b"))],
        third_party: vec![issuer(f, Source::OidcIssuer("https://issuer.example.com".to_owned()), 1)],
        legacy_keys_enabled: true,
        domain: None,
    }
}

pub(crate) async fn made(f: &Fixture, control: &ControlStore, name: &str) -> ProjectId {
    let bundle = bundle(f, name);
    assert!(control.projects().create(&bundle, &[], t(1)).await.unwrap());
    bundle.project.id
}

pub(crate) fn named(text: &str) -> ProjectRef {
    text.parse().unwrap()
}

async fn a_project_is_made_whole(f: Fixture) {
    let control = f.control().await;
    let new = bundle(&f, "first");
    assert!(control.projects().create(&new, &[], t(1)).await.unwrap());
    let before = control.statements();
    let read = control.projects().bundle(&named("first")).await.unwrap().unwrap();
    assert_eq!(control.statements() - before, 1, "everything in one round trip");
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
    assert_eq!((read.legacy_keys_enabled, read.domain), (true, None));
    assert_eq!((read.project.placement, read.project.hold, read.project.purge_at), (Placement::Gateway, None, None));

    assert!(control.projects().bundle(&named("second")).await.unwrap().is_none());
    assert!(control.projects().by_ref(&named("second")).await.unwrap().is_none());
    assert_eq!(control.projects().by_ref(&named("first")).await.unwrap().unwrap().id, new.project.id);
    assert_eq!(control.projects().by_id(new.project.id).await.unwrap().unwrap().project_ref, named("first"));
    assert!(control.projects().by_id(ProjectId(f.id())).await.unwrap().is_none());
}

/// The refs of all projects that are not deleted.
pub(crate) async fn refs(control: &ControlStore) -> Vec<String> {
    let projects = control.projects().list(&ListProjects::default()).await.unwrap();
    projects.into_iter().map(|project| project.project_ref.to_string()).collect()
}

async fn a_taken_ref_or_instance_is_a_conflict(f: Fixture) {
    let control = f.control().await;
    let first = bundle(&f, "first");
    assert!(control.projects().create(&first, &[], t(1)).await.unwrap());
    let same_ref = bundle(&f, "first");
    assert!(matches!(control.projects().create(&same_ref, &[], t(1)).await, Err(StoreError::Conflict)));
    let mut same_rows = bundle(&f, "second");
    same_rows.project.instance = first.project.instance;
    assert!(matches!(control.projects().create(&same_rows, &[], t(1)).await, Err(StoreError::Conflict)));
    assert_eq!(refs(&control).await, ["first"]);
    assert_eq!(control.projects().total().await.unwrap(), 1);
    same_rows.project.placement = Placement::Sqlite;
    assert!(control.projects().create(&same_rows, &[], t(1)).await.unwrap());
    let own = control.projects().by_ref(&named("second")).await.unwrap().unwrap();
    assert_eq!((own.placement, own.instance), (Placement::Sqlite, first.project.instance));
}

async fn a_project_with_rows_of_its_own_is_read_back(f: Fixture) {
    let control = f.control().await;
    let mut new = bundle(&f, "first");
    new.project.placement = Placement::Postgres;
    new.secrets.push(("database_url".to_owned(), secret("sealed url")));
    new.project.status = Status::Paused;
    new.legacy_keys_enabled = false;
    assert!(control.projects().create(&new, &[], t(1)).await.unwrap());
    let read = control.projects().bundle(&named("first")).await.unwrap().unwrap();
    assert_eq!((read.project.placement, read.project.status), (Placement::Postgres, Status::Paused));
    assert!(!read.legacy_keys_enabled);
    assert!(read.secrets.contains(&("database_url".to_owned(), secret("sealed url"))));
}

async fn what_an_operator_grants_is_read_back(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let other = made(&f, &control, "second").await;
    let quotas = Quotas { users: Some(10), mails_per_hour: Some(3), ..Quotas::default() };
    assert!(control.projects().set_quotas(id, &quotas, t(2)).await.unwrap());
    assert!(!control.projects().set_quotas(ProjectId(f.id()), &quotas, t(2)).await.unwrap());
    assert_eq!(control.projects().by_id(id).await.unwrap().unwrap().quotas, quotas);
    assert_eq!(control.projects().bundle(&named("first")).await.unwrap().unwrap().project.quotas, quotas);
    assert_eq!(control.projects().by_id(other).await.unwrap().unwrap().quotas, Quotas::default());
    assert!(control.projects().set_legacy_keys(id, false, t(3)).await.unwrap());
    assert!(!control.projects().bundle(&named("first")).await.unwrap().unwrap().legacy_keys_enabled);
    assert!(control.projects().bundle(&named("second")).await.unwrap().unwrap().legacy_keys_enabled);
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
    assert_eq!(control.projects().total().await.unwrap(), 2);
    assert!(control.projects().remove(id, t(3)).await.unwrap());
    assert!(!control.projects().remove(id, t(3)).await.unwrap());
    assert_eq!(control.projects().total().await.unwrap(), 1);
    assert!(!control.projects().rename(id, "x", t(3)).await.unwrap());
    assert!(!control.projects().set_status(id, Status::Active, t(3)).await.unwrap());
    assert_eq!(refs(&control).await, ["second"]);
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
            match control.configs().append(id, 1, &object(json!({ "writer": n })), None, None, t(2)).await {
                Ok(version) => Some(version),
                Err(StoreError::Conflict) => None,
                Err(other) => panic!("{other:?}"),
            }
        });
    }
    let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners, [2]);
    for wrong in [0, 1, 3] {
        let late = control.configs().append(id, wrong, &object(json!({})), None, None, t(3)).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{wrong}");
    }
    let (by, note) = (Some("me"), Some("a try"));
    assert_eq!(control.configs().append(id, 2, &object(json!({ "x": null })), by, note, t(4)).await.unwrap(), 3);
    let latest = control.configs().latest(id).await.unwrap().unwrap();
    assert_eq!((latest.version, latest.values.get("x"), latest.created_at), (3, Some(&Value::Null), t(4)));
    assert_eq!((latest.changed_by.as_deref(), latest.note.as_deref()), (by, note));
    let versions = |configs: Vec<ConfigVersion>| configs.iter().map(|config| config.version).collect::<Vec<_>>();
    assert_eq!(versions(control.configs().history(id, None, 2).await.unwrap()), [3, 2]);
    assert_eq!(versions(control.configs().history(id, Some(2), 2).await.unwrap()), [1]);
    assert_eq!(control.configs().version(id, 1).await.unwrap().unwrap().values, bundle(&f, "any").config.values);
    assert!(control.configs().version(id, 9).await.unwrap().is_none());
}

async fn old_versions_go(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let other = made(&f, &control, "second").await;
    for version in 1..=202 {
        control.configs().append(id, version, &object(json!({ "n": version })), None, None, t(2)).await.unwrap();
    }
    let kept = control.configs().history(id, None, 1000).await.unwrap();
    assert_eq!((kept.len(), kept[0].version, kept[199].version), (200, 203, 4));
    assert!(control.configs().version(id, 3).await.unwrap().is_none());
    assert_eq!(control.projects().bundle(&named("first")).await.unwrap().unwrap().config.version, 203);
    assert_eq!(control.configs().latest(other).await.unwrap().unwrap().version, 1);
}

async fn secrets_and_settings_are_replaced(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    assert!(control.secrets().put(id, "jwt_secret", &secret("newer"), &[], t(2)).await.unwrap());
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
    control.configs().append(id, 1, &object(json!({})), None, None, t(2)).await.unwrap();
    control.projects().rename(id, "Name", t(3)).await.unwrap();
    control.projects().rename(ProjectId(f.id()), "Nobody", t(3)).await.unwrap();
    assert!(control.configs().append(id, 1, &object(json!({})), None, None, t(3)).await.is_err());
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
