use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    a_signature_is_spent_once
    a_signature_whose_use_failed_is_not_spent
    of_many_uses_of_a_signature_one_wins
}

async fn a_signature_is_spent_once(f: Fixture) {
    let store = f.tenant();
    let mut tx = store.begin().await.unwrap();
    assert!(tx.spend_signature(&[1; 32], t(9)).await.unwrap());
    assert!(!tx.spend_signature(&[1; 32], t(99)).await.unwrap());
    assert!(tx.spend_signature(&[2; 32], t(9)).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.spend_signature(&[1; 32], t(9)).await.unwrap());
}

async fn a_signature_whose_use_failed_is_not_spent(f: Fixture) {
    let store = f.tenant();
    let mut tx = store.begin().await.unwrap();
    assert!(tx.spend_signature(&[1; 32], t(9)).await.unwrap());
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    assert!(tx.spend_signature(&[1; 32], t(9)).await.unwrap());
}

async fn of_many_uses_of_a_signature_one_wins(f: Fixture) {
    let store = f.tenant();
    let mut racing = JoinSet::new();
    for _ in 0..100 {
        let store = store.clone();
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let won = tx.spend_signature(&[7; 32], t(9)).await.unwrap();
            tx.commit().await.unwrap();
            won
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
}
