//! Hashing: off the request threads, fair, bounded, never for nobody.

use std::sync::Arc;
use std::time::Duration;

use actors::{AskError, Lane, Limits, Operation};
use domain::ids::ProjectId;
use domain::quota::Quota;
use domain::refusal::Refusal;
use domain::secret::Secret;
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use uuid::Uuid;

use crate::support::{Gateway, Latch, on};

fn hash(password: &'static str) -> impl Operation<Answer = String> {
    on(Lane::Task, move |ctx| async move {
        ctx.services.hasher.hash(ctx.tenant.project.id, Secret::new(password.to_owned())).await
    })
}

fn verify(password: &'static str, stored: String) -> impl Operation<Answer = bool> {
    on(Lane::Task, move |ctx| async move {
        let password = Secret::new(password.to_owned());
        ctx.services.hasher.verify(ctx.tenant.project.id, password, Secret::new(stored)).await
    })
}

#[tokio::test]
async fn a_hash_verifies_and_another_password_does_not() {
    let gateway = Gateway::start(Limits::default()).await;
    gateway.source.create("one");
    let stored = gateway.ask("one", hash("correct horse")).await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert!(gateway.ask("one", verify("correct horse", stored.clone())).await.unwrap());
    assert!(!gateway.ask("one", verify("battery staple", stored)).await.unwrap());
}

#[tokio::test]
async fn a_flood_on_one_project_does_not_delay_another() {
    let gateway = Gateway::start(Limits { hashing_workers: 1, ..Limits::default() }).await;
    gateway.source.create("flooded");
    gateway.source.create("calm");
    let mut flood: FuturesUnordered<_> = (0..30).map(|_| gateway.ask("flooded", hash("correct horse"))).collect();
    // The first one is done: all the others are queued.
    flood.next().await.unwrap().unwrap();
    let calm = gateway.ask("calm", hash("correct horse"));
    tokio::pin!(calm);
    let mut overtaken = 0;
    loop {
        tokio::select! {
            biased;
            outcome = &mut calm => break drop(outcome.unwrap()),
            Some(outcome) = flood.next() => {
                outcome.unwrap();
                overtaken += 1;
            }
        }
    }
    assert!(overtaken <= 3, "it waited for {overtaken} jobs of the flood");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_only_its_project() {
    let gateway = Gateway::start(Limits { hashing_workers: 1, hashing_queue: 2, ..Limits::default() }).await;
    for name in ["flooded", "calm"] {
        gateway.source.create(name);
        gateway.settings(name).await.unwrap();
    }
    let flood: FuturesUnordered<_> = (0..10).map(|_| gateway.ask("flooded", hash("correct horse"))).collect();
    let (flood, calm) = tokio::join!(flood.collect::<Vec<_>>(), gateway.ask("calm", hash("correct horse")));
    calm.unwrap();
    let full = |error: &AskError| matches!(error, AskError::Refused(Refusal::QuotaBusy(Quota::Hashing)));
    let refused = flood.iter().filter(|outcome| outcome.as_ref().is_err_and(full)).count();
    let done = flood.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!((done, refused), (3, 7), "one runs and two wait");
}

/// Waits until the pool has nothing left to do.
async fn idle(gateway: &Gateway) {
    let idle = async {
        while gateway.handle.stats().hash_running + gateway.handle.stats().hash_queue > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), idle).await.unwrap();
}

#[tokio::test]
async fn a_job_whose_deadline_passes_in_the_queue_is_not_done() {
    let gateway = Gateway::start(Limits { hashing_workers: 1, ..Limits::default() }).await;
    gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    let salts = gateway.entropy.used();
    let first = gateway.ask("one", hash("correct horse"));
    let late = gateway.ask_within(Duration::from_millis(1), "one", hash("correct horse"));
    let (first, late) = tokio::join!(first, late);
    first.unwrap();
    let salt = gateway.entropy.used() - salts;
    assert!(matches!(late, Err(AskError::Timeout)), "{late:?}");
    idle(&gateway).await;
    assert_eq!(gateway.entropy.used() - salts, salt, "a second salt was drawn");
}

#[tokio::test]
async fn a_job_whose_caller_left_is_not_done() {
    let gateway = Gateway::start(Limits { hashing_workers: 1, ..Limits::default() }).await;
    gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    let salts = gateway.entropy.used();
    let hasher = Arc::clone(&gateway.services.hasher);
    let project = ProjectId(Uuid::nil());
    let first = hasher.hash(project, Secret::new("correct horse".to_owned()));
    let mut abandoned = hasher.hash(project, Secret::new("correct horse".to_owned()));
    let (first, ()) = tokio::join!(first, async move {
        assert!((&mut abandoned).now_or_never().is_none());
        drop(abandoned);
    });
    first.unwrap();
    let salt = gateway.entropy.used() - salts;
    idle(&gateway).await;
    assert_eq!(gateway.entropy.used() - salts, salt, "a second salt was drawn");
}

#[tokio::test]
async fn hashing_delays_no_request_that_needs_none() {
    let gateway = Gateway::start(Limits { hashing_workers: 1, ..Limits::default() }).await;
    gateway.source.create("one");
    let latch = Latch::new();
    latch.open();
    let mut flood: FuturesUnordered<_> = (0..20).map(|_| gateway.ask("one", hash("correct horse"))).collect();
    flood.next().await.unwrap().unwrap();
    let read = gateway.ask("one", latch.hold(Lane::Task));
    tokio::pin!(read);
    tokio::select! {
        biased;
        outcome = &mut read => outcome.unwrap(),
        _ = flood.next() => panic!("the read waited for a hash"),
    }
}

#[tokio::test]
async fn a_stored_hash_that_is_none_is_a_fault_or_no_match_and_never_hangs() {
    let gateway = Gateway::start(Limits::default()).await;
    gateway.source.create("one");
    let outcome = gateway.ask("one", verify("correct horse", "not a hash".to_owned())).await;
    assert!(matches!(outcome, Ok(false) | Err(AskError::Fault(_))), "{outcome:?}");
}
