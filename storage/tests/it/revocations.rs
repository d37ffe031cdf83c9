use std::time::Duration;

use chrono::TimeDelta;
use domain::ids::{SessionId, UserId};
use storage::{EndSessions, ProjectSweep, Revocations, Swept, TenantStore, Which};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, t};

on_both! {
    every_end_of_a_session_is_told
    ends_are_read_after_a_cursor
    projects_have_numbers_of_their_own
    no_end_is_missed_whoever_reads_when
    the_last_end_stays_and_tells_what_was_swept
    a_sweep_takes_a_little_at_a_time
}

async fn read(store: &TenantStore, after: i64) -> Revocations {
    store.read_revocations(Some(after), 1000).await.unwrap()
}

/// What ended after a cursor, by session.
async fn ended(store: &TenantStore, after: i64) -> Vec<(SessionId, UserId)> {
    let rows = read(store, after).await.rows;
    let mut ended: Vec<_> = rows.into_iter().map(|(_, end)| (end.session, end.user)).collect();
    ended.sort();
    ended
}

async fn end(store: &TenantStore, user: UserId, which: Which) {
    let end = EndSessions { user, bearer_session: None, which, audit: None, now: t(9) };
    store.end_sessions(end).await.unwrap();
}

async fn every_end_of_a_session_is_told(f: Fixture) {
    let store = f.tenant();
    let (user, first) = f.signed_in(&store, "ada@example.com").await;
    assert_eq!(read(&store, 0).await, Revocations::default());
    let (second, third) = (f.open(&store, user, t(2)).await, f.open(&store, user, t(3)).await);
    end(&store, user, Which::One(second)).await;
    assert_eq!(ended(&store, 0).await, [(second, user)]);
    end(&store, user, Which::One(second)).await;
    end(&store, user, Which::Others(first)).await;
    assert_eq!(ended(&store, 1).await, [(third, user)]);

    // What goes with its user, by ones and by the dozen, in one statement and past the crate.
    let mut tx = store.begin().await.unwrap();
    assert!(tx.users().delete(user).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(ended(&store, 2).await, [(first, user)]);
    let mut expected = Vec::new();
    for n in 0..3 {
        let (user, session) = f.signed_in(&store, &format!("{n}@example.com")).await;
        expected.extend([(session, user), (f.open(&store, user, t(4)).await, user)]);
    }
    expected.sort();
    f.write("delete from auth.users").await;
    assert_eq!(ended(&store, 3).await, expected);

    // What is rolled back did not happen.
    let (user, session) = f.signed_in(&store, "eve@example.com").await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.sessions().delete_all(user).await.unwrap(), [session]);
    drop(tx);
    // Waits for the end of that transaction.
    let mut tx = store.begin().await.unwrap();
    assert!(tx.sessions().lock(session).await.unwrap().is_some());
    tx.commit().await.unwrap();
    assert_eq!(ended(&store, 9).await, []);
    let sweep = ProjectSweep { sessions_begun: Some(t(5)), limit: 9, ..ProjectSweep::default() };
    assert_eq!(store.sweep(sweep).await.unwrap().sessions, 1);
    assert_eq!(ended(&store, 9).await, [(session, user)]);
}

async fn ends_are_read_after_a_cursor(f: Fixture) {
    let store = f.tenant();
    let (user, _) = f.signed_in(&store, "ada@example.com").await;
    for _ in 0..5 {
        let session = f.open(&store, user, t(2)).await;
        end(&store, user, Which::One(session)).await;
    }
    let now = store.read_revocations(None, 2).await.unwrap();
    assert_eq!(now, Revocations { rows: vec![], newest: 5, swept: 0 });
    let all = read(&store, 0).await;
    assert_eq!((all.newest, all.swept), (5, 0));
    assert_eq!(all.rows.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let page = store.read_revocations(Some(1), 2).await.unwrap();
    assert_eq!((page.rows, page.newest), (all.rows[1..3].to_vec(), 5));
    for beyond in [5, 6, i64::MAX] {
        assert_eq!(read(&store, beyond).await, Revocations { rows: vec![], newest: 5, swept: 0 });
    }
    assert_eq!(read(&store, i64::MIN).await.rows, all.rows);
    // Nothing new: nothing is written, one statement.
    let before = store.database().statements();
    read(&store, 5).await;
    assert_eq!(store.database().statements() - before, 1);
}

async fn projects_have_numbers_of_their_own(f: Fixture) {
    let (one, other) = (f.tenant(), f.tenant());
    for store in [&one, &other, &one] {
        let (user, _) = f.signed_in(store, &format!("{}@example.com", f.id())).await;
        end(store, user, Which::All).await;
    }
    assert_eq!(one.read_revocations(None, 1).await.unwrap().newest, 2);
    assert_eq!(other.read_revocations(None, 1).await.unwrap().newest, 1);
    assert_eq!((read(&one, 0).await.rows.len(), read(&other, 0).await.rows.len()), (2, 1));
}

async fn no_end_is_missed_whoever_reads_when(f: Fixture) {
    const WRITERS: usize = 8;
    const EACH: usize = 15;
    let store = f.tenant();
    let (user, _) = f.signed_in(&store, "ada@example.com").await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (f, store) = (f.clone(), store.clone());
        writers.spawn(async move {
            for _ in 0..EACH {
                let session = f.open(&store, user, t(2)).await;
                end(&store, user, Which::One(session)).await;
            }
        });
    }
    let mut readers = JoinSet::new();
    for n in 0..3 {
        let store = store.clone();
        readers.spawn(async move {
            let (mut cursor, mut seen) = (0, Vec::new());
            while seen.len() < WRITERS * EACH {
                let page = store.read_revocations(Some(cursor), 7 + n).await.unwrap();
                assert_eq!(page.swept, 0);
                for (seq, revocation) in page.rows {
                    assert_eq!(seq, cursor + 1, "no gap, nothing twice");
                    cursor = seq;
                    seen.push(revocation.session);
                }
                tokio::task::yield_now().await;
            }
            seen
        });
    }
    writers.join_all().await;
    let seen = tokio::time::timeout(Duration::from_secs(60), readers.join_all()).await.unwrap();
    assert!(seen.windows(2).all(|two| two[0] == two[1]), "all readers see the same order");
    let mut sessions = seen[0].clone();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), WRITERS * EACH);
}

