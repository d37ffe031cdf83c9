//! Signing keys and API keys.

use serde_json::json;
use storage::StoreError;
use storage::control::{KeyStatus, SigningKey};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{api_key, made, named, signing_key};
use crate::fixture::{Fixture, t};

on_both! {
    one_signing_key_is_in_use
    of_many_rotations_at_once_one_key_is_in_use
    a_key_on_standby_is_due_at_its_date
    api_keys_come_and_go
    a_retired_key_ends
    uses_are_noted_once_and_never_go_back
}

async fn one_signing_key_is_in_use(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let keys = control.signing_keys();
    let first = keys.list(id).await.unwrap().remove(0).id;
    let next = signing_key(&f, KeyStatus::Standby, 2);
    assert!(keys.insert(id, &next, &[]).await.unwrap());
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
    assert!(keys.insert(id, &third, &[]).await.unwrap());
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
    let template = json!({ "role": "worker" });
    assert!(keys.update(id, key.id, "renamed", Some("for jobs"), Some(&template), t(2)).await.unwrap());
    assert!(!keys.update(other, key.id, "stolen", None, None, t(2)).await.unwrap());
    let read = keys.get(id, key.id).await.unwrap().unwrap();
    assert_eq!((read.name.as_str(), read.description.as_deref(), read.updated_at), ("renamed", Some("for jobs"), t(2)));
    assert_eq!((read.sealed.expose().as_str(), read.prefix.as_str()), ("sealed api key", "sb_"));
    assert_eq!(read.secret_jwt_template, Some(template.clone()));
    let bundle = control.projects().bundle(&named("first")).await.unwrap().unwrap();
    let served = bundle.api_keys.iter().find(|served| served.id == key.id).unwrap();
    assert_eq!((&served.secret_jwt_template, served.name.as_str()), (&Some(template), "renamed"));
    assert!(keys.get(other, key.id).await.unwrap().is_none());
    assert!(!keys.delete(other, key.id, t(3)).await.unwrap());
    assert!(keys.delete(id, key.id, t(3)).await.unwrap());
    assert!(!keys.delete(id, Uuid::nil(), t(3)).await.unwrap());
    assert_eq!(keys.project_of(&key.hash).await.unwrap(), None);
    assert_eq!(keys.list(id).await.unwrap().len(), 3);
}

async fn of_many_rotations_at_once_one_key_is_in_use(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let mut racing = JoinSet::new();
    for hour in 0..8 {
        let (control, key) = (control.clone(), signing_key(&f, KeyStatus::Standby, hour));
        racing.spawn(async move {
            let keys = control.signing_keys();
            assert!(keys.insert(id, &key, &[]).await.unwrap());
            assert!(keys.set_status(id, key.id, KeyStatus::Standby, KeyStatus::InUse, t(9)).await.unwrap());
        });
    }
    racing.join_all().await;
    let keys = control.signing_keys().list(id).await.unwrap();
    let count = |status| keys.iter().filter(|key| key.status == status).count();
    assert_eq!((count(KeyStatus::InUse), count(KeyStatus::PreviouslyUsed)), (1, 8));
}

async fn a_key_on_standby_is_due_at_its_date(f: Fixture) {
    let control = f.control().await;
    let (id, other) = (made(&f, &control, "first").await, made(&f, &control, "second").await);
    let keys = control.signing_keys();
    let (late, early) = (signing_key(&f, KeyStatus::Standby, 2), signing_key(&f, KeyStatus::Standby, 2));
    let given = SigningKey { promote_at: Some(t(9)), ..late };
    assert!(keys.insert(id, &given, &[]).await.unwrap());
    assert!(keys.insert(other, &early, &[]).await.unwrap());
    assert_eq!(keys.due_promotions(t(20), 10).await.unwrap(), [(id, given.id)]);
    assert!(keys.schedule(other, early.id, Some(t(5)), t(3)).await.unwrap());
    assert_eq!(keys.due_promotions(t(4), 10).await.unwrap(), []);
    assert_eq!(keys.due_promotions(t(5), 10).await.unwrap(), [(other, early.id)]);
    assert_eq!(keys.due_promotions(t(9), 10).await.unwrap(), [(other, early.id), (id, given.id)]);
    assert_eq!(keys.due_promotions(t(9), 1).await.unwrap(), [(other, early.id)]);
    let bundle = control.projects().bundle(&named("second")).await.unwrap().unwrap();
    assert!(bundle.signing_keys.iter().any(|key| key.id == early.id && key.promote_at == Some(t(5))));

    // Who signs is not due again; who is deleted waits.
    assert!(keys.set_status(other, early.id, KeyStatus::Standby, KeyStatus::InUse, t(6)).await.unwrap());
    assert_eq!(keys.get(other, early.id).await.unwrap().unwrap().promote_at, None);
    assert!(!keys.schedule(other, early.id, Some(t(7)), t(6)).await.unwrap());
    assert!(control.projects().delete_softly(id, t(30), t(7)).await.unwrap());
    assert_eq!(keys.due_promotions(t(9), 10).await.unwrap(), []);
}

async fn a_retired_key_ends(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let other = made(&f, &control, "second").await;
    let keys = control.api_keys();
    let (old, new) = (api_key(&f, "secret", "backend"), api_key(&f, "secret", "backend"));
    keys.insert(id, &old).await.unwrap();
    assert!(!keys.retire(other, old.id, "old", t(5), t(2)).await.unwrap());
    assert!(keys.retire(id, old.id, "backend_old", t(5), t(2)).await.unwrap());
    assert!(!keys.retire(id, old.id, "backend_old", t(6), t(2)).await.unwrap(), "it ends earlier");
    keys.insert(id, &new).await.unwrap();
    let read = keys.get(id, old.id).await.unwrap().unwrap();
    assert_eq!((read.expires_at, read.name.as_str()), (Some(t(5)), "backend_old"));
    let bundle = control.projects().bundle(&named("first")).await.unwrap().unwrap();
    assert!(bundle.api_keys.iter().any(|key| key.id == old.id && key.expires_at == Some(t(5))));

    assert_eq!(keys.remove_expired(t(4), 10).await.unwrap(), 0);
    assert_eq!(keys.remove_expired(t(5), 10).await.unwrap(), 1);
    assert_eq!(keys.project_of(&old.hash).await.unwrap(), None);
    assert_eq!(keys.project_of(&new.hash).await.unwrap(), Some(id));
}

async fn uses_are_noted_once_and_never_go_back(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let other = made(&f, &control, "second").await;
    let keys = control.api_keys();
    let (one, two) = (keys.list(id).await.unwrap().remove(0), keys.list(other).await.unwrap().remove(0));
    let latest = control.events().latest().await.unwrap();
    let uses =
        [(one.hash.clone(), t(3)), (two.hash.clone(), t(5)), (one.hash.clone(), t(4)), ("of nobody".to_owned(), t(4))];
    keys.used(&uses).await.unwrap();
    keys.used(&[(two.hash.clone(), t(2))]).await.unwrap();
    keys.used(&[]).await.unwrap();
    assert_eq!(keys.get(id, one.id).await.unwrap().unwrap().last_used_at, Some(t(4)));
    assert_eq!(keys.get(other, two.id).await.unwrap().unwrap().last_used_at, Some(t(5)));
    assert_eq!(keys.list(id).await.unwrap()[1].last_used_at, None);
    assert_eq!(control.events().latest().await.unwrap(), latest, "nobody loads a project again for this");
}
