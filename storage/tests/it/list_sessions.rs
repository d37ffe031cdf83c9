use chrono::TimeDelta;
use domain::ids::{SessionId, UserId};
use domain::session::{Aal, Live, SessionLimits};
use storage::{ListSessions, TenantStore};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    a_page_has_the_newest_use_first_and_the_total
    what_is_over_is_not_listed
    sessions_used_later_are_picked
    the_oldest_go_beyond_a_number
    what_is_over_goes_first
    sign_ins_at_once_leave_the_number
    user_agents_come_once
}

fn hours(hours: i64) -> Option<TimeDelta> {
    TimeDelta::try_hours(hours)
}

fn live(now: i64) -> Live {
    Live::at(t(now), Aal::Aal2, &SessionLimits::default())
}

fn page(user: UserId, live: Live, limit: u64, offset: u64) -> ListSessions {
    ListSessions { user, live, used_after: None, limit, offset }
}

async fn listed(store: &TenantStore, list: ListSessions) -> (Vec<SessionId>, u64) {
    let before = store.database().statements();
    let (sessions, total) = store.list_sessions(&list).await.unwrap();
    assert_eq!(store.database().statements() - before, 1);
    (sessions.into_iter().map(|session| session.id).collect(), total)
}

async fn a_page_has_the_newest_use_first_and_the_total(f: Fixture) {
    let store = f.tenant();
    let (user, first) = f.signed_in(&store, "ada@example.com").await;
    let mut expected = vec![first];
    for hour in 2..=5 {
        expected.insert(0, f.open(&store, user, t(hour)).await);
    }
    f.signed_in(&store, "bob@example.com").await;
    let mut tx = store.begin().await.unwrap();
    tx.sessions().touch_refreshed(first, None, None, t(6)).await.unwrap();
    tx.commit().await.unwrap();
    expected.rotate_right(1);
    for (limit, offset) in [(9, 0), (2, 0), (2, 2), (2, 4), (2, 6), (0, 0), (u64::MAX, 1)] {
        let from = usize::try_from(offset).unwrap().min(5);
        let until = from.saturating_add(usize::try_from(limit).unwrap()).min(5);
        let found = listed(&store, page(user, live(9), limit, offset)).await;
        assert_eq!(found, (expected[from..until].to_vec(), 5), "{limit} {offset}");
    }
    assert_eq!(listed(&store, page(UserId(f.id()), live(9), 9, 0)).await, (vec![], 0));
    let (sessions, _) = store.list_sessions(&page(user, live(9), 1, 0)).await.unwrap();
    assert_eq!(Some(sessions[0].clone()), f.read(&store, user, first).await.session);
}

async fn what_is_over_is_not_listed(f: Fixture) {
    let store = f.tenant();
    let (user, plain) = f.signed_in(&store, "ada@example.com").await;
    let (used, raised, ended) =
        (f.open(&store, user, t(1)).await, f.open(&store, user, t(1)).await, f.open(&store, user, t(1)).await);
    let adopted = f.open(&store, user, t(1)).await;
    let mut tx = store.begin().await.unwrap();
    tx.sessions().touch_refreshed(used, None, None, t(4)).await.unwrap();
    tx.sessions().raise(raised, None, "totp", f.id(), 2, t(2)).await.unwrap();
    tx.commit().await.unwrap();
    let end = t(6).utc().format("%Y-%m-%dT%H:%M:%S%.6fZ");
    f.write(&format!("update auth.sessions set not_after = '{end}' where id = {}", f.literal(ended.0))).await;
    f.write(&format!("update auth.sessions set aal = null where id = {}", f.literal(adopted.0))).await;
    let all = [plain, used, raised, ended, adopted];

    let limits = [
        SessionLimits::default(),
        SessionLimits { timebox: hours(5), ..SessionLimits::default() },
        SessionLimits { inactivity: hours(5), ..SessionLimits::default() },
        SessionLimits { low_aal: hours(5), ..SessionLimits::default() },
    ];
    let mut counts = Vec::new();
    for limits in limits {
        for best in [Aal::Aal1, Aal::Aal2] {
            for now in [t(6), t(6).plus(TimeDelta::microseconds(1))] {
                let live = Live::at(now, best, &limits);
                let mut expected = Vec::new();
                for session in all {
                    let session = f.read(&store, user, session).await.session.unwrap();
                    expected.extend(live.contains(&session).then_some(session.id));
                }
                expected.sort();
                let (mut found, total) = listed(&store, page(user, live, 9, 0)).await;
                found.sort();
                assert_eq!((found, total), (expected.clone(), expected.len() as u64), "{limits:?} {best:?} {now:?}");
                counts.push(total);
            }
        }
    }
    assert_eq!(counts, [5, 4, 5, 4, 5, 0, 5, 0, 5, 1, 5, 1, 5, 4, 5, 1]);
}

