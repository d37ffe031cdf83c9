//! What both implementations promise. Each test has projects of its own and says what time it is.

use std::time::Duration;

use chrono::TimeDelta;
use cluster::sessions::{IDLE_LIFETIME, MAX_PER_USER};
use cluster::{Cluster, Event, Hit, Invalidation, SessionEntry, Take};
use domain::ids::{SessionId, UserId};
use uuid::Uuid;

use crate::support::{at, entry, next, project, uuid};

macro_rules! contract {
    ($($name:ident)+) => {
        mod in_process {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(cluster::Cluster::in_process()).await;
                }
            )+
        }

        mod kept {
            $(
                #[tokio::test]
                async fn $name() {
                    let folder = tempfile::tempdir().unwrap();
                    let cluster = cluster::Cluster::in_process_kept(&folder.path().join("counters")).unwrap();
                    super::$name(cluster).await;
                }
            )+
        }

        mod redis {
            $(
                #[tokio::test]
                #[ignore = "needs Redis: set TENANTRY_TEST_REDIS_URL"]
                async fn $name() {
                    super::$name(crate::support::two_gateways().await).await;
                }
            )+
        }
    };
}

contract! {
    sessions_are_listed_newest_use_first
    a_put_replaces_the_entry
    touching_moves_the_last_use_forward_only
    an_unknown_session_cannot_be_touched
    removed_sessions_are_gone_and_others_stay
    removing_a_user_leaves_other_users_and_projects
    entries_expire_a_lifetime_before_the_newest_use
    the_least_recently_used_sessions_make_room
    a_bucket_starts_full_and_refills
    a_refused_take_takes_nothing
    buckets_are_separate_by_project_and_name
    concurrent_takes_never_exceed_the_capacity
    hits_are_refused_at_the_limit_until_the_oldest_leaves
    a_cleared_log_starts_again
    logs_and_buckets_of_one_name_are_separate
    concurrent_hits_never_exceed_the_limit
    counting_the_events_of_a_log_adds_none
    nothing_is_left_of_a_project_that_is_forgotten
    random_sequences_follow_the_model
    publications_reach_every_subscriber
    a_slow_subscriber_is_told_to_read_everything_again
}

fn session() -> SessionId {
    SessionId(uuid())
}

fn user() -> UserId {
    UserId(uuid())
}

async fn sessions_are_listed_newest_use_first(cluster: Cluster) {
    let (project, user) = (project(), user());
    let entries: Vec<SessionEntry> = [2.0, 3.0, 1.0].map(|second| entry(user, session(), at(second))).into();
    for entry in &entries {
        cluster.sessions.put(project, entry.clone()).await.unwrap();
    }
    let listed = cluster.sessions.list(project, user).await.unwrap();
    assert_eq!(listed, [entries[1].clone(), entries[0].clone(), entries[2].clone()]);
}

async fn a_put_replaces_the_entry(cluster: Cluster) {
    let (project, user, session) = (project(), user(), session());
    cluster.sessions.put(project, entry(user, session, at(1.0))).await.unwrap();
    let replacement = SessionEntry { ip: None, user_agent: None, ..entry(user, session, at(2.5)) };
    cluster.sessions.put(project, replacement.clone()).await.unwrap();
    assert_eq!(cluster.sessions.list(project, user).await.unwrap(), [replacement]);
}

async fn touching_moves_the_last_use_forward_only(cluster: Cluster) {
    let (project, user, session) = (project(), user(), session());
    cluster.sessions.put(project, entry(user, session, at(1.0))).await.unwrap();
    let later = at(7.123_456);
    assert!(cluster.sessions.touch(project, user, session, later).await.unwrap());
    assert!(cluster.sessions.touch(project, user, session, at(3.0)).await.unwrap());
    assert_eq!(cluster.sessions.list(project, user).await.unwrap(), [entry(user, session, later)]);
}

async fn an_unknown_session_cannot_be_touched(cluster: Cluster) {
    let (project, user) = (project(), user());
    assert!(!cluster.sessions.touch(project, user, session(), at(1.0)).await.unwrap());
    cluster.sessions.put(project, entry(user, session(), at(1.0))).await.unwrap();
    assert!(!cluster.sessions.touch(project, user, session(), at(1.0)).await.unwrap());
    assert_eq!(cluster.sessions.list(project, user).await.unwrap().len(), 1);
}

