use storage::StoreError;

use crate::fixture::{Fixture, object, t};
use serde_json::json;

on_both! {
    an_identity_is_added_or_its_claims_are_replaced
    a_subject_of_another_account_is_a_conflict
    the_other_identities_go
}

async fn an_identity_is_added_or_its_claims_are_replaced(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let first = f.new_identity(user, "email", "ada@example.com");
    let mut again = f.new_identity(user, "email", "new@example.com");
    again.last_sign_in_at = None;
    again.data.insert("email_verified".to_owned(), json!(true));
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.identities().find(user, "email").await.unwrap(), None);
    tx.identities().put(&first, t(1)).await.unwrap();
    tx.identities().put(&again, t(2)).await.unwrap();
    tx.identities().put(&f.new_identity(user, "phone", ""), t(3)).await.unwrap();
    let found = tx.identities().find(user, "email").await.unwrap().unwrap();
    assert_eq!((found.id, &found.data), (first.id, &again.data));
    assert_eq!((found.created_at, found.updated_at, found.last_sign_in_at), (t(1), t(2), Some(t(1))));
    assert_eq!(tx.identities().list(user).await.unwrap().len(), 2);
}

async fn a_subject_of_another_account_is_a_conflict(f: Fixture) {
    let store = f.tenant();
    let owner = f.user(&store, "ada@example.com").await;
    let other = f.user(&store, "bob@example.com").await;
    let mut theirs = f.new_identity(owner, "google", "ada@example.com");
    theirs.provider_id = "subject".to_owned();
    let mut tx = store.begin().await.unwrap();
    tx.identities().put(&theirs, t(1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut claimed = f.new_identity(other, "google", "ada@example.com");
    claimed.provider_id = "subject".to_owned();
    let mut tx = store.begin().await.unwrap();
    assert!(matches!(tx.identities().put(&claimed, t(2)).await, Err(StoreError::Conflict)));
    assert!(matches!(tx.identities().insert(&claimed, t(2)).await, Err(StoreError::Conflict)));
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    let kept = tx.identities().list(owner).await.unwrap();
    assert_eq!((kept.len(), &kept[0].data), (1, &object(json!(theirs.data))));
    assert!(tx.identities().list(other).await.unwrap().is_empty());
}

async fn the_other_identities_go(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let other = f.user(&store, "bob@example.com").await;
    let kept = f.new_identity(user, "email", "ada@example.com");
    let mut tx = store.begin().await.unwrap();
    tx.identities().insert(&kept, t(1)).await.unwrap();
    for provider in ["google", "github"] {
        tx.identities().insert(&f.new_identity(user, provider, "ada@example.com"), t(2)).await.unwrap();
    }
    tx.identities().insert(&f.new_identity(other, "google", "bob@example.com"), t(2)).await.unwrap();
    assert_eq!(tx.identities().delete_others(user, kept.id).await.unwrap(), 2);
    assert_eq!(tx.identities().list(user).await.unwrap()[0].id, kept.id);
    assert_eq!(tx.identities().list(other).await.unwrap().len(), 1);
    assert_eq!(tx.identities().delete_others(user, kept.id).await.unwrap(), 0);
}
