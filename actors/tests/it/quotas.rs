//! What the operator grants a project: it holds at once, and refusals say what is used up.

use std::time::Duration;

use actors::{AskError, Lane, Limits, Operation};
use domain::ids::ProjectId;
use domain::quota::{Quota, Quotas};
use domain::refusal::Refusal;
use domain::time::Timestamp;
use flows::{Context, Tenant};

use crate::support::{Gateway, Latch, project, ready};

async fn grant(gateway: &Gateway, id: ProjectId, quotas: Quotas) {
    gateway.source.change("one", |project| project.quotas = quotas);
    assert!(gateway.handle.refresh(id).await);
}

#[tokio::test]
async fn a_project_has_as_many_requests_under_way_as_it_is_granted_now() {
    let gateway = Gateway::paused(Limits { tenant_in_flight: 2, ..Limits::default() }).await;
    let id = gateway.source.create("one");
    gateway.settings("one").await.unwrap();
    let latch = Latch::new();
    let mut held = Vec::new();
    for granted in [3, 4, 5] {
        grant(&gateway, id, Quotas { in_flight: Some(granted), ..Quotas::default() }).await;
        while held.len() < granted as usize {
            held.push(gateway.spawn("one", latch.hold(Lane::Task)));
            latch.entered().await;
        }
        let outcome = gateway.ask("one", ready(Lane::Task, ())).await;
        assert!(matches!(outcome, Err(AskError::Refused(Refusal::QuotaBusy(Quota::InFlight)))), "{outcome:?}");
    }
    let usage = gateway.handle.usage(id).unwrap();
    assert_eq!((usage.in_flight, usage.refused[&Quota::InFlight], usage.refused[&Quota::Hashing]), (5, 3, 0));
    assert_eq!(usage.requests, 9, "those that were refused came as well");
    latch.open();
    for answer in held {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(gateway.handle.busiest(9), [(project("one"), gateway.handle.usage(id).unwrap())]);
}

/// An operation that is known as the trade of a refresh token.
struct Refresh;

impl Operation for Refresh {
    type Answer = ();
    const NAME: &'static str = <domain::refresh::Request as Operation>::NAME;

    fn lane(&self, _: &Tenant, _: Timestamp) -> Lane {
        Lane::Task
    }

    async fn run(self, _: Context) -> flows::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn over_its_rate_a_project_is_refused_and_a_refresh_may_come_back() {
    let gateway = Gateway::paused(Limits::default()).await;
    let id = gateway.source.create("one");
    gateway.source.change("one", |project| project.quotas.requests_per_second = Some(2));
    for _ in 0..4 {
        gateway.ask("one", ready(Lane::Task, ())).await.unwrap();
    }
    let outcome = gateway.ask("one", ready(Lane::Task, ())).await;
    let reached = Quota::RequestsPerSecond;
    assert!(
        matches!(&outcome, Err(AskError::Refused(Refusal::QuotaReached(quota))) if *quota == reached),
        "{outcome:?}"
    );
    let outcome = gateway.ask("one", Refresh).await;
    assert!(matches!(&outcome, Err(AskError::Refused(Refusal::QuotaBusy(quota))) if *quota == reached), "{outcome:?}");
    assert_eq!(gateway.handle.usage(id).unwrap().refused[&reached], 2);
    tokio::time::advance(Duration::from_secs(1)).await;
    gateway.ask("one", Refresh).await.unwrap();
}

#[tokio::test]
async fn a_quota_of_one_project_is_none_of_another() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    let other = gateway.source.create("two");
    gateway.source.change("one", |project| project.quotas.requests_per_second = Some(1));
    for _ in 0..20 {
        let _refused = gateway.ask("one", ready(Lane::Task, ())).await;
        gateway.ask("two", ready(Lane::Task, ())).await.unwrap();
    }
    let usage = gateway.handle.usage(other).unwrap();
    assert_eq!((usage.requests, usage.refused.values().sum::<u64>()), (20, 0));
    assert_eq!(gateway.handle.busiest(1).len(), 1);
}
