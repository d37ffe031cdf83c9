//! Projects come into memory when somebody asks for them, once, and only if they exist.

use std::time::Duration;

use actors::{AskError, Lane, Limits};

use crate::support::{Gateway, ready, settle};

#[tokio::test]
async fn an_unknown_project_costs_one_load_and_no_actor() {
    let gateway = Gateway::paused(Limits::default()).await;
    for _ in 0..100 {
        let outcome = gateway.settings("nobody").await;
        assert!(matches!(outcome, Err(AskError::UnknownProject)), "{outcome:?}");
    }
    let stats = gateway.handle.stats();
    assert_eq!((gateway.source.loads(), stats.activations, stats.resident_tenants), (1, 0, 0));
}

#[tokio::test]
async fn many_at_once_for_an_unknown_project_cost_one_load() {
    let gateway = Gateway::paused(Limits::default()).await;
    let asked: Vec<_> = (0..100).map(|_| gateway.spawn("nobody", ready(Lane::Task, ()))).collect();
    for answer in asked {
        let outcome = answer.await.unwrap();
        assert!(matches!(outcome, Err(AskError::UnknownProject)), "{outcome:?}");
    }
    assert_eq!(gateway.source.loads(), 1);
}

#[tokio::test]
async fn that_a_project_is_unknown_is_believed_for_a_while_only() {
    let gateway = Gateway::paused(Limits { unknown_for: Duration::from_secs(10), ..Limits::default() }).await;
    assert!(gateway.settings("late").await.is_err());
    gateway.source.create("late");
    assert!(gateway.settings("late").await.is_err());
    tokio::time::advance(Duration::from_secs(11)).await;
    gateway.settings("late").await.unwrap();
}

#[tokio::test]
async fn many_at_once_for_a_cold_project_load_it_once() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.source.shut();
    let asked: Vec<_> = (0..100).map(|number| gateway.spawn("one", ready(Lane::Task, number))).collect();
    settle().await;
    gateway.source.open();
    for (number, answer) in asked.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().unwrap(), number);
    }
    let stats = gateway.handle.stats();
    assert_eq!((gateway.source.loads(), stats.activations, stats.resident_tenants), (1, 1, 1));
}

#[tokio::test]
async fn those_who_wait_for_a_load_are_bounded() {
    let gateway = Gateway::paused(Limits { parked: 3, ..Limits::default() }).await;
    gateway.source.create("one");
    gateway.source.shut();
    let waiting: Vec<_> = (0..3).map(|_| gateway.spawn("one", ready(Lane::Task, ()))).collect();
    settle().await;
    let outcome = gateway.ask("one", ready(Lane::Task, ())).await;
    assert!(matches!(outcome, Err(AskError::Overloaded { .. })), "{outcome:?}");
    gateway.source.open();
    for answer in waiting {
        answer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_slow_load_delays_no_other_project() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("warm");
    gateway.settings("warm").await.unwrap();
    gateway.source.create("cold");
    gateway.source.shut();
    let cold = gateway.spawn("cold", ready(Lane::Task, ()));
    settle().await;
    gateway.settings("warm").await.unwrap();
    gateway.source.open();
    cold.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failed_load_is_said_to_everybody_and_tried_again_after_a_pause() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.source.fail(true);
    for _ in 0..5 {
        let outcome = gateway.settings("one").await;
        assert!(matches!(outcome, Err(AskError::Unavailable { .. })), "{outcome:?}");
    }
    assert_eq!(gateway.source.loads(), 1, "not a load for every ask");
    gateway.source.fail(false);
    tokio::time::advance(Duration::from_secs(2)).await;
    gateway.settings("one").await.unwrap();
}

#[tokio::test]
async fn pauses_between_failed_loads_grow() {
    let gateway = Gateway::paused(Limits::default()).await;
    gateway.source.create("one");
    gateway.source.fail(true);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let Err(AskError::Unavailable { retry_after, .. }) = gateway.settings("one").await else {
            panic!("the source fails");
        };
        pauses.push(retry_after.as_secs());
        tokio::time::advance(retry_after).await;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[tokio::test]
async fn a_load_that_panics_or_hangs_is_a_failed_load() {
    let gateway = Gateway::paused(Limits { load_time: Duration::from_secs(3), ..Limits::default() }).await;
    gateway.source.create("one");
    gateway.source.panic(true);
    let outcome = gateway.settings("one").await;
    assert!(matches!(outcome, Err(AskError::Unavailable { .. })), "{outcome:?}");
    gateway.source.panic(false);

    gateway.source.create("two");
    gateway.source.shut();
    let outcome = gateway.settings("two").await;
    assert!(matches!(outcome, Err(AskError::Unavailable { .. })), "{outcome:?}");
}

#[tokio::test]
async fn loads_at_a_time_are_bounded() {
    let gateway = Gateway::paused(Limits { loads: 1, ..Limits::default() }).await;
    gateway.source.shut();
    let asked: Vec<_> = (0..64).map(|number| gateway.spawn(&format!("p{number:03}"), ready(Lane::Task, ()))).collect();
    settle().await;
    let loads = gateway.source.loads();
    assert!(loads <= 16, "one for each of the sixteen shards: {loads}");
    gateway.source.open();
    let mut refused = 0;
    for answer in asked {
        match answer.await.unwrap() {
            Err(AskError::Overloaded { .. }) => refused += 1,
            Err(AskError::UnknownProject) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 64 - loads);
}