async fn removed_sessions_are_gone_and_others_stay(cluster: Cluster) {
    let (project, user) = (project(), user());
    let [first, second, third] = [session(), session(), session()];
    for session in [first, second, third] {
        cluster.sessions.put(project, entry(user, session, at(1.0))).await.unwrap();
    }
    cluster.sessions.remove(project, user, &[]).await.unwrap();
    cluster.sessions.remove(project, user, &[first, third, session()]).await.unwrap();
    assert_eq!(cluster.sessions.list(project, user).await.unwrap(), [entry(user, second, at(1.0))]);
    cluster.sessions.remove(project, user, &[second]).await.unwrap();
    assert_eq!(cluster.sessions.list(project, user).await.unwrap(), []);
}

async fn removing_a_user_leaves_other_users_and_projects(cluster: Cluster) {
    let (here, there, user, other, session) = (project(), project(), user(), user(), session());
    for (project, user) in [(here, user), (here, other), (there, user)] {
        cluster.sessions.put(project, entry(user, session, at(1.0))).await.unwrap();
    }
    cluster.sessions.remove_user(here, user).await.unwrap();
    assert_eq!(cluster.sessions.list(here, user).await.unwrap(), []);
    assert_eq!(cluster.sessions.list(here, other).await.unwrap().len(), 1);
    assert_eq!(cluster.sessions.list(there, user).await.unwrap().len(), 1);
}

async fn entries_expire_a_lifetime_before_the_newest_use(cluster: Cluster) {
    let (project, user) = (project(), user());
    let (old, new) = (session(), session());
    cluster.sessions.put(project, entry(user, old, at(0.0))).await.unwrap();
    let lifetime = TimeDelta::from_std(IDLE_LIFETIME).unwrap();
    let almost = at(0.0).plus(lifetime - TimeDelta::microseconds(1));
    cluster.sessions.put(project, entry(user, new, almost)).await.unwrap();
    assert_eq!(cluster.sessions.list(project, user).await.unwrap().len(), 2);
    cluster.sessions.touch(project, user, new, at(0.0).plus(lifetime)).await.unwrap();
    let listed = cluster.sessions.list(project, user).await.unwrap();
    assert_eq!(listed, [entry(user, new, at(0.0).plus(lifetime))]);
}

async fn the_least_recently_used_sessions_make_room(cluster: Cluster) {
    let (project, user) = (project(), user());
    let sessions: Vec<SessionId> =
        (0..=MAX_PER_USER as u128).map(|number| SessionId(Uuid::from_u128(number))).collect();
    for (second, session) in sessions.iter().enumerate() {
        cluster.sessions.put(project, entry(user, *session, at(second as f64))).await.unwrap();
    }
    let listed: Vec<SessionId> =
        cluster.sessions.list(project, user).await.unwrap().into_iter().map(|entry| entry.session).collect();
    let newest: Vec<SessionId> = sessions.iter().rev().take(listed.len()).copied().collect();
    assert_eq!(listed, newest);
    assert_eq!(listed.len(), MAX_PER_USER - MAX_PER_USER / 8);
}

async fn a_bucket_starts_full_and_refills(cluster: Cluster) {
    let project = project();
    let take = async |second: f64| cluster.counters.take(project, "token", 3, 0.5, at(second)).await.unwrap();
    for remaining in [2, 1, 0] {
        assert_eq!(take(0.0).await, Take::Granted { remaining });
    }
    assert_eq!(take(0.5).await, Take::Refused { retry_after: Duration::from_millis(1_500) });
    assert_eq!(take(2.0).await, Take::Granted { remaining: 0 });
    assert_eq!(take(2.0).await, Take::Refused { retry_after: Duration::from_secs(2) });
    assert_eq!(take(1_000.0).await, Take::Granted { remaining: 2 });
}

async fn a_refused_take_takes_nothing(cluster: Cluster) {
    let project = project();
    let take = async |second: f64| cluster.counters.take(project, "token", 1, 0.1, at(second)).await.unwrap();
    assert!(take(0.0).await.granted());
    for tenth in 1..100 {
        assert!(!take(f64::from(tenth) / 10.0).await.granted());
    }
    assert!(take(10.0).await.granted());
}

