use domain::ids::UserId;
use serde_json::json;
use storage::{NewIdentity, StoreError, TenantStore};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, object, t};

on_both! {
    the_claims_of_an_identity_are_replaced
    a_subject_of_another_account_is_a_conflict
    an_identity_goes
    an_identity_is_found_by_its_subject
    an_issuer_is_another_when_a_letter_differs
    of_many_accounts_that_claim_a_subject_one_gets_it
    identities_are_found_by_their_addresses
    a_use_is_remembered
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

fn subject(f: &Fixture, user: UserId, provider: &str, subject: &str) -> NewIdentity {
    NewIdentity { provider_id: subject.to_owned(), ..f.new_identity(user, provider, "ada@example.com") }
}

async fn plant(store: &TenantStore, identity: NewIdentity) -> NewIdentity {
    let mut tx = store.begin().await.unwrap();
    tx.identities().insert(&identity, t(1)).await.unwrap();
    tx.commit().await.unwrap();
    identity
}

async fn an_identity_is_found_by_its_subject(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let old = plant(&store, subject(&f, user, "Google", "1")).await;
    let github = plant(&store, subject(&f, user, "github", "1")).await;
    let mut tx = store.begin().await.unwrap();
    for (provider, found) in
        [("google", Some(&old)), ("GOOGLE", Some(&old)), ("github", Some(&github)), ("gitlab", None)]
    {
        let identity = tx.identities().find(provider, "1").await.unwrap();
        assert_eq!(identity.as_ref().map(|identity| identity.id), found.map(|identity| identity.id), "{provider}");
    }
    let read = tx.identities().find("google", "1").await.unwrap().unwrap();
    assert_eq!((read.user_id, read.provider.as_str(), &read.data), (user, "Google", &old.data));
    assert!(tx.identities().find("google", "2").await.unwrap().is_none());
    assert!(tx.identities().find("github", "1 ").await.unwrap().is_none());
    drop(tx);
    assert_eq!(store.read_user_by_identity("google", "1").await.unwrap(), None);
    let read = store.read_user_by_identity("Google", "1").await.unwrap().unwrap();
    assert_eq!(Some(&read), store.find_user(user).await.unwrap().as_ref());
    assert_eq!(read.identities.len(), 2);

    // The exact spelling comes first, however young.
    let exact = plant(&store, subject(&f, user, "google", "1")).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.identities().find("google", "1").await.unwrap().unwrap().id, exact.id);
    assert_eq!(tx.identities().find("Google", "1").await.unwrap().unwrap().id, old.id);
    // A Kelvin sign is no k.
    assert!(tx.identities().find("\u{212a}akao", "1").await.unwrap().is_none());
    drop(tx);
    plant(&store, subject(&f, user, "\u{212a}akao", "1")).await;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.identities().find("kakao", "1").await.unwrap().is_none());
}

async fn an_issuer_is_another_when_a_letter_differs(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let upper = plant(&store, subject(&f, user, "https://idp.example.com/A", "1")).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.identities().find("https://idp.example.com/A", "1").await.unwrap().unwrap().id, upper.id);
    assert!(tx.identities().find("https://idp.example.com/a", "1").await.unwrap().is_none());
    drop(tx);
    assert!(store.read_user_by_identity("https://idp.example.com/A", "1").await.unwrap().is_some());
    assert!(store.read_user_by_identity("https://idp.example.com/a", "1").await.unwrap().is_none());
}

async fn of_many_accounts_that_claim_a_subject_one_gets_it(f: Fixture) {
    let store = f.tenant();
    let mut racing = JoinSet::new();
    for n in 0..20 {
        let user = f.user(&store, &format!("user{n}@example.com")).await;
        let (store, identity) = (store.clone(), subject(&f, user, "google", "1"));
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            match tx.identities().insert(&identity, t(1)).await {
                Ok(()) => tx.commit().await.map(|()| Some(user)).unwrap(),
                Err(StoreError::Conflict) => None,
                Err(other) => panic!("{other:?}"),
            }
        });
    }
    let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let found = store.read_user_by_identity("google", "1").await.unwrap().unwrap();
    assert_eq!(found.id, winners[0]);
}

async fn identities_are_found_by_their_addresses(f: Fixture) {
    let store = f.tenant();
    let (ada, bob) = (f.user(&store, "ada@example.com").await, f.user(&store, "bob@example.com").await);
    let mut tx = store.begin().await.unwrap();
    let mut ids = Vec::new();
    for (user, provider, email) in [
        (ada, "google", "Ada@Example.com"),
        (bob, "github", "ada@example.com"),
        (ada, "github", "\u{c9}va@example.com"),
        (bob, "gitlab", "\u{212a}ay@example.com"),
        (bob, "google", "other@example.com"),
    ] {
        let identity = f.new_identity(user, provider, email);
        tx.identities().insert(&identity, t(1 + i64::try_from(ids.len()).unwrap())).await.unwrap();
        ids.push(identity.id);
    }
    let mut nameless = f.new_identity(ada, "kakao", "");
    nameless.data.remove("email");
    tx.identities().insert(&nameless, t(9)).await.unwrap();
    for (asked, found) in [
        (&["ada@example.com"][..], &ids[..2]),
        (&["ADA@example.com", "other@example.com"], &[ids[0], ids[1], ids[4]]),
        // Letters outside ASCII are what they are.
        (&["\u{c9}va@example.com"], &ids[2..3]),
        (&["\u{e9}va@example.com"], &[]),
        (&["kay@example.com"], &[]),
        (&["\u{212a}ay@example.com"], &ids[3..4]),
        (&["", "a%"], &[]),
        (&[], &[]),
    ] {
        let asked: Vec<String> = asked.iter().map(|&email| email.to_owned()).collect();
        let identities = tx.identities().by_emails(&asked).await.unwrap();
        assert_eq!(identities.iter().map(|identity| identity.id).collect::<Vec<_>>(), found, "{asked:?}");
    }
    let whole = tx.identities().by_emails(&["other@example.com".to_owned()]).await.unwrap().remove(0);
    assert_eq!((whole.user_id, whole.provider.as_str(), whole.last_sign_in_at), (bob, "google", Some(t(1))));
}

async fn a_use_is_remembered(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let identity = plant(&store, subject(&f, user, "google", "1")).await;
    let claims = object(json!({ "sub": "1", "name": "Ada" }));
    let mut tx = store.begin().await.unwrap();
    assert!(tx.identities().used(identity.id, &claims, t(7)).await.unwrap());
    assert!(!tx.identities().used(f.new_identity(user, "x", "").id, &claims, t(7)).await.unwrap());
    let read = tx.identities().find("google", "1").await.unwrap().unwrap();
    assert_eq!((read.last_sign_in_at, read.updated_at, read.created_at), (Some(t(7)), t(7), t(1)));
    assert_eq!(read.data, claims);
}
