use domain::factor::FactorType;
use domain::ids::{ChallengeId, FactorId};
use serde_json::json;
use storage::{ChallengeFactor, NewMfaChallenge, TenantStore};
use tokio::task::JoinSet;

use crate::factors::enroll;
use crate::fixture::{Fixture, t};

on_both! {
    a_challenge_reads_back
    of_many_answers_one_wins
    a_challenge_is_put_with_its_marks
    of_many_challenges_in_a_minute_one_is_put
    a_factor_that_is_gone_is_not_challenged
    challenges_and_the_end_of_their_factor_do_not_fail_each_other
}

fn new(f: &Fixture, factor: FactorId) -> NewMfaChallenge {
    NewMfaChallenge {
        id: ChallengeId(f.id()),
        factor,
        ip: Some("2001:db8::1".to_owned()),
        code_hash: None,
        session_data: None,
        now: t(4),
    }
}

async fn put(store: &TenantStore, challenge: &NewMfaChallenge) {
    let put = ChallengeFactor { challenge: challenge.clone(), not_challenged_after: None, audit: None };
    assert!(store.challenge_factor(put).await.unwrap());
}

async fn a_factor(f: &Fixture) -> (TenantStore, FactorId) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    let factor = enroll(f, &store, user, FactorType::Totp, "").await;
    (store, factor)
}

async fn a_challenge_reads_back(f: Fixture) {
    let (store, factor) = a_factor(&f).await;
    let state = json!({ "challenge": "AQ", "userVerification": "preferred" });
    let with_all =
        NewMfaChallenge { code_hash: Some("hash".to_owned()), session_data: Some(state.clone()), ..new(&f, factor) };
    let from_nowhere = NewMfaChallenge { ip: Some("unknown".to_owned()), ..new(&f, factor) };
    put(&store, &with_all).await;
    put(&store, &from_nowhere).await;
    let found = store.find_mfa_challenge(with_all.id, factor).await.unwrap().unwrap();
    assert_eq!((found.id, found.factor, found.created_at, found.verified_at), (with_all.id, factor, t(4), None));
    assert_eq!((found.ip.as_deref(), found.code_hash.as_deref()), (Some("2001:db8::1"), Some("hash")));
    assert_eq!(found.session_data, Some(state));
    let found = store.find_mfa_challenge(from_nowhere.id, factor).await.unwrap().unwrap();
    assert_eq!((found.ip, found.code_hash, found.session_data), (None, None, None));
    assert_eq!(store.find_mfa_challenge(with_all.id, FactorId(f.id())).await.unwrap(), None, "another factor's");
}

async fn of_many_answers_one_wins(f: Fixture) {
    let (store, factor) = a_factor(&f).await;
    let (met, removed) = (new(&f, factor), new(&f, factor));
    put(&store, &met).await;
    put(&store, &removed).await;
    let mut racing = JoinSet::new();
    for n in 0..80 {
        let (store, met, removed) = (store.clone(), met.id, removed.id);
        racing.spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let won = match n % 2 {
                0 => tx.mfa_challenges().consume(met, t(5)).await.unwrap(),
                _ => tx.mfa_challenges().delete(removed).await.unwrap(),
            };
            tx.commit().await.unwrap();
            (n % 2, won)
        });
    }
    let mut winners: Vec<i32> =
        racing.join_all().await.into_iter().filter(|(_, won)| *won).map(|(kind, _)| kind).collect();
    winners.sort_unstable();
    assert_eq!(winners, [0, 1]);
    let found = store.find_mfa_challenge(met.id, factor).await.unwrap().unwrap();
    assert_eq!(found.verified_at, Some(t(5)));
    assert_eq!(store.find_mfa_challenge(removed.id, factor).await.unwrap(), None);
}

async fn a_challenge_is_put_with_its_marks(f: Fixture) {
    let (store, factor) = a_factor(&f).await;
    let challenge = new(&f, factor);
    let audit = Some(f.audit("challenge_created"));
    let before = store.database().statements();
    let put = ChallengeFactor { challenge: challenge.clone(), not_challenged_after: None, audit };
    assert!(store.challenge_factor(put).await.unwrap());
    if f.is_postgres() {
        assert_eq!(store.database().statements() - before, 1);
    }
    assert!(store.find_mfa_challenge(challenge.id, factor).await.unwrap().is_some());
    let marked = store.read_factor(factor).await.unwrap().unwrap().factor;
    assert_eq!((marked.last_challenged_at, marked.updated_at), (Some(t(4)), t(4)));
    assert_eq!(f.count("auth.audit_log_entries").await, 1);
}

async fn of_many_challenges_in_a_minute_one_is_put(f: Fixture) {
    let (store, factor) = a_factor(&f).await;
    for hour in [4, 5] {
        let mut racing = JoinSet::new();
        for _ in 0..40 {
            let store = store.clone();
            let challenge = NewMfaChallenge { now: t(hour), ..new(&f, factor) };
            let audit = Some(f.audit("challenge_created"));
            let put = ChallengeFactor { challenge, not_challenged_after: Some(t(hour - 1)), audit };
            racing.spawn(async move { store.challenge_factor(put).await.unwrap() });
        }
        assert_eq!(racing.join_all().await.into_iter().filter(|put| *put).count(), 1, "hour {hour}");
    }
    assert_eq!((f.count("auth.mfa_challenges").await, f.count("auth.audit_log_entries").await), (2, 2));
}

async fn a_factor_that_is_gone_is_not_challenged(f: Fixture) {
    let (store, _) = a_factor(&f).await;
    let gone = FactorId(f.id());
    let put = ChallengeFactor { challenge: new(&f, gone), not_challenged_after: None, audit: Some(f.audit("x")) };
    assert!(!store.challenge_factor(put).await.unwrap());
    assert_eq!(f.count("auth.audit_log_entries").await, 0);
}

async fn challenges_and_the_end_of_their_factor_do_not_fail_each_other(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    for _ in 0..10 {
        let factor = enroll(&f, &store, user, FactorType::Totp, "").await;
        let mut racing = JoinSet::new();
        for n in 0..12 {
            let (store, challenge) = (store.clone(), new(&f, factor));
            racing.spawn(async move {
                if n == 5 {
                    let mut tx = store.begin().await.unwrap();
                    assert!(tx.factors().delete(factor).await.unwrap());
                    return tx.commit().await.unwrap();
                }
                let put = ChallengeFactor { challenge, not_challenged_after: None, audit: None };
                store.challenge_factor(put).await.unwrap();
            });
        }
        racing.join_all().await;
    }
    assert_eq!(f.count("auth.mfa_challenges").await, 0);
}