async fn buckets_are_separate_by_project_and_name(cluster: Cluster) {
    let (here, there) = (project(), project());
    for (project, bucket) in [(here, "a"), (here, "b"), (there, "a")] {
        assert!(cluster.counters.take(project, bucket, 1, 0.1, at(0.0)).await.unwrap().granted());
        assert!(!cluster.counters.take(project, bucket, 1, 0.1, at(0.0)).await.unwrap().granted());
    }
    assert!(!cluster.counters.take(here, "none", 0, 100.0, at(0.0)).await.unwrap().granted());
}

async fn concurrent_takes_never_exceed_the_capacity(cluster: Cluster) {
    let project = project();
    let takes = (0..50).map(|_| {
        let counters = cluster.counters.clone();
        tokio::spawn(async move { counters.take(project, "burst", 20, 0.01, at(0.0)).await.unwrap().granted() })
    });
    assert_eq!(count(takes.collect()).await, 20);
}

async fn hits_are_refused_at_the_limit_until_the_oldest_leaves(cluster: Cluster) {
    let project = project();
    let window = Duration::from_secs(900);
    let hit =
        async |second: f64| cluster.counters.hit(project, "ada@example.com", 2, window, at(second)).await.unwrap();
    assert_eq!(hit(0.0).await, Hit::Counted { count: 1 });
    assert_eq!(hit(100.0).await, Hit::Counted { count: 2 });
    assert_eq!(hit(200.0).await, Hit::Refused { retry_after: Duration::from_secs(700) });
    assert_eq!(hit(899.999_999).await, Hit::Refused { retry_after: Duration::from_micros(1) });
    assert_eq!(hit(900.0).await, Hit::Counted { count: 2 });
    assert_eq!(hit(900.0).await, Hit::Refused { retry_after: Duration::from_secs(100) });
}

async fn a_cleared_log_starts_again(cluster: Cluster) {
    let (here, there) = (project(), project());
    let window = Duration::from_secs(60);
    for project in [here, there] {
        assert!(cluster.counters.hit(project, "key", 1, window, at(0.0)).await.unwrap().counted());
    }
    cluster.counters.clear(here, "key").await.unwrap();
    assert_eq!(cluster.counters.hit(here, "key", 1, window, at(1.0)).await.unwrap(), Hit::Counted { count: 1 });
    assert!(!cluster.counters.hit(there, "key", 1, window, at(1.0)).await.unwrap().counted());
    cluster.counters.clear(here, "never seen").await.unwrap();
}

async fn logs_and_buckets_of_one_name_are_separate(cluster: Cluster) {
    let project = project();
    let window = Duration::from_secs(60);
    assert!(cluster.counters.take(project, "key", 1, 0.1, at(0.0)).await.unwrap().granted());
    assert!(cluster.counters.hit(project, "key", 1, window, at(0.0)).await.unwrap().counted());
    cluster.counters.clear(project, "key").await.unwrap();
    assert!(!cluster.counters.take(project, "key", 1, 0.1, at(0.0)).await.unwrap().granted());
    assert!(cluster.counters.hit(project, "key", 1, window, at(0.0)).await.unwrap().counted());
}

async fn counting_the_events_of_a_log_adds_none(cluster: Cluster) {
    let (project, window) = (project(), Duration::from_secs(60));
    let count = async |second| cluster.counters.count(project, "key", window, at(second)).await.unwrap();
    assert_eq!(count(0.0).await, 0);
    for second in [0.0, 10.0, 20.0] {
        assert!(cluster.counters.hit(project, "key", 5, window, at(second)).await.unwrap().counted());
    }
    assert_eq!((count(20.0).await, count(20.0).await), (3, 3));
    assert_eq!(count(60.0).await, 2, "the first one has left the window");
}

