use storage::StoreError;

use crate::fixture::{Fixture, object, t};
use serde_json::json;

on_both! {
    the_claims_of_an_identity_are_replaced
    a_subject_of_another_account_is_a_conflict
    an_identity_goes
}

async fn the_claims_of_an_identity_are_replaced(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let identity = f.new_identity(user, "email", "ada@example.com");
    let mut claims = identity.data.clone();
    claims.insert("email_verified".to_owned(), json!(true));
    let mut tx = store.begin().await.unwrap();
    tx.identities().insert(&identity, t(1)).await.unwrap();
    assert!(tx.identities().update_data(identity.id, &claims, t(2)).await.unwrap());
    let [found] = &tx.identities().list(user).await.unwrap()[..] else { panic!("one identity") };
    assert_eq!((found.id, &found.data), (identity.id, &claims));
    assert_eq!((found.created_at, found.updated_at, found.last_sign_in_at), (t(1), t(2), Some(t(1))));
}

async fn a_subject_of_another_account_is_a_conflict(f: Fixture) {
    let store = f.tenant();
    let owner = f.user(&store, "ada@example.com").await;
    let other = f.user(&store, "bob@example.com").await;
    let mut theirs = f.new_identity(owner, "google", "ada@example.com");
    theirs.provider_id = "subject".to_owned();
    let mut tx = store.begin().await.unwrap();
    tx.identities().insert(&theirs, t(1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut claimed = f.new_identity(other, "google", "ada@example.com");
    claimed.provider_id = "subject".to_owned();
    let mut tx = store.begin().await.unwrap();
    assert!(matches!(tx.identities().insert(&claimed, t(2)).await, Err(StoreError::Conflict)));
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    let kept = tx.identities().list(owner).await.unwrap();
    assert_eq!((kept.len(), &kept[0].data), (1, &object(json!(theirs.data))));
    assert!(tx.identities().list(other).await.unwrap().is_empty());
}

async fn an_identity_goes(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let [kept, gone] = ["email", "google"].map(|provider| f.new_identity(user, provider, "ada@example.com"));
    let mut tx = store.begin().await.unwrap();
    tx.identities().insert(&kept, t(1)).await.unwrap();
    tx.identities().insert(&gone, t(2)).await.unwrap();
    assert!(tx.identities().delete(gone.id).await.unwrap());
    assert_eq!(tx.identities().list(user).await.unwrap()[0].id, kept.id);
    assert!(!tx.identities().delete(gone.id).await.unwrap());
}
