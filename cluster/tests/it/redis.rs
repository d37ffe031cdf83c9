//! What only several gateways over one Redis can show.

use cluster::{Cluster, ConnectError, Event, Invalidation, RedisOptions};
use domain::ids::{SessionId, UserId};
use domain::secret::Secret;

use crate::support::{Server, at, connect, entry, eventually, next, project, redis_with, uuid};

#[tokio::test]
#[ignore = "needs Redis: set TENANTRY_TEST_REDIS_URL"]
async fn gateways_share_sessions_counters_and_invalidations() {
    let prefix = format!("test-{}", uuid());
    let (one, other) = (redis_with(&prefix).await, redis_with(&prefix).await);
    let (project, user, session) = (project(), UserId(uuid()), SessionId(uuid()));

    one.sessions.put(project, entry(user, session, at(1.0))).await.unwrap();
    assert_eq!(other.sessions.list(project, user).await.unwrap(), [entry(user, session, at(1.0))]);

    assert!(one.counters.take(project, "bucket", 1, 0.1, at(0.0)).await.unwrap().granted());
    assert!(!other.counters.take(project, "bucket", 1, 0.1, at(0.0)).await.unwrap().granted());

    let mut here = one.bus.subscribe();
    let mut there = other.bus.subscribe();
    let invalidation = Invalidation::Config(project);
    one.bus.publish(&invalidation).await.unwrap();
    let event = Event::Invalidation(invalidation);
    assert_eq!(next(&mut here).await, event);
    assert_eq!(next(&mut there).await, event);
}

#[tokio::test]
#[ignore = "needs Redis: set TENANTRY_TEST_REDIS_URL"]
async fn deployments_with_different_prefixes_do_not_meet() {
    let one = redis_with(&format!("test-{}", uuid())).await;
    let other = redis_with(&format!("test-{}", uuid())).await;
    let (project, user, session) = (project(), UserId(uuid()), SessionId(uuid()));

    one.sessions.put(project, entry(user, session, at(1.0))).await.unwrap();
    assert_eq!(other.sessions.list(project, user).await.unwrap(), []);

    let mut there = other.bus.subscribe();
    one.bus.publish(&Invalidation::Config(project)).await.unwrap();
    other.bus.publish(&Invalidation::Project(project)).await.unwrap();
    assert_eq!(next(&mut there).await, Event::Invalidation(Invalidation::Project(project)));
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or in TENANTRY_TEST_REDIS_SERVER"]
async fn password_and_database_of_the_url_are_used() {
    let server = Server::start(&["--requirepass", "pass/word"]);
    let port = server.port();
    let first = connect(&format!("redis://:pass%2Fword@127.0.0.1:{port}/1"), "test").await;
    let same = connect(&format!("redis://default:pass%2Fword@127.0.0.1:{port}/1"), "test").await;
    let second = connect(&format!("redis://:pass%2Fword@127.0.0.1:{port}/2"), "test").await;
    let project = project();
    for (cluster, granted) in [(&first, true), (&same, false), (&second, true)] {
        let take = cluster.counters.take(project, "bucket", 1, 0.1, at(0.0)).await.unwrap();
        assert_eq!(take.granted(), granted);
    }

    for credentials in ["", ":wrong@", "nobody:pass%2Fword@"] {
        let url = Secret::new(format!("redis://{credentials}127.0.0.1:{port}"));
        let refused = Cluster::redis(&url, RedisOptions::default()).await;
        assert!(matches!(refused, Err(ConnectError::Refused(_))), "{credentials}");
    }
}

#[tokio::test]
async fn a_url_that_is_not_one_is_an_error_without_secrets() {
    for url in ["", "localhost:6379", "redis://:hunter2@localhost/words", "redis://:hunter2@localhost:port"] {
        match Cluster::redis(&Secret::new(url.to_owned()), RedisOptions::default()).await {
            Err(ConnectError::Url(reason)) => assert!(!reason.contains("hunter2"), "{reason}"),
            _ => panic!("{url:?} was taken"),
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or in TENANTRY_TEST_REDIS_SERVER"]
async fn every_key_carries_the_project_and_expires() {
    use fred::clients::Client;
    use fred::interfaces::{ClientLike, KeysInterface};
    use fred::types::config::Config;

    let server = Server::start(&[]);
    let cluster = connect(&server.url(), "tn").await;
    let (project, user) = (project(), UserId(uuid()));
    cluster.sessions.put(project, entry(user, SessionId(uuid()), at(0.0))).await.unwrap();
    cluster.counters.take(project, "bucket", 100, 0.1, at(0.0)).await.unwrap();
    cluster.counters.hit(project, "log", 100, std::time::Duration::from_secs(900), at(0.0)).await.unwrap();

    let client = Client::new(Config::from_url(&server.url()).unwrap(), None, None, None);
    let connection = client.init().await.unwrap();
    let command = fred::types::CustomCommand::new_static("KEYS", None::<u16>, false);
    let keys: Vec<String> = client.custom(command, vec!["*"]).await.unwrap();
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in keys {
        assert!(key.starts_with(&format!("tn:{project}:")), "{key}");
        let expiry: i64 = client.pttl(&key).await.unwrap();
        assert!(expiry > 0, "{key} has no expiry");
    }
    connection.abort();
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or in TENANTRY_TEST_REDIS_SERVER"]
async fn the_connections_close_with_the_last_service() {
    use fred::clients::Client;
    use fred::interfaces::ClientLike;
    use fred::types::config::Config;

    let server = Server::start(&[]);
    let client = Client::new(Config::from_url(&server.url()).unwrap(), None, None, None);
    let connection = client.init().await.unwrap();
    let connections = async || {
        let command = fred::types::CustomCommand::new_static("CLIENT", None::<u16>, false);
        let list: String = client.custom(command, vec!["LIST"]).await.unwrap();
        list.lines().count()
    };

    let Cluster { sessions, bus, counters } = connect(&server.url(), "test").await;
    drop((bus, counters));
    assert_eq!(connections().await, 3);
    drop(sessions);
    eventually(async || connections().await == 1).await;
    connection.abort();
}

#[tokio::test]
#[ignore = "needs redis-server on PATH or in TENANTRY_TEST_REDIS_SERVER"]
async fn a_forgotten_project_has_no_key_left() {
    let server = Server::start(&[]);
    let cluster = connect(&format!("redis://127.0.0.1:{}/0", server.port()), "test").await;
    let (project, user) = (project(), UserId(uuid()));
    let window = std::time::Duration::from_secs(60);
    cluster.counters.take(project, "bucket", 3, 0.1, at(0.0)).await.unwrap();
    cluster.counters.hit(project, "log", 3, window, at(0.0)).await.unwrap();
    cluster.sessions.put(project, entry(user, SessionId(uuid()), at(1.0))).await.unwrap();
    assert_eq!(server.keys(), 4, "one of each kind, and their list");
    cluster.forget(project).await.unwrap();
    assert_eq!(server.keys(), 0);
}