/// Makes the first so many ends a day older.
async fn age(f: &Fixture, until: i64) {
    let a_day_ago =
        if f.is_postgres() { "at - interval '1 day'" } else { "strftime('%Y-%m-%dT%H:%M:%f000Z', at, '-1 day')" };
    f.write(&format!("update auth.session_revocations set at = {a_day_ago} where seq <= {until}")).await;
}

/// An instant between the ends that were made older and the others.
async fn an_hour_ago(store: &TenantStore) -> domain::time::Timestamp {
    let newest = read(store, 0).await.rows.last().unwrap().1.at;
    newest.plus(TimeDelta::hours(-1))
}

async fn some_ends(f: &Fixture, store: &TenantStore, user: UserId, number: usize) {
    for _ in 0..number {
        f.open(store, user, t(2)).await;
    }
    end(store, user, Which::All).await;
}

async fn the_last_end_stays_and_tells_what_was_swept(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    some_ends(&f, &store, user, 6).await;
    let sweep = async |before| {
        let sweep = ProjectSweep { revocations: Some(before), limit: 100, ..ProjectSweep::default() };
        store.sweep(sweep).await.unwrap().revocations
    };
    let hour = an_hour_ago(&store).await;
    assert_eq!(sweep(hour).await, 0);
    age(&f, 1).await;
    assert_eq!(sweep(hour).await, 0, "the newest of those that are over stays");
    age(&f, 4).await;
    assert_eq!(sweep(hour).await, 3);
    let left = read(&store, 0).await;
    assert_eq!((left.newest, left.swept), (6, 3));
    assert_eq!(left.rows.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [4, 5, 6]);
    assert_eq!(sweep(hour).await, 0);
    age(&f, 6).await;
    assert_eq!(sweep(hour).await, 2);
    let left = read(&store, 6).await;
    assert_eq!((left.rows.len(), left.newest, left.swept), (0, 6, 5));
    some_ends(&f, &store, user, 1).await;
    assert_eq!(read(&store, 6).await.rows[0].0, 7, "no number comes twice");

    // Nobody read them before they went.
    let unread = f.tenant();
    let eve = f.user(&unread, "eve@example.com").await;
    some_ends(&f, &unread, eve, 3).await;
    let all = ProjectSweep { revocations: Some(hour.plus(TimeDelta::hours(9))), limit: 100, ..ProjectSweep::default() };
    assert_eq!(unread.sweep(all).await.unwrap(), Swept { revocations: 2, ..Swept::default() });
    let left = read(&unread, 0).await;
    assert_eq!((left.rows.len(), left.newest, left.swept), (1, 3, 2));
    assert_eq!(read(&store, 0).await.newest, 7, "the neighbour's stay");
}

async fn a_sweep_takes_a_little_at_a_time(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    some_ends(&f, &store, user, 8).await;
    let after = an_hour_ago(&store).await.plus(TimeDelta::hours(9));
    let sweep = ProjectSweep { revocations: Some(after), limit: 3, ..ProjectSweep::default() };
    for (gone, swept) in [(3, 3), (3, 6), (1, 7), (0, 7)] {
        assert_eq!(store.sweep(sweep).await.unwrap().revocations, gone);
        assert_eq!(read(&store, 8).await.swept, swept);
    }
}

/// A transaction that ends a session first and commits last delays nobody and is not missed.
#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn an_end_that_is_committed_late_is_read_late() {
    crate::fixture::on_postgres(late).await;
}

async fn late(f: Fixture) {
    let store = f.tenant();
    let (ada, adas) = f.signed_in(&store, "ada@example.com").await;
    let (bob, bobs) = f.signed_in(&store, "bob@example.com").await;
    let (eve, eves) = f.signed_in(&store, "eve@example.com").await;
    let mut first = store.begin().await.unwrap();
    assert!(first.sessions().delete(adas).await.unwrap());
    let mut second = store.begin().await.unwrap();
    assert!(second.sessions().delete(bobs).await.unwrap());
    assert_eq!(ended(&store, 0).await, []);
    end(&store, eve, Which::All).await;
    assert_eq!(ended(&store, 0).await, [(eves, eve)]);
    second.commit().await.unwrap();
    assert_eq!(ended(&store, 1).await, [(bobs, bob)]);
    first.commit().await.unwrap();
    assert_eq!(ended(&store, 2).await, [(adas, ada)]);
    assert_eq!(read(&store, 0).await.newest, 3);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_table_that_is_emptied_at_once_is_told_too() {
    crate::fixture::on_postgres(emptied).await;
}

async fn emptied(f: Fixture) {
    let store = f.tenant();
    let (user, session) = f.signed_in(&store, "ada@example.com").await;
    f.write("truncate auth.users cascade").await;
    assert_eq!(ended(&store, 0).await, [(session, user)]);
}
