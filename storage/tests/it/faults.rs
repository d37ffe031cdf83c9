//! A database that goes away, comes back, or is busy.

use std::time::{Duration, Instant};

use domain::contact::Contact;
use domain::ids::SessionId;
use sqlx::{Connection as _, Executor as _, PgConnection};
use storage::{EndSessions, OpenSession, Placement, RotateSession, SignUp, StoreError, TenantStore, Which};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, on_postgres, on_sqlite, t};

fn rotation(session: SessionId) -> RotateSession {
    RotateSession {
        session,
        expected_counter: 0,
        next_counter: 1,
        user_agent: None,
        ip: None,
        audit: vec![],
        now: t(2),
    }
}

/// Cuts every connection but its own, as a restarting server does.
async fn cut_connections(f: &Fixture) {
    let Placement::Postgres { url, .. } = &f.placement else { panic!("not on PostgreSQL") };
    let mut scissors = PgConnection::connect(url.expose()).await.unwrap();
    let cut = "select pg_terminate_backend(pid, 5000) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";
    scissors.execute(cut).await.unwrap();
    scissors.close().await.unwrap();
}

/// Fills the pool with connections, all of which are then cut.
async fn fill_and_cut(f: &Fixture, store: &TenantStore) {
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(store.begin().await.unwrap());
    }
    for mut tx in open {
        tx.users().find_by_email("nobody@example.com").await.unwrap();
        tx.commit().await.unwrap();
    }
    cut_connections(f).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn cut_connections_are_replaced_without_a_failed_request() {
    on_postgres(|f: Fixture| async move {
        let store = f.tenant();
        let (user, session) = f.signed_in(&store, "ada@example.com").await;
        fill_and_cut(&f, &store).await;
        assert!(store.read_user(user, Some(session)).await.unwrap().is_some());
        fill_and_cut(&f, &store).await;
        assert!(store.rotate_session(rotation(session)).await.unwrap().is_some());
        fill_and_cut(&f, &store).await;
        let contact = Contact::Email("ada@example.com".to_owned());
        assert!(store.find_credentials(&contact, "authenticated").await.unwrap().is_some());
        fill_and_cut(&f, &store).await;
        let session = f.new_session(user);
        let open = OpenSession { session, verified_hash: None, upgraded_hash: None, audit: None, now: t(2) };
        assert!(store.open_session(open).await.unwrap().is_some());
        fill_and_cut(&f, &store).await;
        let user = f.new_user("bob@example.com");
        let new = SignUp { user, identities: vec![], session: None, audit: vec![], now: t(2) };
        let made = store.sign_up(new).await.unwrap();
        fill_and_cut(&f, &store).await;
        let end = EndSessions { user: made.user.id, bearer_session: None, which: Which::All, audit: None, now: t(2) };
        assert!(store.end_sessions(end).await.unwrap().user_exists);
        fill_and_cut(&f, &store).await;
        store.begin().await.unwrap().commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_transaction_that_is_cut_is_busy_and_its_commit_unknown() {
    on_postgres(|f: Fixture| async move {
        let store = f.tenant();
        let mut tx = store.begin().await.unwrap();
        tx.users().insert(&f.new_user("ada@example.com"), t(1)).await.unwrap();
        cut_connections(&f).await;
        let next = tx.users().find_by_email("ada@example.com").await;
        assert!(matches!(next, Err(StoreError::Busy(_))), "{next:?}");

        let mut tx = store.begin().await.unwrap();
        tx.users().insert(&f.new_user("ada@example.com"), t(1)).await.unwrap();
        cut_connections(&f).await;
        let committed = tx.commit().await;
        assert!(matches!(committed, Err(StoreError::Unknown(_))), "{committed:?}");
        assert_eq!(f.count("auth.users").await, 0);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn an_exhausted_pool_is_busy_within_seconds() {
    on_postgres(|f: Fixture| async move {
        let store = f.tenant();
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(store.begin().await.unwrap());
        }
        let asked = Instant::now();
        let user = f.new_user("").id;
        assert!(matches!(store.read_user(user, None).await, Err(StoreError::Busy(_))));
        assert!(asked.elapsed() < Duration::from_secs(5));
        drop(held);
        assert!(store.read_user(user, None).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_busy() {
    let url = domain::secret::Secret::new("postgres://nobody@127.0.0.1:1/none".to_owned());
    let placement = Placement::Postgres { url, max_connections: 2 };
    assert!(matches!(storage::Database::connect(&placement).await, Err(StoreError::Busy(_))));
}

#[tokio::test]
async fn a_file_somebody_else_writes_is_busy_and_still_readable() {
    on_sqlite(|f: Fixture| async move {
        let store = f.tenant();
        let (user, session) = f.signed_in(&store, "ada@example.com").await;
        let mut other = f.sqlite().await;
        let held = other.begin_with("begin immediate").await.unwrap();
        let refused = store.begin().await.err();
        assert!(matches!(refused, Some(StoreError::Busy(_))), "{refused:?}");
        assert!(store.read_user(user, Some(session)).await.unwrap().is_some());
        held.rollback().await.unwrap();
        store.begin().await.unwrap().commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_behind_a_held_file_are_all_refused_soon() {
    on_sqlite(|f: Fixture| async move {
        let store = f.tenant();
        let mut sessions = Vec::new();
        for n in 0..12 {
            sessions.push(f.signed_in(&store, &format!("user-{n}@example.com")).await.1);
        }
        let mut other = f.sqlite().await;
        let held = other.begin_with("begin immediate").await.unwrap();
        let asked = Instant::now();
        let mut waiting = JoinSet::new();
        for session in sessions {
            let (store, rotate) = (store.clone(), rotation(session));
            waiting.spawn(async move { store.rotate_session(rotate).await });
        }
        for refused in waiting.join_all().await {
            assert!(matches!(refused, Err(StoreError::Busy(_))), "{refused:?}");
        }
        assert!(asked.elapsed() < Duration::from_secs(10), "each waited for itself");
        held.rollback().await.unwrap();
    })
    .await;
}
