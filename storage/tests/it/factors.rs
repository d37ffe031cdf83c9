use domain::factor::FactorType;
use domain::ids::{ChallengeId, FactorId, UserId};
use domain::secret::Secret;
use serde_json::json;
use storage::{ChallengeFactor, NewFactor, NewMfaChallenge, StoreError, TenantStore};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixture::{Fixture, t};

on_both! {
    a_factor_reads_back
    names_and_numbers_are_taken_once
    a_change_keeps_what_is_not_named
    of_many_uses_of_a_step_one_wins
    of_many_proofs_one_wins
    a_factor_ends_once
    what_was_never_proven_goes
}

pub(crate) fn new_factor(f: &Fixture, user: UserId, kind: FactorType, name: &str) -> NewFactor {
    NewFactor {
        id: FactorId(f.id()),
        user_id: user,
        factor_type: kind,
        friendly_name: name.to_owned(),
        phone: None,
        secret: None,
        now: t(2),
    }
}

/// A committed factor.
pub(crate) async fn enroll(f: &Fixture, store: &TenantStore, user: UserId, kind: FactorType, name: &str) -> FactorId {
    let factor = new_factor(f, user, kind, name);
    let id = factor.id;
    let mut tx = store.begin().await.unwrap();
    tx.factors().insert(factor).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn a_factor_reads_back(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let secret = Some(Secret::new("sealed".to_owned()));
    let totp = NewFactor { secret, ..new_factor(&f, user, FactorType::Totp, "phone app") };
    let phone = NewFactor { phone: Some("491".to_owned()), now: t(3), ..new_factor(&f, user, FactorType::Phone, "") };
    let mut tx = store.begin().await.unwrap();
    tx.factors().insert(phone.clone()).await.unwrap();
    tx.factors().insert(totp.clone()).await.unwrap();
    tx.commit().await.unwrap();

    let read = store.read_factor(totp.id).await.unwrap().unwrap();
    assert_eq!((read.user_id, read.last_accepted_step, read.credential), (user, None, None));
    assert_eq!(read.secret.unwrap().expose(), "sealed");
    let shown = read.factor;
    assert_eq!(
        (shown.id, shown.factor_type, shown.verified, shown.friendly_name.as_str(), shown.phone.as_deref()),
        (totp.id, FactorType::Totp, false, "phone app", None)
    );
    assert_eq!((shown.created_at, shown.updated_at, shown.last_challenged_at), (t(2), t(2), None));
    let read = store.read_factor(phone.id).await.unwrap().unwrap();
    assert_eq!((read.factor.phone.as_deref(), read.secret.is_none()), (Some("491"), true));
    assert!(store.read_factor(FactorId(f.id())).await.unwrap().is_none());

    challenge(&f, &store, totp.id).await;
    challenge(&f, &store, phone.id).await;
    let (credential, data, aaguid) = (json!({ "id": "AQ==" }), json!({ "type": "create" }), Uuid::from_u128(9));
    let mut tx = store.begin().await.unwrap();
    assert!(tx.factors().set_credential(totp.id, &credential, Some(aaguid)).await.unwrap());
    assert!(tx.factors().set_credential(totp.id, &credential, None).await.unwrap());
    assert!(tx.factors().set_challenge_data(totp.id, &data).await.unwrap());
    let locked = tx.factors().lock(totp.id).await.unwrap().unwrap();
    assert_eq!((locked.credential, locked.factor.web_authn_aaguid), (Some(credential), Some(aaguid)));
    assert_eq!(locked.factor.last_webauthn_challenge_data, Some(data));
    // The same instant for two factors of a project is no conflict.
    assert_eq!((locked.factor.last_challenged_at, locked.factor.updated_at), (Some(t(4)), t(4)));
    let listed: Vec<_> = tx.factors().list(user).await.unwrap().into_iter().map(|one| one.factor.id).collect();
    assert_eq!(listed, [totp.id, phone.id], "oldest first");
    tx.commit().await.unwrap();
    let seen = store.find_user(user).await.unwrap().unwrap().factors;
    assert_eq!(seen.iter().map(|factor| factor.id).collect::<Vec<_>>(), [totp.id, phone.id]);
}

async fn names_and_numbers_are_taken_once(f: Fixture) {
    let store = f.tenant();
    let (ada, bob) = (f.user(&store, "ada@example.com").await, f.user(&store, "bob@example.com").await);
    let number = |user, name, phone: &str| NewFactor {
        phone: Some(phone.to_owned()),
        ..new_factor(&f, user, FactorType::Phone, name)
    };
    let mut tx = store.begin().await.unwrap();
    tx.factors().insert(number(ada, "mine", "491")).await.unwrap();
    let same_name = tx.factors().insert(new_factor(&f, ada, FactorType::Totp, "mine")).await;
    assert!(matches!(same_name, Err(StoreError::Conflict)), "{same_name:?}");
    let same_number = tx.factors().insert(number(ada, "other", "491")).await;
    assert!(matches!(same_number, Err(StoreError::Conflict)), "{same_number:?}");
    // The transaction goes on. Others may have the same, and no name is no name.
    tx.factors().insert(number(bob, "mine", "491")).await.unwrap();
    tx.factors().insert(new_factor(&f, ada, FactorType::Totp, "")).await.unwrap();
    tx.factors().insert(new_factor(&f, ada, FactorType::Totp, "")).await.unwrap();
    let second = number(ada, "second", "492");
    tx.factors().insert(second.clone()).await.unwrap();
    tx.commit().await.unwrap();

    for (name, phone) in [(Some("mine"), None), (None, Some("491"))] {
        let mut tx = store.begin().await.unwrap();
        let taken = tx.factors().update(second.id, name, phone, t(5)).await;
        assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    }
}

async fn a_change_keeps_what_is_not_named(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let factor = NewFactor { phone: Some("491".to_owned()), ..new_factor(&f, user, FactorType::Phone, "old") };
    let mut tx = store.begin().await.unwrap();
    tx.factors().insert(factor.clone()).await.unwrap();
    assert!(tx.factors().update(factor.id, Some("new"), None, t(5)).await.unwrap());
    assert!(tx.factors().update(factor.id, None, Some("492"), t(6)).await.unwrap());
    assert!(!tx.factors().update(FactorId(f.id()), Some("new"), None, t(7)).await.unwrap());
    let changed = tx.factors().lock(factor.id).await.unwrap().unwrap().factor;
    assert_eq!(
        (changed.friendly_name.as_str(), changed.phone.as_deref(), changed.updated_at),
        ("new", Some("492"), t(6))
    );
}

async fn of_many_uses_of_a_step_one_wins(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let factor = enroll(&f, &store, user, FactorType::Totp, "").await;
    for step in [7, 8] {
        let mut racing = JoinSet::new();
        for _ in 0..40 {
            let store = store.clone();
            racing.spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let won = tx.factors().accept_step(factor, step).await.unwrap();
                tx.commit().await.unwrap();
                won
            });
        }
        assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1, "step {step}");
    }
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.factors().accept_step(factor, 7).await.unwrap(), "an earlier step is over as well");
    assert!(!tx.factors().accept_step(FactorId(f.id()), 9).await.unwrap());
    assert_eq!(tx.factors().lock(factor).await.unwrap().unwrap().last_accepted_step, Some(8));
}