async fn nothing_is_left_of_a_project_that_is_forgotten(cluster: Cluster) {
    let (here, there, user, window) = (project(), project(), user(), Duration::from_secs(60));
    for project in [here, there] {
        for number in 0..600 {
            cluster.counters.hit(project, &format!("log {number}"), 1, window, at(0.0)).await.unwrap();
        }
        assert!(cluster.counters.take(project, "bucket", 1, 0.1, at(0.0)).await.unwrap().granted());
        cluster.sessions.put(project, entry(user, session(), at(1.0))).await.unwrap();
    }
    cluster.forget(here).await.unwrap();
    cluster.forget(project()).await.unwrap();
    for (project, left) in [(here, false), (there, true)] {
        for number in [0, 599] {
            let counted = cluster.counters.count(project, &format!("log {number}"), window, at(1.0)).await.unwrap();
            assert_eq!(counted, u32::from(left));
        }
        assert_eq!(cluster.counters.take(project, "bucket", 1, 0.1, at(0.0)).await.unwrap().granted(), !left);
        assert_eq!(cluster.sessions.list(project, user).await.unwrap().len(), usize::from(left));
    }
}

async fn concurrent_hits_never_exceed_the_limit(cluster: Cluster) {
    let project = project();
    let hits = (0..50).map(|_| {
        let counters = cluster.counters.clone();
        let window = Duration::from_secs(3_600);
        tokio::spawn(async move { counters.hit(project, "burst", 7, window, at(0.0)).await.unwrap().counted() })
    });
    assert_eq!(count(hits.collect()).await, 7);
}

async fn count(tasks: Vec<tokio::task::JoinHandle<bool>>) -> usize {
    let mut granted = 0;
    for task in tasks {
        granted += usize::from(task.await.unwrap());
    }
    granted
}

/// A bucket and a log by their definitions, without any of the implementation's arithmetic.
struct Model {
    tokens: f64,
    filled_at: f64,
    events: Vec<f64>,
}

async fn random_sequences_follow_the_model(cluster: Cluster) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for _ in 0..20 {
        let project = project();
        let (capacity, refill) = (1 + draw(6), [0.25, 0.5, 1.0, 2.0][draw(4) as usize]);
        let (limit, window) = (1 + draw(6), 1 + draw(20));
        let mut model = Model { tokens: capacity as f64, filled_at: 0.0, events: Vec::new() };
        let mut now = 0.0;
        for step in 0..50 {
            now += draw(9) as f64 / 4.0;
            model.tokens = (model.tokens + (now - model.filled_at) * refill).min(capacity as f64);
            model.filled_at = now;
            let granted = model.tokens >= 1.0;
            model.tokens -= f64::from(u8::from(granted));
            let take = cluster.counters.take(project, "bucket", capacity as u32, refill, at(now)).await.unwrap();
            assert_eq!(take.granted(), granted, "take {step} at {now}: {capacity} tokens, {refill}/s");

            model.events.retain(|event| now - event < window as f64);
            let counted = model.events.len() < limit as usize;
            if counted {
                model.events.push(now);
            }
            let span = Duration::from_secs(window);
            let hit = cluster.counters.hit(project, "log", limit as u32, span, at(now)).await.unwrap();
            assert_eq!(hit.counted(), counted, "hit {step} at {now}: {limit} in {window} s");
        }
    }
}

async fn publications_reach_every_subscriber(cluster: Cluster) {
    let mut subscribers = [cluster.bus.subscribe(), cluster.bus.subscribe()];
    let project = project();
    let published = [
        Invalidation::Config(project),
        Invalidation::Sessions { project, user: user(), sessions: vec![session(), session()] },
        Invalidation::Project(project),
    ];
    for invalidation in &published {
        cluster.bus.publish(invalidation).await.unwrap();
    }
    for events in &mut subscribers {
        for invalidation in &published {
            assert_eq!(next(events).await, Event::Invalidation(invalidation.clone()));
        }
    }
    assert!(cluster.bus.healthy());
}

async fn a_slow_subscriber_is_told_to_read_everything_again(cluster: Cluster) {
    let mut slow = cluster.bus.subscribe();
    let mut prompt = cluster.bus.subscribe();
    let invalidation = Invalidation::Config(project());
    let event = Event::Invalidation(invalidation.clone());
    for _ in 0..2_000 {
        cluster.bus.publish(&invalidation).await.unwrap();
        assert_eq!(next(&mut prompt).await, event);
    }
    assert_eq!(next(&mut slow).await, Event::Resync);
    assert_eq!(next(&mut slow).await, event);
}
