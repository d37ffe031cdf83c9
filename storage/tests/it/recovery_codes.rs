use domain::ids::UserId;
use domain::secret::Secret;
use storage::{NewRecoveryCode, TenantStore};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixture::{Fixture, t};

on_both! {
    a_set_takes_the_place_of_the_older
    of_many_uses_of_a_code_one_wins
    a_set_ends_as_one
}

pub(crate) fn codes(f: &Fixture, prefix: &str) -> Vec<NewRecoveryCode> {
    (0..10).map(|n| NewRecoveryCode { id: f.id(), hash: Secret::new(format!("{prefix}{n}\"'\\ü")) }).collect()
}

async fn give(f: &Fixture, store: &TenantStore, user: UserId, set: Uuid, prefix: &str) -> Vec<NewRecoveryCode> {
    let codes = codes(f, prefix);
    let mut tx = store.begin().await.unwrap();
    tx.recovery_codes().replace(user, set, &codes, t(2)).await.unwrap();
    tx.commit().await.unwrap();
    codes
}

async fn a_set_takes_the_place_of_the_older(f: Fixture) {
    let store = f.tenant();
    let (ada, bob) = (f.user(&store, "ada@example.com").await, f.user(&store, "bob@example.com").await);
    give(&f, &store, bob, f.id(), "b").await;
    give(&f, &store, ada, f.id(), "old").await;
    let set = f.id();
    let given = give(&f, &store, ada, set, "new").await;
    let mut expected: Vec<_> = given.iter().map(|code| (code.id, code.hash.expose().clone())).collect();
    expected.sort();
    let listed = store.list_recovery_codes(ada).await.unwrap();
    assert!(listed.iter().all(|code| code.set == set && code.used_at.is_none()));
    let mut found: Vec<_> = listed.iter().map(|code| (code.id, code.hash.expose().clone())).collect();
    found.sort();
    assert_eq!(found, expected);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.recovery_codes().list(ada).await.unwrap().len(), 10);
    drop(tx);
    assert_eq!(store.list_recovery_codes(bob).await.unwrap().len(), 10);
}

async fn of_many_uses_of_a_code_one_wins(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let code = give(&f, &store, user, f.id(), "").await[3].id;
    let mut racing = JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let won = tx.recovery_codes().consume(code, t(5)).await.unwrap();
            tx.commit().await.unwrap();
            won
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
    let used: Vec<_> = store.list_recovery_codes(user).await.unwrap();
    let used: Vec<_> = used.iter().filter_map(|code| Some((code.id, code.used_at?))).collect();
    assert_eq!(used, [(code, t(5))]);
}

async fn a_set_ends_as_one(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let set = f.id();
    let code = give(&f, &store, user, set, "").await[0].id;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.recovery_codes().delete_all(user).await.unwrap(), Some(set));
    assert_eq!(tx.recovery_codes().delete_all(user).await.unwrap(), None);
    assert!(!tx.recovery_codes().consume(code, t(5)).await.unwrap());
    tx.recovery_codes().replace(user, set, &[], t(6)).await.unwrap();
    assert!(tx.recovery_codes().list(user).await.unwrap().is_empty());
}
