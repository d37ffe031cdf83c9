//! Operations that are asked again while they have nothing to tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actors::{AskError, Lane, Limits, Operation, Poll};
use cluster::Invalidation;
use domain::ids::{ProjectId, UserId};
use domain::time::Timestamp;
use flows::{Context, Tenant};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::{Gateway, Latch, settle};

/// How long a question is asked again.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is watched, and how often it was looked at.
#[derive(Clone, Default)]
struct Watched {
    value: Arc<AtomicU64>,
    looks: Arc<AtomicU64>,
}

/// Waits until the value is not 0.
struct Watch(Watched);

impl Operation for Watch {
    type Answer = u64;
    const NAME: &'static str = "watch";

    fn lane(&self, _: &Tenant, _: Timestamp) -> Lane {
        Lane::Task
    }

    fn poll(&self) -> Option<Poll<Self>> {
        let watched = self.0.clone();
        let next = move |value: &u64| (*value == 0).then(|| Self(watched.clone()));
        Some(Poll { patience: PATIENCE, next: Box::new(next) })
    }

    async fn run(self, _: Context) -> flows::Result<u64> {
        self.0.looks.fetch_add(1, Ordering::SeqCst);
        Ok(self.0.value.load(Ordering::SeqCst))
    }
}

impl Watched {
    fn looks(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }

    fn set(&self, value: u64) {
        self.value.store(value, Ordering::SeqCst);
    }
}

async fn waiting(gateway: &Gateway) -> (Watched, JoinHandle<Result<u64, AskError>>) {
    let watched = Watched::default();
    let asked = gateway.spawn("one", Watch(watched.clone()));
    settle().await;
    assert_eq!((watched.looks(), gateway.handle.stats().in_flight), (1, 0), "who waits is not in flight");
    (watched, asked)
}

async fn ended(gateway: &Gateway, project: ProjectId) {
    let invalidation = Invalidation::Sessions { project, user: UserId(Uuid::nil()), sessions: Vec::new() };
    gateway.services.cluster.bus.publish(&invalidation).await.unwrap();
    settle().await;
}

fn hintless() -> Limits {
    Limits { ends_poll: Duration::from_secs(3600), ..Limits::default() }
}

#[tokio::test]
async fn it_is_asked_again_when_sessions_ended() {
    let gateway = Gateway::paused(hintless()).await;
    let (one, two) = (gateway.source.create("one"), gateway.source.create("two"));
    let began = Instant::now();
    let (watched, asked) = waiting(&gateway).await;
    ended(&gateway, two).await;
    assert_eq!(watched.looks(), 1, "another project's");
    ended(&gateway, one).await;
    assert_eq!(watched.looks(), 2);
    watched.set(7);
    ended(&gateway, one).await;
    assert_eq!(asked.await.unwrap().unwrap(), 7);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn it_is_asked_again_from_time_to_time_and_in_the_end_it_says_what_it_has() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let began = Instant::now();
    let (watched, asked) = waiting(&gateway).await;
    assert_eq!(asked.await.unwrap().unwrap(), 0);
    assert_eq!((began.elapsed().as_secs(), watched.looks()), (20, 4));

    let (watched, asked) = waiting(&gateway).await;
    watched.set(7);
    assert_eq!(asked.await.unwrap().unwrap(), 7);
    assert_eq!(began.elapsed().as_secs(), 25);
}

#[tokio::test]
async fn who_waits_gives_way_to_who_works() {
    let gateway = Gateway::paused(Limits { tenant_in_flight: 1, ..hintless() }).await;
    let one = gateway.source.create("one");
    let (watched, asked) = waiting(&gateway).await;
    let latch = Latch::new();
    let work = gateway.spawn("one", latch.hold(Lane::Task));
    latch.entered().await;
    watched.set(7);
    ended(&gateway, one).await;
    assert_eq!(watched.looks(), 1, "there is no room for him");
    latch.open();
    work.await.unwrap().unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), 7, "he comes back by himself");
}

#[tokio::test]
async fn who_waits_is_sent_away_by_a_shutdown() {
    let gateway = Gateway::paused(hintless()).await;
    gateway.source.create("one");
    let (_, asked) = waiting(&gateway).await;
    let began = Instant::now();
    assert!(gateway.handle.shutdown(began + Duration::from_secs(10)).await);
    assert_eq!(asked.await.unwrap().unwrap(), 0);
    assert!(began.elapsed() < PATIENCE, "he was left to wait");
}

#[tokio::test]
async fn what_may_have_been_missed_is_looked_at() {
    let gateway = Gateway::paused(hintless()).await;
    gateway.source.create("one");
    let (watched, asked) = waiting(&gateway).await;
    watched.set(7);
    gateway.services.cluster.bus.publish(&Invalidation::Config(ProjectId(Uuid::nil()))).await.unwrap();
    settle().await;
    assert_eq!(watched.looks(), 1);
    // More than the bus keeps for a slow listener.
    for _ in 0..2000 {
        gateway.services.cluster.bus.publish(&Invalidation::Config(ProjectId(Uuid::nil()))).await.unwrap();
    }
    assert_eq!(asked.await.unwrap().unwrap(), 7);
}
