use domain::contact::Contact;
use storage::{NewUser, UserChanges};

use crate::fixture::{Fixture, t};

on_both! {
    an_account_is_found_by_its_address_and_audience
    accounts_of_sso_and_deleted_ones_are_not_found
    an_identity_names_its_account_before_an_address_does
}

fn email(address: &str) -> Contact {
    Contact::Email(address.to_owned())
}

async fn an_account_is_found_by_its_address_and_audience(f: Fixture) {
    let store = f.tenant();
    let user = NewUser { phone: Some("49".to_owned()), ..f.new_user("ada@example.com") };
    let mut tx = store.begin().await.unwrap();
    tx.users().insert(&user, t(1)).await.unwrap();
    tx.identities().insert(&f.new_identity(user.id, "email", "ada@example.com"), t(1)).await.unwrap();
    tx.commit().await.unwrap();

    for contact in [email("ada@example.com"), Contact::Phone("49".to_owned())] {
        let before = store.database().statements();
        let found = store.find_credentials(&contact, "authenticated").await.unwrap().unwrap();
        assert_eq!(store.database().statements() - before, 1);
        assert_eq!((found.user.id, found.user.identities.len()), (user.id, 1));
        assert_eq!(found.password_hash.unwrap().expose(), "old hash");
        assert!(store.find_credentials(&contact, "other").await.unwrap().is_none());
        assert!(f.tenant().find_credentials(&contact, "authenticated").await.unwrap().is_none());
        let account = store.find_account(&contact, "authenticated").await.unwrap().unwrap();
        assert_eq!(account.user, found.user);
        assert_eq!(store.database().statements() - before, 4);
    }
    assert!(store.find_credentials(&email("Ada@example.com"), "authenticated").await.unwrap().is_none());
    assert_eq!(store.find_password(user.id).await.unwrap().unwrap().expose(), "old hash");
    assert_eq!(f.tenant().find_password(user.id).await.unwrap(), None);

    let none = UserChanges { password_hash: Some(None), ..UserChanges::default() };
    let mut tx = store.begin().await.unwrap();
    tx.users().update(user.id, none, t(2)).await.unwrap();
    tx.commit().await.unwrap();
    let found = store.find_credentials(&email("ada@example.com"), "authenticated").await.unwrap().unwrap();
    assert_eq!(found.password_hash, None);
}

async fn accounts_of_sso_and_deleted_ones_are_not_found(f: Fixture) {
    let store = f.tenant();
    let sso = NewUser { is_sso_user: true, ..f.new_user("ada@example.com") };
    let mut tx = store.begin().await.unwrap();
    tx.users().insert(&sso, t(1)).await.unwrap();
    tx.identities().insert(&f.new_identity(sso.id, "sso:9", "ada@example.com"), t(1)).await.unwrap();
    tx.commit().await.unwrap();
    let gone = f.user(&store, "bob@example.com").await;
    f.write(&format!("update auth.users set deleted_at = updated_at where id = {}", f.literal(gone.0))).await;
    for address in ["ada@example.com", "bob@example.com"] {
        assert!(store.find_credentials(&email(address), "authenticated").await.unwrap().is_none(), "{address}");
        assert!(store.find_account(&email(address), "authenticated").await.unwrap().is_none(), "{address}");
    }
}

async fn an_identity_names_its_account_before_an_address_does(f: Fixture) {
    let store = f.tenant();
    let by_identity = f.user(&store, "first@example.com").await;
    let by_address = f.user(&store, "shared@example.com").await;
    let mut tx = store.begin().await.unwrap();
    tx.identities().insert(&f.new_identity(by_identity, "google", "Shared@example.com"), t(9)).await.unwrap();
    tx.commit().await.unwrap();
    let shared = email("shared@example.com");
    assert_eq!(store.find_account(&shared, "authenticated").await.unwrap().unwrap().user.id, by_identity);
    assert_eq!(store.find_credentials(&shared, "authenticated").await.unwrap().unwrap().user.id, by_address);
    assert!(store.find_account(&shared, "other").await.unwrap().is_none());
}
