use storage::NewOutbox;

use crate::custom_providers::oauth2;
use crate::fixture::{Fixture, t};

on_both! {
    a_project_ends_and_its_neighbour_stays
}

async fn a_project_ends_and_its_neighbour_stays(f: Fixture) {
    let (ends, stays) = (f.tenant(), f.tenant());
    for store in [&ends, &stays] {
        let (user, _) = f.signed_in(store, "ada@example.com").await;
        let mut tx = store.begin().await.unwrap();
        tx.known_devices().insert(user, &["Firefox".to_owned()], t(1)).await.unwrap();
        tx.spend_signature(&[1; 32], t(9)).await.unwrap();
        tx.custom_providers().insert(&oauth2(&f, "custom:one", 1)).await.unwrap();
        for _ in 0..3 {
            tx.audit().insert(f.audit("login")).await.unwrap();
        }
        tx.outbox().put(NewOutbox { id: f.id(), kind: "mail", payload: String::new(), now: t(1) }).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(ends.purge().await.unwrap(), 8);
    let tables = [
        "users",
        "identities",
        "sessions",
        "mfa_amr_claims",
        "known_devices",
        "outbox",
        "web3_signatures",
        "custom_oauth_providers",
    ];
    for table in tables {
        assert_eq!(f.count(&format!("auth.{table}")).await, 1, "{table}");
    }
    assert_eq!(f.count("auth.audit_log_entries").await, 3);
    assert_eq!(ends.purge().await.unwrap(), 0);
    assert!(ends.census().await.unwrap().iter().all(|(_, rows)| *rows == 0), "no table was forgotten");
    assert!(stays.census().await.unwrap().iter().any(|(_, rows)| *rows > 0));
    assert_eq!(stays.purge().await.unwrap(), 8);
}
