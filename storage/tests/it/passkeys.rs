use domain::ids::{ChallengeId, PasskeyId, UserId};
use domain::passkeys::Passkey;
use serde_json::json;
use storage::{CeremonyKind, NewWebauthnChallenge, PasskeyUse, StoreError, StoredPasskey, TenantStore};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixture::{Fixture, t};

on_both! {
    a_passkey_reads_back
    a_credential_is_registered_once
    of_many_uses_of_a_counter_one_wins
    only_the_owner_renames_and_removes
    a_ceremony_is_given_to_one_caller_of_its_kind_and_user
}

pub(crate) fn new_passkey(f: &Fixture, user: UserId, credential: &[u8]) -> StoredPasskey {
    let shown =
        Passkey { id: PasskeyId(f.id()), friendly_name: "Keychain".to_owned(), created_at: t(2), last_used_at: None };
    StoredPasskey {
        passkey: shown,
        user_id: user,
        credential_id: credential.to_vec(),
        public_key: vec![0, 0xff, 7],
        attestation_type: "none".to_owned(),
        aaguid: Some(Uuid::from_u128(3)),
        sign_count: 4_294_967_295,
        transports: vec!["internal".to_owned(), "hybrid".to_owned()],
        backup_eligible: true,
        backed_up: false,
    }
}

async fn register(store: &TenantStore, passkey: &StoredPasskey) -> Result<(), StoreError> {
    let mut tx = store.begin().await.unwrap();
    tx.passkeys().insert(passkey).await?;
    tx.commit().await
}

async fn a_passkey_reads_back(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let mut newer = StoredPasskey { aaguid: None, transports: vec![], ..new_passkey(&f, user, b"two") };
    newer.passkey.created_at = t(3);
    let older = new_passkey(&f, user, b"one");
    register(&store, &newer).await.unwrap();
    register(&store, &older).await.unwrap();
    let listed = store.list_passkeys(user).await.unwrap();
    assert_eq!(
        listed.iter().map(|one| one.passkey.id).collect::<Vec<_>>(),
        [older.passkey.id, newer.passkey.id],
        "oldest first"
    );
    let found = store.find_passkey(b"one").await.unwrap().unwrap();
    assert_eq!(found, listed[0]);
    assert_eq!((found.user_id, found.credential_id, found.public_key), (user, b"one".to_vec(), vec![0, 0xff, 7]));
    assert_eq!((found.attestation_type.as_str(), found.aaguid), ("none", Some(Uuid::from_u128(3))));
    assert_eq!((found.sign_count, found.transports), (4_294_967_295, older.transports));
    assert_eq!((found.backup_eligible, found.backed_up), (true, false));
    let shown = found.passkey;
    assert_eq!((shown.friendly_name.as_str(), shown.created_at, shown.last_used_at), ("Keychain", t(2), None));
    assert_eq!(store.find_passkey(b"three").await.unwrap(), None);
    assert_eq!((listed[1].aaguid, listed[1].transports.len()), (None, 0));
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.passkeys().count(user).await.unwrap(), 2);
}

async fn a_credential_is_registered_once(f: Fixture) {
    let store = f.tenant();
    let (ada, bob) = (f.user(&store, "ada@example.com").await, f.user(&store, "bob@example.com").await);
    let mut racing = JoinSet::new();
    for n in 0..40 {
        let passkey = new_passkey(&f, if n % 2 == 0 { ada } else { bob }, b"one");
        let store = store.clone();
        racing.spawn(async move { register(&store, &passkey).await });
    }
    let outcomes = racing.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(StoreError::Conflict))), "{outcomes:?}");
    // The transaction goes on after a conflict.
    let mut tx = store.begin().await.unwrap();
    let taken = tx.passkeys().insert(&new_passkey(&f, bob, b"one")).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    tx.passkeys().insert(&new_passkey(&f, bob, b"two")).await.unwrap();
    tx.commit().await.unwrap();
    let neighbour = f.tenant();
    let carl = f.user(&neighbour, "carl@example.com").await;
    register(&neighbour, &new_passkey(&f, carl, b"one")).await.unwrap();
}

async fn of_many_uses_of_a_counter_one_wins(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let passkey = StoredPasskey { sign_count: 5, ..new_passkey(&f, user, b"one") };
    register(&store, &passkey).await.unwrap();
    let used = PasskeyUse { id: passkey.passkey.id, expected: 5, sign_count: 6, backed_up: true, now: t(4) };
    let mut racing = JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        racing.spawn(async move { store.use_passkey(used).await.unwrap() });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
    let found = store.find_passkey(b"one").await.unwrap().unwrap();
    assert_eq!((found.sign_count, found.backed_up, found.passkey.last_used_at), (6, true, Some(t(4))));
}

async fn only_the_owner_renames_and_removes(f: Fixture) {
    let store = f.tenant();
    let (ada, bob) = (f.user(&store, "ada@example.com").await, f.user(&store, "bob@example.com").await);
    let passkey = new_passkey(&f, ada, b"one");
    register(&store, &passkey).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.passkeys().rename(passkey.passkey.id, bob, "stolen", t(5)).await.unwrap(), None);
    assert!(!tx.passkeys().delete(passkey.passkey.id, bob).await.unwrap());
    let renamed = tx.passkeys().rename(passkey.passkey.id, ada, "at home", t(5)).await.unwrap().unwrap();
    assert_eq!((renamed.id, renamed.friendly_name.as_str(), renamed.created_at), (passkey.passkey.id, "at home", t(2)));
    assert!(tx.passkeys().delete(passkey.passkey.id, ada).await.unwrap());
    assert!(!tx.passkeys().delete(passkey.passkey.id, ada).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.list_passkeys(ada).await.unwrap(), []);
}

async fn begin(f: &Fixture, store: &TenantStore, kind: CeremonyKind, user: Option<UserId>) -> ChallengeId {
    let id = ChallengeId(f.id());
    let session_data = json!({ "challenge": "AQ", "expires": "later" });
    let challenge = NewWebauthnChallenge { id, user, kind, session_data, now: t(2), expires_at: t(3) };
    store.insert_webauthn_challenge(challenge).await.unwrap();
    id
}

async fn a_ceremony_is_given_to_one_caller_of_its_kind_and_user(f: Fixture) {
    use CeremonyKind::{Authentication, Registration};
    let store = f.tenant();
    let (ada, bob) = (f.user(&store, "ada@example.com").await, f.user(&store, "bob@example.com").await);
    let registration = begin(&f, &store, Registration, Some(ada)).await;
    let authentication = begin(&f, &store, Authentication, None).await;
    for (id, kind, user) in [
        (registration, Registration, Some(bob)),
        (registration, Registration, None),
        (registration, Authentication, Some(ada)),
        (authentication, Authentication, Some(ada)),
        (authentication, Registration, None),
        (ChallengeId(f.id()), Authentication, None),
    ] {
        assert_eq!(store.consume_webauthn_challenge(id, kind, user).await.unwrap(), None, "{kind:?} {user:?}");
    }
    for (id, kind, user) in [(registration, Registration, Some(ada)), (authentication, Authentication, None)] {
        let mut racing = JoinSet::new();
        for _ in 0..40 {
            let store = store.clone();
            racing.spawn(async move { store.consume_webauthn_challenge(id, kind, user).await.unwrap() });
        }
        let given: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
        assert_eq!(given.len(), 1);
        assert_eq!((given[0].id, given[0].user, given[0].created_at, given[0].expires_at), (id, user, t(2), t(3)));
        assert_eq!(given[0].session_data["challenge"], "AQ");
    }
}