async fn sessions_used_later_are_picked(f: Fixture) {
    let store = f.tenant();
    let (user, _) = f.signed_in(&store, "ada@example.com").await;
    let (opened, used) = (f.open(&store, user, t(3)).await, f.open(&store, user, t(1)).await);
    let mut tx = store.begin().await.unwrap();
    tx.sessions().touch_refreshed(used, None, None, t(4)).await.unwrap();
    tx.commit().await.unwrap();
    let after = |hour| ListSessions { used_after: Some(t(hour)), ..page(user, live(9), 9, 0) };
    assert_eq!(listed(&store, after(2)).await, (vec![used, opened], 2));
    assert_eq!(listed(&store, after(3)).await, (vec![used], 1), "strictly later");
    assert_eq!(listed(&store, after(4)).await, (vec![], 0));
}

async fn the_oldest_go_beyond_a_number(f: Fixture) {
    let store = f.tenant();
    let (user, first) = f.signed_in(&store, "ada@example.com").await;
    let (_, bobs) = f.signed_in(&store, "bob@example.com").await;
    let (second, third) = (f.open(&store, user, t(2)).await, f.open(&store, user, t(3)).await);
    let (fourth, keep) = (f.open(&store, user, t(4)).await, f.open(&store, user, t(0)).await);
    let mut tx = store.begin().await.unwrap();
    tx.sessions().touch_refreshed(first, None, None, t(5)).await.unwrap();
    let mut sessions = tx.sessions();
    assert_eq!(sessions.delete_beyond(user, keep, 9, &live(6)).await.unwrap(), []);
    assert_eq!(sessions.delete_beyond(user, keep, 5, &live(6)).await.unwrap(), []);
    assert_eq!(sessions.delete_beyond(user, keep, 4, &live(6)).await.unwrap(), [second]);
    let mut gone = sessions.delete_beyond(user, keep, 2, &live(6)).await.unwrap();
    gone.sort();
    let mut expected = [third, fourth];
    expected.sort();
    assert_eq!(gone, expected);
    assert_eq!(sessions.delete_beyond(user, keep, 1, &live(6)).await.unwrap(), [first]);
    assert_eq!(sessions.delete_beyond(user, keep, 0, &live(6)).await.unwrap(), []);
    tx.commit().await.unwrap();
    assert_eq!(listed(&store, page(user, live(9), 9, 0)).await, (vec![keep], 1));
    assert!(store.read_session(bobs).await.unwrap().is_some());
}

async fn what_is_over_goes_first(f: Fixture) {
    let store = f.tenant();
    let (user, old) = f.signed_in(&store, "ada@example.com").await;
    let (young, keep) = (f.open(&store, user, t(5)).await, f.open(&store, user, t(6)).await);
    let limits = SessionLimits { timebox: hours(2), ..SessionLimits::default() };
    let mut tx = store.begin().await.unwrap();
    let live = Live::at(t(6), Aal::Aal1, &limits);
    assert_eq!(tx.sessions().delete_beyond(user, keep, 3, &live).await.unwrap(), [old]);
    let live = Live::at(t(9), Aal::Aal1, &limits);
    assert_eq!(tx.sessions().delete_beyond(user, keep, 3, &live).await.unwrap(), [young]);
}

async fn sign_ins_at_once_leave_the_number(f: Fixture) {
    let store = f.tenant();
    let (user, _) = f.signed_in(&store, "ada@example.com").await;
    let mut racing = JoinSet::new();
    for n in 0..24 {
        let (f, store) = (f.clone(), store.clone());
        racing.spawn(async move {
            let session = f.new_session(user);
            let keep = session.id;
            let now = t(10 + n);
            let open = storage::OpenSession { session, verified_hash: None, upgraded_hash: None, audit: None, now };
            let mut tx = store.begin().await.unwrap();
            tx.open_session(open).await.unwrap().unwrap();
            tx.sessions().delete_beyond(user, keep, 3, &live(10 + n)).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
    racing.join_all().await;
    assert_eq!(f.count("auth.sessions").await, 3);
}

async fn user_agents_come_once(f: Fixture) {
    let store = f.tenant();
    let (user, current) = f.signed_in(&store, "ada@example.com").await;
    f.open(&store, user, t(2)).await;
    f.open(&store, user, t(3)).await;
    let without = f.open(&store, user, t(4)).await;
    let mut tx = store.begin().await.unwrap();
    tx.sessions().touch_refreshed(current, Some("another"), None, t(5)).await.unwrap();
    tx.sessions().touch_refreshed(without, None, None, t(5)).await.unwrap();
    let mut agents = tx.sessions().user_agents(user, current, 9).await.unwrap();
    agents.sort();
    assert_eq!(agents, [None, Some("agent".to_owned())]);
    assert_eq!(tx.sessions().user_agents(user, current, 1).await.unwrap().len(), 1);
}
