//! Databases of projects' own: opened on use, few at a time, away without harm to others.

use std::path::Path;
use std::time::{Duration, Instant};

use domain::ids::{InstanceId, UserId};
use sqlx::{Connection as _, PgConnection};
use storage::{Database, Placement, PoolBudget, StoreError, TenantStore};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixture::{EmptyDatabase, on_sqlite, run};

/// The lock under which schemas are brought up to date.
const MIGRATING: i64 = 0x7465_6e61_6e74_7279;

/// The longest anything here may take that takes its time.
const SOON: Duration = Duration::from_secs(20);

fn nobody() -> UserId {
    UserId(Uuid::from_u128(1))
}

fn rows(database: &Database) -> TenantStore {
    TenantStore::new(database.clone(), InstanceId(Uuid::from_u128(7)))
}

fn is_busy<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Busy(_)))
}

/// Whether it was refused because the server is known to be away.
fn is_refused_unasked<T>(outcome: &Result<T, StoreError>) -> bool {
    why_busy(outcome).is_some_and(|why| why == "database is away and not asked for a while")
}

fn why_busy<T>(outcome: &Result<T, StoreError>) -> Option<String> {
    let Err(StoreError::Busy(cause)) = outcome else { return None };
    Some(cause.to_string())
}

/// A transaction that changes nothing.
async fn write(store: &TenantStore) -> Result<(), StoreError> {
    store.begin().await?.commit().await
}

/// Asks until there is an answer.
async fn until_served(store: &TenantStore) {
    let begin = Instant::now();
    while let Err(error) = store.read_user(nobody(), None).await {
        assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
        assert!(begin.elapsed() < SOON, "it does not come back");
        tokio::task::yield_now().await;
    }
}

/// A PostgreSQL database as a project's own, and the server's side of it.
struct Server {
    empty: EmptyDatabase,
    side: PgConnection,
}

impl Server {
    async fn new() -> Self {
        let empty = EmptyDatabase::new().await;
        let side = PgConnection::connect(&std::env::var(crate::fixture::URL).unwrap()).await.unwrap();
        Self { empty, side }
    }

    /// One, and a project's rows in it.
    async fn with_rows() -> (Self, PoolBudget, TenantStore) {
        let (server, budget) = (Self::new().await, PoolBudget::new(8));
        let store = rows(&server.database(&budget));
        (server, budget, store)
    }

    fn database(&self, budget: &PoolBudget) -> Database {
        Database::on_use(self.empty.placement(), budget.clone())
    }

    /// Who still has its rows lets go of them first.
    async fn end(self, store: TenantStore) {
        drop(store);
        self.empty.remove().await;
    }

    fn name(&self) -> String {
        self.empty.url().rsplit_once('/').unwrap().1.to_owned()
    }

    async fn connections(&mut self) -> i64 {
        let count = "select count(*) from pg_stat_activity where datname = $1 and application_name = 'tenantry'";
        sqlx::query_scalar(count).bind(self.name()).fetch_one(&mut self.side).await.unwrap()
    }

    async fn until_connections(&mut self, wanted: i64) {
        let begin = Instant::now();
        while self.connections().await != wanted {
            assert!(begin.elapsed() < SOON, "{} connections", self.connections().await);
        }
    }

    /// The server lets nobody in any more, and throws out who is in.
    async fn go_away(&mut self) {
        let name = self.name();
        run(&mut self.side, &format!("alter database {name} with allow_connections false")).await;
        let cut = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1";
        sqlx::query(cut).bind(name).execute(&mut self.side).await.unwrap();
    }

