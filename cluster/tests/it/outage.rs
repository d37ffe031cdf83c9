//! Redis goes away and comes back.

use std::time::Duration;

use cluster::{Cluster, Event, Hit, Invalidation, RedisOptions};
use domain::ids::{SessionId, UserId};
use domain::secret::Secret;
use tokio::time::Instant;

use crate::support::{Server, Way, at, connect, entry, eventually, next, project, until, uuid};

const NEEDS: &str = "the call must fail";
const COUNTS: &str = "counters always answer";

/// Sessions fail and counters count here, both at once: all of it takes no longer than the time-out of one call.
async fn assert_goes_on_alone(cluster: &Cluster) {
    let (project, user, session) = (project(), UserId(uuid()), SessionId(uuid()));
    let window = Duration::from_secs(60);
    let started = Instant::now();
    cluster.sessions.put(project, entry(user, session, at(0.0))).await.expect_err(NEEDS);
    cluster.sessions.touch(project, user, session, at(0.0)).await.expect_err(NEEDS);
    cluster.sessions.remove(project, user, &[session]).await.expect_err(NEEDS);
    cluster.sessions.remove_user(project, user).await.expect_err(NEEDS);
    cluster.sessions.list(project, user).await.expect_err(NEEDS);
    for granted in [true, true, false] {
        assert_eq!(cluster.counters.take(project, "bucket", 2, 0.1, at(0.0)).await.expect(COUNTS).granted(), granted);
        assert_eq!(cluster.counters.hit(project, "key", 2, window, at(0.0)).await.expect(COUNTS).counted(), granted);
    }
    cluster.counters.clear(project, "key").await.expect(COUNTS);
    assert!(cluster.counters.hit(project, "key", 2, window, at(0.0)).await.expect(COUNTS).counted());
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

async fn works(cluster: &Cluster) -> bool {
    cluster.sessions.list(project(), UserId(uuid())).await.is_ok()
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
    assert_goes_on_alone(&cluster).await;
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
async fn who_is_cut_off_counts_alone_and_shares_the_counts_again_later() {
    let server = Server::start(&[]);
    let mut way = Way::to(server.port()).await;
    let cut_off = connect(&way.url(), "test").await;
    let other = connect(&server.url(), "test").await;
    let project = project();
    let hit = async |gateway: &Cluster, second: f64| {
        gateway.counters.hit(project, "key", 3, Duration::from_secs(60), at(second)).await.unwrap()
    };
    assert_eq!(hit(&cut_off, 0.0).await, Hit::Counted { count: 1 });
    assert_eq!(hit(&other, 1.0).await, Hit::Counted { count: 2 });

    way.close().await;
    eventually(async || !works(&cut_off).await).await;
    for count in [1, 2, 3] {
        assert_eq!(hit(&cut_off, 2.0).await, Hit::Counted { count });
    }
    assert_eq!(hit(&cut_off, 2.0).await, Hit::Refused { retry_after: Duration::from_secs(60) });
    assert_eq!(hit(&other, 3.0).await, Hit::Counted { count: 3 }, "the others know nothing of it");

    way.open().await;
    eventually(async || works(&cut_off).await).await;
    assert_eq!(hit(&cut_off, 4.0).await, Hit::Refused { retry_after: Duration::from_secs(56) }, "as the others say");
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
    assert_goes_on_alone(&cluster).await;

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
    assert_goes_on_alone(&cluster).await;

    server.restart();
    until(&mut events, &Event::Resync).await;
    eventually(async || cluster.bus.healthy()).await;
    assert!(works(&cluster).await);
}
