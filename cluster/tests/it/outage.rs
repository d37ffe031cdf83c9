//! Redis goes away and comes back.

use std::time::Duration;

use cluster::{Cluster, Event, Invalidation, RedisOptions};
use domain::ids::{SessionId, UserId};
use domain::secret::Secret;
use tokio::time::Instant;

use crate::support::{Server, Way, at, connect, entry, eventually, next, project, until, uuid};

const NEEDS: &str = "the call must fail";

/// Every kind of call fails, and no later than the time-out of one.
async fn assert_fails_fast(cluster: &Cluster) {
    let (project, user, session) = (project(), UserId(uuid()), SessionId(uuid()));
    let window = Duration::from_secs(60);
    let started = Instant::now();
    cluster.sessions.put(project, entry(user, session, at(0.0))).await.expect_err(NEEDS);
    cluster.sessions.touch(project, user, session, at(0.0)).await.expect_err(NEEDS);
    cluster.sessions.remove(project, user, &[session]).await.expect_err(NEEDS);
    cluster.sessions.remove_user(project, user).await.expect_err(NEEDS);
    cluster.sessions.list(project, user).await.expect_err(NEEDS);
    cluster.counters.take(project, "bucket", 1, 1.0, at(0.0)).await.expect_err(NEEDS);
    cluster.counters.hit(project, "key", 1, window, at(0.0)).await.expect_err(NEEDS);
    cluster.counters.clear(project, "key").await.expect_err(NEEDS);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

async fn works(cluster: &Cluster) -> bool {
    cluster.counters.take(project(), "bucket", 1, 1.0, at(0.0)).await.is_ok()
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or in TENANTRY_TEST_REDIS_SERVER"]
async fn a_killed_server_fails_calls_at_once_and_its_return_is_announced() {
    let mut server = Server::start(&[]);
    let cluster = connect(&server.url(), "test").await;
    let (project, user, session) = (project(), UserId(uuid()), SessionId(uuid()));
    cluster.sessions.put(project, entry(user, session, at(0.0))).await.unwrap();
    let mut events = cluster.bus.subscribe();

    server.kill();
    eventually(async || !cluster.bus.healthy()).await;
    assert_fails_fast(&cluster).await;
    let invalidation = Invalidation::Config(project);
    let event = Event::Invalidation(invalidation.clone());
    cluster.bus.publish(&invalidation).await.expect_err(NEEDS);
    assert_eq!(next(&mut events).await, event, "this gateway hears its own invalidation all the same");

    server.restart();
    until(&mut events, &Event::Resync).await;
    eventually(async || cluster.bus.healthy()).await;
    assert!(works(&cluster).await);
    assert!(!cluster.sessions.touch(project, user, session, at(1.0)).await.unwrap(), "the new server is empty");
    cluster.sessions.put(project, entry(user, session, at(1.0))).await.unwrap();
    assert_eq!(cluster.sessions.list(project, user).await.unwrap().len(), 1);
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or in TENANTRY_TEST_REDIS_SERVER"]
async fn what_one_gateway_could_not_publish_reaches_the_others_once_it_is_back() {
    let server = Server::start(&[]);
    let mut way = Way::to(server.port()).await;
    let cut_off = connect(&way.url(), "test").await;
    let other = connect(&server.url(), "test").await;
    let mut there = other.bus.subscribe();

    way.close().await;
    eventually(async || !cut_off.bus.healthy()).await;
    let invalidation = Invalidation::Project(project());
    cut_off.bus.publish(&invalidation).await.expect_err(NEEDS);
    assert!(other.bus.healthy());

    way.open().await;
    assert_eq!(next(&mut there).await, Event::Invalidation(invalidation));
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or in TENANTRY_TEST_REDIS_SERVER"]
async fn a_server_that_hangs_is_given_up_after_one_time_out() {
    let server = Server::start(&[]);
    let cluster = connect(&server.url(), "test").await;
    let mut events = cluster.bus.subscribe();

    server.signal("-STOP");
    let started = Instant::now();
    assert!(!works(&cluster).await);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(!cluster.bus.healthy());
    assert_fails_fast(&cluster).await;

    // The silent subscription is noticed by its own heartbeat, and Redis must be seen again on a new connection.
    server.signal("-CONT");
    eventually(async || cluster.bus.healthy() && works(&cluster).await).await;
    let invalidation = Invalidation::Config(project());
    cluster.bus.publish(&invalidation).await.unwrap();
    until(&mut events, &Event::Invalidation(invalidation)).await;
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or in TENANTRY_TEST_REDIS_SERVER"]
async fn a_silent_subscription_is_renewed_and_announced() {
    let server = Server::start(&[]);
    let cluster = connect(&server.url(), "test").await;
    let mut events = cluster.bus.subscribe();

    server.signal("-STOP");
    // No call is made: only the heartbeats can notice.
    eventually(async || !cluster.bus.healthy()).await;
    eventually(async || cluster.bus.publish(&Invalidation::Config(project())).await.is_err()).await;
    server.signal("-CONT");
    eventually(async || cluster.bus.healthy()).await;
    let last = Invalidation::Config(project());
    cluster.bus.publish(&last).await.unwrap();
    until(&mut events, &Event::Invalidation(last)).await;
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or in TENANTRY_TEST_REDIS_SERVER"]
async fn a_gateway_starts_without_redis_and_finds_it_later() {
    let mut server = Server::start(&[]);
    server.kill();
    let options = RedisOptions { first_connection: Duration::from_millis(10), ..RedisOptions::default() };
    let cluster = Cluster::redis(&Secret::new(server.url()), options).await.unwrap();
    let mut events = cluster.bus.subscribe();
    assert!(!cluster.bus.healthy());
    assert_fails_fast(&cluster).await;

    server.restart();
    until(&mut events, &Event::Resync).await;
    eventually(async || cluster.bus.healthy()).await;
    assert!(works(&cluster).await);
}
