use domain::ids::InstanceId;
use domain::secret::Secret;
use storage::{Sweep, TenantStore};

use crate::fixture::{Fixture, t};

on_both! {
    what_is_over_goes_and_what_is_not_stays
    only_the_named_projects_are_swept
    a_sweep_takes_a_little_at_a_time
}

fn sweep(limit: u32) -> Sweep {
    Sweep { before: t(100), sessions_ended_before: t(50), limit }
}

async fn flow(f: &Fixture, store: &TenantStore, hour: i64) {
    let flow = crate::flow_states::flow(f, "oauth", hour);
    let mut tx = store.begin().await.unwrap();
    tx.flow_states().insert(flow).await.unwrap();
    tx.commit().await.unwrap();
}

fn tenants(f: &Fixture) -> ([InstanceId; 2], [TenantStore; 2]) {
    let instances = [InstanceId(f.id()), InstanceId(f.id())];
    (instances, instances.map(|instance| TenantStore::new(f.database.clone(), instance)))
}

async fn what_is_over_goes_and_what_is_not_stays(f: Fixture) {
    let (instances, [store, _]) = tenants(&f);
    flow(&f, &store, 99).await;
    flow(&f, &store, 100).await;
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    let over = f.open(&store, user, t(2)).await;
    let mut tx = store.begin().await.unwrap();
    for (token, revoked_at) in [("old", Some(99)), ("recent", Some(100)), ("live", None)] {
        let token = Secret::new(token.to_owned());
        let token = tx.refresh_tokens().insert(&token, user, session, None, t(1)).await.unwrap();
        if let Some(hour) = revoked_at {
            tx.refresh_tokens().revoke(token.id, t(hour)).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    tx = store.begin().await.unwrap();
    tx.spend_signature(&[1; 32], t(99)).await.unwrap();
    tx.spend_signature(&[2; 32], t(100)).await.unwrap();
    tx.commit().await.unwrap();
    f.write(&format!("update auth.sessions set not_after = created_at where id = {}", f.literal(over.0))).await;

    assert_eq!(f.database.sweep_expired(&instances, sweep(100)).await.unwrap(), 4);
    assert_eq!(f.count("auth.flow_state").await, 1);
    assert!(!store.begin().await.unwrap().spend_signature(&[2; 32], t(100)).await.unwrap());
    assert_eq!(f.count("auth.web3_signatures").await, 1);
    assert_eq!(f.count("auth.refresh_tokens").await, 2);
    assert_eq!(f.sessions(&store, user).await.len(), 1);
    assert_eq!(f.database.sweep_expired(&instances, sweep(100)).await.unwrap(), 0);
}

async fn only_the_named_projects_are_swept(f: Fixture) {
    let (instances, stores) = tenants(&f);
    for store in &stores {
        flow(&f, store, 1).await;
    }
    assert_eq!(f.database.sweep_expired(&[], sweep(100)).await.unwrap(), 0);
    assert_eq!(f.database.sweep_expired(&instances[..1], sweep(100)).await.unwrap(), 1);
    assert_eq!(f.database.sweep_expired(&instances, sweep(100)).await.unwrap(), 1);
}

async fn a_sweep_takes_a_little_at_a_time(f: Fixture) {
    let (instances, stores) = tenants(&f);
    for store in &stores {
        for hour in 0..5 {
            flow(&f, store, hour).await;
        }
    }
    assert_eq!(f.database.sweep_expired(&instances, sweep(2)).await.unwrap(), 4);
    assert_eq!(f.count("auth.flow_state").await, 6);
}
