use domain::ids::UserId;
use storage::{ProjectSweep, Swept, TenantStore};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    a_device_is_new_once
    of_sign_ins_at_once_one_finds_it_new
    devices_outlive_sessions_and_not_their_user
    devices_not_seen_for_long_go
}

async fn see(store: &TenantStore, user: UserId, device: &str, hour: i64) -> bool {
    let mut tx = store.begin().await.unwrap();
    let known = tx.known_devices().touch(user, device, t(hour)).await.unwrap();
    if !known {
        let added = tx.known_devices().insert(user, &[device.to_owned()], t(hour)).await.unwrap();
        assert_eq!(added, [device]);
    }
    tx.commit().await.unwrap();
    known
}

async fn a_device_is_new_once(f: Fixture) {
    let store = f.tenant();
    let (ada, bob) = (f.user(&store, "ada@example.com").await, f.user(&store, "bob@example.com").await);
    for name in ["Firefox|Linux|desktop", "", "\"'\\ü"] {
        assert!(!see(&store, ada, name, 1).await);
        assert!(see(&store, ada, name, 2).await);
        assert!(!see(&store, bob, name, 2).await, "another user's is another device");
    }
    let mut tx = store.begin().await.unwrap();
    let several = ["", "Chrome", "Edge"].map(str::to_owned);
    assert_eq!(tx.known_devices().insert(ada, &several, t(3)).await.unwrap(), several[1..]);
    drop(tx);
    assert!(!see(&store, ada, "Edge", 4).await, "what was rolled back was not seen");
}

async fn of_sign_ins_at_once_one_finds_it_new(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let mut racing = JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let added = tx.known_devices().insert(user, &["Firefox".to_owned()], t(1)).await.unwrap();
            tx.commit().await.unwrap();
            added.len()
        });
    }
    assert_eq!(racing.join_all().await.into_iter().sum::<usize>(), 1);
}

async fn devices_outlive_sessions_and_not_their_user(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    see(&store, user, "Firefox", 1).await;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.sessions().delete(session).await.unwrap());
    tx.commit().await.unwrap();
    assert!(see(&store, user, "Firefox", 2).await);
    let mut tx = store.begin().await.unwrap();
    assert!(tx.users().delete(user).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(f.count("auth.known_devices").await, 0);
}

async fn devices_not_seen_for_long_go(f: Fixture) {
    let (store, neighbour) = (f.tenant(), f.tenant());
    for store in [&store, &neighbour] {
        let user = f.user(store, "ada@example.com").await;
        for (device, hour) in [("Firefox", 1), ("Chrome", 2), ("Edge", 3), ("Safari", 1)] {
            see(store, user, device, hour).await;
        }
        see(store, user, "Safari", 10).await;
    }
    let sweep = ProjectSweep { known_devices: Some(t(10)), limit: 2, ..ProjectSweep::default() };
    for gone in [2, 1, 0] {
        assert_eq!(store.sweep(sweep).await.unwrap(), Swept { known_devices: gone, ..Swept::default() });
    }
    assert_eq!(f.count("auth.known_devices").await, 5, "one was seen since, and the neighbour's stay");
}