async fn of_many_proofs_one_wins(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let factor = enroll(&f, &store, user, FactorType::Totp, "").await;
    let mut racing = JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let won = tx.factors().verify(factor, t(6)).await.unwrap();
            tx.commit().await.unwrap();
            won
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|won| *won).count(), 1);
    let proven = store.read_factor(factor).await.unwrap().unwrap().factor;
    assert_eq!((proven.verified, proven.updated_at), (true, t(6)));
}

async fn a_factor_ends_once(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let factor = enroll(&f, &store, user, FactorType::Totp, "").await;
    challenge(&f, &store, factor).await;
    let mut racing = JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let ended = tx.factors().delete(factor).await.unwrap();
            tx.commit().await.unwrap();
            ended
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(|ended| *ended).count(), 1);
    assert_eq!(f.count("auth.mfa_challenges").await, 0);
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.factors().verify(factor, t(6)).await.unwrap(), "what is gone cannot be proven");
    assert!(!tx.factors().accept_step(factor, 7).await.unwrap());
}

async fn challenge(f: &Fixture, store: &TenantStore, factor: FactorId) {
    let id = ChallengeId(f.id());
    let challenge = NewMfaChallenge { id, factor, ip: None, code_hash: None, session_data: None, now: t(4) };
    let put = ChallengeFactor { challenge, not_challenged_after: None, audit: None };
    assert!(store.challenge_factor(put).await.unwrap());
}

async fn what_was_never_proven_goes(f: Fixture) {
    let store = f.tenant();
    let (ada, bob) = (f.user(&store, "ada@example.com").await, f.user(&store, "bob@example.com").await);
    let stale = enroll(&f, &store, ada, FactorType::Totp, "stale").await;
    let proven = enroll(&f, &store, ada, FactorType::Totp, "proven").await;
    let challenged = enroll(&f, &store, ada, FactorType::WebAuthn, "challenged").await;
    let bobs = enroll(&f, &store, bob, FactorType::Totp, "stale").await;
    challenge(&f, &store, challenged).await;
    let left = async |tx: &mut storage::Tx| {
        let mut left: Vec<_> = tx.factors().list(ada).await.unwrap().into_iter().map(|one| one.factor.id).collect();
        left.sort();
        left
    };
    let sorted = |mut ids: Vec<FactorId>| {
        ids.sort();
        ids
    };
    let mut tx = store.begin().await.unwrap();
    assert!(tx.factors().verify(proven, t(3)).await.unwrap());
    assert_eq!(tx.factors().delete_stale(ada, t(2)).await.unwrap(), 0, "not older than the instant");
    assert_eq!(tx.factors().delete_stale(ada, t(3)).await.unwrap(), 1);
    assert_eq!(left(&mut tx).await, sorted(vec![proven, challenged]));
    assert_eq!(tx.factors().delete_unverified(ada, FactorType::Totp).await.unwrap(), 0);
    assert_eq!(tx.factors().delete_unverified(ada, FactorType::WebAuthn).await.unwrap(), 1);
    let phone = |name: &str, phone: &str| NewFactor {
        phone: Some(phone.to_owned()),
        ..new_factor(&f, ada, FactorType::Phone, name)
    };
    let (first, second) = (phone("first", "491"), phone("second", "492"));
    tx.factors().insert(first).await.unwrap();
    tx.factors().insert(second.clone()).await.unwrap();
    assert_eq!(tx.factors().delete_unverified_phone(ada, "491").await.unwrap(), 1);
    assert_eq!(left(&mut tx).await, sorted(vec![proven, second.id]));
    tx.commit().await.unwrap();
    assert!(store.read_factor(stale).await.unwrap().is_none());
    assert!(store.read_factor(bobs).await.unwrap().is_some());
}