    async fn come_back(&mut self) {
        let name = self.name();
        run(&mut self.side, &format!("alter database {name} with allow_connections true")).await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn it_is_opened_and_migrated_by_its_first_use_and_closed_with_the_last_copy() {
    let (mut server, budget) = (Server::new().await, PoolBudget::new(8));
    let database = server.database(&budget);
    let store = rows(&database);
    assert_eq!((server.connections().await, budget.taken(), database.is_open()), (0, 0, false));
    assert!(store.read_user(nobody(), None).await.unwrap().is_none());
    assert_eq!((server.connections().await, budget.taken(), database.is_open()), (1, 1, true));
    let weak = database.downgrade();
    drop(database);
    assert!(weak.upgrade().is_some(), "the store keeps it");
    drop(store);
    server.until_connections(0).await;
    assert!(weak.upgrade().is_none());
    assert_eq!(budget.taken(), 0);
    server.empty.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn one_that_is_away_when_it_is_first_used_is_busy_and_comes_back_by_itself() {
    let (mut server, budget, store) = Server::with_rows().await;
    server.go_away().await;
    for _ in 0..5 {
        assert!(is_busy(&store.read_user(nobody(), None).await));
        assert!(is_busy(&write(&store).await));
    }
    assert_eq!(budget.taken(), 0, "who is away takes nobody's place");
    server.come_back().await;
    until_served(&store).await;
    server.end(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn one_that_goes_away_in_use_is_busy_at_once_and_comes_back_by_itself() {
    let (mut server, budget, store) = Server::with_rows().await;
    write(&store).await.unwrap();
    server.go_away().await;
    for _ in 0..3 {
        assert!(is_busy(&write(&store).await));
    }
    let mut unasked = 0;
    for _ in 0..100 {
        unasked += usize::from(is_refused_unasked(&write(&store).await));
    }
    assert!(unasked >= 90, "the server was asked {} times", 100 - unasked);
    assert_eq!(budget.taken(), 0, "who is away takes nobody's place");
    server.come_back().await;
    until_served(&store).await;
    server.end(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn one_that_was_emptied_meanwhile_is_brought_up_to_date_when_it_comes_back() {
    let (mut server, _, store) = Server::with_rows().await;
    until_served(&store).await;
    let name = server.name();
    run(&mut server.side, &format!("drop database {name} with (force)")).await;
    for _ in 0..4 {
        assert!(is_busy(&store.read_user(nobody(), None).await));
    }
    run(&mut server.side, &format!("create database {name}")).await;
    until_served(&store).await;
    server.end(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn many_first_uses_open_it_once() {
    let (mut server, budget, store) = Server::with_rows().await;
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        asking.spawn(async move { write(&store).await });
    }
    assert!(asking.join_all().await.iter().all(Result::is_ok));
    assert!(server.connections().await <= 5, "no more than the pool has");
    assert_eq!(budget.taken(), 1);
    drop(store);
    server.until_connections(0).await;
    server.empty.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_slow_migration_holds_up_nobody_else() {
    let (mut slow, quick, budget) = (Server::new().await, Server::new().await, PoolBudget::new(8));
    let mut holder = PgConnection::connect(&slow.empty.url()).await.unwrap();
    sqlx::query("select pg_advisory_lock($1)").bind(MIGRATING).execute(&mut holder).await.unwrap();
    let store = rows(&slow.database(&budget));
    let waits = tokio::spawn({
        let store = store.clone();
        async move { write(&store).await }
    });
    slow.until_connections(1).await;
    let other = rows(&quick.database(&budget));
    write(&other).await.unwrap();
    assert!(!waits.is_finished());
    assert!(is_busy(&waits.await.unwrap()), "who waits is sent away after a while");
    let later = why_busy(&write(&store).await);
    assert_eq!(later.as_deref(), Some("database is being opened"), "nor does who comes later wait for his own attempt");
    holder.close().await.unwrap();
    until_served(&store).await;
    drop((store, other));
    slow.empty.remove().await;
    quick.empty.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn the_one_unused_longest_makes_room_and_its_connections_are_closed() {
    let budget = PoolBudget::new(2);
    let mut servers = [Server::new().await, Server::new().await, Server::new().await];
    let stores: Vec<_> = servers.iter().map(|server| rows(&server.database(&budget))).collect();
    for store in &stores[..2] {
        write(store).await.unwrap();
    }
    write(&stores[0]).await.unwrap();
    write(&stores[2]).await.unwrap();
    servers[1].until_connections(0).await;
    assert!(servers[0].connections().await > 0 && servers[2].connections().await > 0);
    assert_eq!(budget.taken(), 2);
    // Who was closed is opened again without being asked to.
    write(&stores[1]).await.unwrap();
    servers[0].until_connections(0).await;
    drop(stores);
    for server in servers {
        server.empty.remove().await;
    }
}

/// An empty file of a project's own.
fn file(folder: &Path, number: usize) -> Placement {
    let file = folder.join(format!("{number}.db"));
    std::fs::File::create_new(&file).unwrap();
    Placement::Sqlite { file }
}

/// Files below `folder` that this process has open.
fn open_files(folder: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let databases = open.filter(|file| file.starts_with(folder) && file.extension().is_some_and(|end| end == "db"));
    databases.collect::<std::collections::BTreeSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_files_are_served_with_eight_open() {
    let (folder, budget) = (tempfile::tempdir().unwrap(), PoolBudget::new(8));
    let stores: Vec<_> =
        (0..200).map(|number| rows(&Database::on_use(file(folder.path(), number), budget.clone()))).collect();
    for store in &stores {
        assert!(store.read_user(nobody(), None).await.unwrap().is_none());
        assert!(budget.taken() <= 8);
    }
    assert!(open_files(folder.path()) <= 8, "{} files", open_files(folder.path()));
    // And many at once.
    for some in stores.chunks(20) {
        let mut asking = JoinSet::new();
        for store in some {
            let store = store.clone();
            asking.spawn(async move { write(&store).await });
        }
        assert!(asking.join_all().await.iter().all(Result::is_ok));
        assert!(budget.taken() <= 8);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_at_work_keeps_his_place() {
    let (folder, budget) = (tempfile::tempdir().unwrap(), PoolBudget::new(1));
    let [first, second] = [0, 1].map(|number| rows(&Database::on_use(file(folder.path(), number), budget.clone())));
    let held = first.begin().await.unwrap();
    let refused = write(&second).await;
    assert!(is_busy(&refused), "{refused:?}");
    assert!(!refused.unwrap_err().is_share_used_up());
    held.commit().await.unwrap();
    write(&second).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_away_is_busy_and_never_made_anew() {
    let (folder, budget) = (tempfile::tempdir().unwrap(), PoolBudget::new(8));
    let placement = file(folder.path(), 1);
    let (there, away) = (folder.path().join("1.db"), folder.path().join("away.db"));
    let store = rows(&Database::on_use(placement, budget.clone()));
    std::fs::rename(&there, &away).unwrap();
    for _ in 0..4 {
        assert!(is_busy(&write(&store).await));
    }
    assert!(!there.exists());
    std::fs::rename(&away, &there).unwrap();
    until_served(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_database_is_busy_and_stays_as_it_is() {
    let (folder, budget) = (tempfile::tempdir().unwrap(), PoolBudget::new(8));
    let Placement::Sqlite { file } = file(folder.path(), 1) else { panic!("not a file") };
    let letter = "a letter, not a database: ".repeat(400);
    std::fs::write(&file, &letter).unwrap();
    let store = rows(&Database::on_use(Placement::Sqlite { file: file.clone() }, budget));
    assert!(is_busy(&write(&store).await));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), letter);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_closed_for_good_stays_closed() {
    let (folder, budget) = (tempfile::tempdir().unwrap(), PoolBudget::new(8));
    let database = Database::on_use(file(folder.path(), 1), budget.clone());
    let store = rows(&database);
    write(&store).await.unwrap();
    database.close().await;
    assert_eq!((budget.taken(), open_files(folder.path())), (0, 0));
    assert!(is_busy(&write(&store).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_bounds_one_project_and_leaves_the_rest_to_others() {
    on_sqlite(|f| async move {
        let (greedy, other) = (f.tenant().with_share(1), f.tenant());
        let held = greedy.begin().await.unwrap();
        let refused = greedy.read_user_by_identity("email", "ada").await;
        assert!(refused.is_err_and(|error| error.is_share_used_up()));
        assert!(greedy.clone().begin().await.is_err_and(|error| error.is_share_used_up()), "copies share it");
        assert!(other.read_user_by_identity("email", "ada").await.is_ok());
        drop(held);
        write(&greedy).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn one_whose_schema_is_up_to_date_waits_for_nobody_who_migrates() {
    let (server, budget) = (Server::new().await, PoolBudget::new(8));
    until_served(&rows(&server.database(&budget))).await;
    let mut holder = PgConnection::connect(&server.empty.url()).await.unwrap();
    sqlx::query("select pg_advisory_lock($1)").bind(MIGRATING).execute(&mut holder).await.unwrap();
    write(&rows(&server.database(&budget))).await.unwrap();
    holder.close().await.unwrap();
    server.empty.remove().await;
}
