use domain::ids::ProjectId;
use domain::third_party::{Source, ThirdParty};
use serde_json::json;
use storage::StoreError;
use storage::control::Change;
use tokio::task::JoinSet;

use crate::control::{made, named};
use crate::fixture::{Fixture, t};

on_both! {
    issuers_come_and_go
    an_issuer_reads_back_from_every_source
    every_change_of_issuers_is_announced
    an_issuer_of_nobody_is_a_fault
    of_many_issuers_at_once_no_more_come_than_are_let_in
}

/// An issuer that was set up at an hour.
pub(crate) fn issuer(f: &Fixture, source: Source, hour: i64) -> ThirdParty {
    ThirdParty { id: f.id(), source, resolved_jwks: None, inserted_at: t(hour), updated_at: t(hour), resolved_at: None }
}

/// Lets every issuer in.
fn any(_: &[ThirdParty]) -> Result<(), ()> {
    Ok(())
}

fn at(url: &str) -> Source {
    Source::OidcIssuer(url.to_owned())
}

async fn issuers_come_and_go(f: Fixture) {
    let control = f.control().await;
    let (id, other) = (made(&f, &control, "first").await, made(&f, &control, "second").await);
    let issuers = control.third_party();
    let own = issuers.list(id).await.unwrap().remove(0);
    // The order of ids is not the order of making.
    let (late, early) = (issuer(&f, at("https://late.example.com"), 9), issuer(&f, at("https://early.example.com"), 5));
    issuers.insert(id, &late, any).await.unwrap().unwrap();
    issuers.insert(id, &early, any).await.unwrap().unwrap();
    assert_eq!(issuers.list(id).await.unwrap(), [own.clone(), early.clone(), late.clone()]);
    let bundle = control.projects().bundle(&named("first")).await.unwrap().unwrap();
    assert_eq!(bundle.third_party, [own.clone(), early.clone(), late.clone()]);
    assert_eq!(control.projects().bundle(&named("second")).await.unwrap().unwrap().third_party.len(), 1);

    assert_eq!(issuers.get(id, early.id).await.unwrap(), Some(early.clone()));
    assert_eq!(issuers.get(other, early.id).await.unwrap(), None);
    assert!(!issuers.delete(other, early.id, t(6)).await.unwrap());
    assert!(issuers.delete(id, early.id, t(6)).await.unwrap());
    assert!(!issuers.delete(id, early.id, t(6)).await.unwrap());
    assert_eq!(issuers.list(id).await.unwrap(), [own.clone(), late]);
    assert!(matches!(issuers.insert(id, &own, any).await, Err(StoreError::Conflict)));
}

async fn an_issuer_reads_back_from_every_source(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let keys = json!({ "keys": [{ "kty": "RSA", "n": "ü", "e": "AQAB" }] });
    for source in
        [at("https://a.example.com/T"), Source::JwksUrl("https://a/jwks".to_owned()), Source::CustomJwks(keys.clone())]
    {
        let plain = issuer(&f, source, 2);
        let resolved =
            ThirdParty { id: f.id(), resolved_jwks: Some(keys.clone()), resolved_at: Some(t(3)), ..plain.clone() };
        for new in [plain, resolved] {
            control.third_party().insert(id, &new, any).await.unwrap().unwrap();
            assert_eq!(control.third_party().get(id, new.id).await.unwrap(), Some(new));
        }
    }
}

async fn every_change_of_issuers_is_announced(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let start = control.events().latest().await.unwrap();
    let new = issuer(&f, at("https://a.example.com"), 2);
    control.third_party().insert(id, &new, any).await.unwrap().unwrap();
    control.third_party().delete(id, new.id, t(3)).await.unwrap();
    control.third_party().delete(id, new.id, t(4)).await.unwrap();
    let events = control.events().after(start, 10).await.unwrap();
    let changes: Vec<_> = events.iter().map(|event| (event.project, event.change, event.created_at)).collect();
    assert_eq!(changes, [(id, Change::Config, t(2)), (id, Change::Config, t(3))]);
}

async fn an_issuer_of_nobody_is_a_fault(f: Fixture) {
    let control = f.control().await;
    let new = issuer(&f, at("https://a.example.com"), 2);
    let refused = control.third_party().insert(ProjectId(f.id()), &new, any).await;
    assert!(matches!(refused, Err(StoreError::Fault(_))), "{refused:?}");
}

async fn of_many_issuers_at_once_no_more_come_than_are_let_in(f: Fixture) {
    let control = f.control().await;
    let id = made(&f, &control, "first").await;
    let there = control.third_party().list(id).await.unwrap().len();
    let start = control.events().latest().await.unwrap();
    let mut racing = JoinSet::new();
    for number in 0..20 {
        let (control, new) = (control.clone(), issuer(&f, at(&format!("https://i{number}.example.com")), 2));
        racing.spawn(async move {
            let few = |known: &[ThirdParty]| if known.len() < there + 3 { Ok(()) } else { Err(()) };
            control.third_party().insert(id, &new, few).await.unwrap()
        });
    }
    assert_eq!(racing.join_all().await.into_iter().filter(Result::is_ok).count(), 3);
    assert_eq!(control.third_party().list(id).await.unwrap().len(), there + 3);
    assert_eq!(control.events().after(start, 30).await.unwrap().len(), 3);
}
