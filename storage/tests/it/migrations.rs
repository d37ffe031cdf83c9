use domain::secret::Secret;
use sqlx::{Connection as _, PgConnection};
use storage::{ControlStore, Database, MigrateError, Placement};
use tokio::task::JoinSet;

use crate::fixture::{EmptyDatabase, Fixture, run};

on_both! {
    migrating_again_changes_nothing
    gateways_migrate_at_once
    a_newer_database_is_refused
    both_schemas_have_their_own_books
}

async fn migrating_again_changes_nothing(f: Fixture) {
    let store = f.tenant();
    let user = f.user(&store, "ada@example.com").await;
    f.database.migrate().await.unwrap();
    Database::connect(&f.placement).await.unwrap().migrate().await.unwrap();
    assert!(store.find_user(user).await.unwrap().is_some());
}

async fn gateways_migrate_at_once(f: Fixture) {
    let (fresh, empty, folder) = match &f.placement {
        Placement::Sqlite { .. } => {
            let folder = tempfile::tempdir().unwrap();
            (Placement::Sqlite { file: folder.path().join("fresh.db") }, None, Some(folder))
        }
        Placement::Postgres { .. } => {
            let empty = EmptyDatabase::new().await;
            (empty.placement(), Some(empty), None)
        }
    };
    let mut gateways = JoinSet::new();
    for _ in 0..6 {
        let fresh = fresh.clone();
        gateways.spawn(async move {
            let database = Database::connect(&fresh).await.unwrap();
            let outcome = database.migrate().await;
            database.close().await;
            outcome
        });
    }
    for outcome in gateways.join_all().await {
        outcome.unwrap();
    }
    if let Some(empty) = empty {
        empty.remove().await;
    }
    drop(folder);
}

async fn a_newer_database_is_refused(f: Fixture) {
    f.write("update auth.tenantry_auth_migrations set version = 9000 where version = 2").await;
    let refused = f.database.migrate().await.unwrap_err();
    let MigrateError::Newer { schema: "auth", found: 9000, known } = refused else { panic!("{refused:?}") };
    let message = refused.to_string();
    assert!(message.contains("9000") && message.contains(&known.to_string()), "{message}");
    // Nothing holds the lock: the next gateway is refused as well, at once.
    assert!(matches!(f.database.migrate().await, Err(MigrateError::Newer { .. })));
}

async fn both_schemas_have_their_own_books(f: Fixture) {
    let control = f.control().await;
    control.migrate().await.unwrap();
    f.database.migrate().await.unwrap();
    assert_eq!(control.projects().list().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.db");
    let control = ControlStore::connect(&Placement::Sqlite { file: file.clone() }).await.unwrap();
    control.migrate().await.unwrap();
    let database = Database::connect(&Placement::Sqlite { file }).await.unwrap();
    assert!(matches!(database.migrate().await, Err(MigrateError::Foreign("auth"))));
    control.migrate().await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_schema_of_another_program_is_refused_untouched() {
    let empty = EmptyDatabase::new().await;
    let mut connection = PgConnection::connect(&empty.url()).await.unwrap();
    run(&mut connection, "create schema auth; create table auth.users (id uuid primary key)").await;
    let database = Database::connect(&empty.placement()).await.unwrap();
    assert!(matches!(database.migrate().await, Err(MigrateError::Foreign("auth"))));
    database.close().await;
    empty.remove().await;
}

#[tokio::test]
async fn a_placement_that_makes_no_sense_is_a_fault() {
    let placement = Placement::Postgres { url: Secret::new("not a url".to_owned()), max_connections: 1 };
    assert!(matches!(Database::connect(&placement).await, Err(storage::StoreError::Fault(_))));
}

/// A migrated PostgreSQL database, looked at from the side.
async fn catalog() -> (EmptyDatabase, PgConnection) {
    let empty = EmptyDatabase::new().await;
    let database = Database::connect(&empty.placement()).await.unwrap();
    database.migrate().await.unwrap();
    database.close().await;
    let connection = PgConnection::connect(&empty.url()).await.unwrap();
    (empty, connection)
}

async fn texts(connection: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn the_schema_is_the_contracts_with_the_project_first() {
    let (empty, mut connection) = catalog().await;
    let tables = texts(
        &mut connection,
        "select c.relname::text from pg_class c where c.relnamespace = 'auth'::regnamespace and c.relkind = 'r' order by 1",
    )
    .await;
    let ours = ["mfa_recovery_codes", "outbox", "tenantry_auth_migrations"];
    assert_eq!(tables.iter().filter(|table| !ours.contains(&table.as_str())).count(), 23, "{tables:?}");
    let without = texts(
        &mut connection,
        "select c.relname::text from pg_class c where c.relnamespace = 'auth'::regnamespace and c.relkind = 'r'
         and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'instance_id' and a.attnotnull) order by 1",
    )
    .await;
    assert_eq!(without, ["schema_migrations", "tenantry_auth_migrations"], "only books belong to no project");
    let not_first = texts(
        &mut connection,
        "select i.indexrelid::regclass::text from pg_index i
         join pg_class c on c.oid = i.indrelid and c.relnamespace = 'auth'::regnamespace
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
         where not i.indisprimary and a.attname <> 'instance_id' and c.relname not in ('schema_migrations')
         order by 1",
    )
    .await;
    assert_eq!(not_first, ["auth.outbox_due_idx"]);
    let loose = texts(
        &mut connection,
        "select conname::text from pg_constraint
         where contype = 'f' and connamespace = 'auth'::regnamespace and cardinality(conkey) <> 2 order by 1",
    )
    .await;
    assert_eq!(loose, [""; 0], "every foreign key carries the project");
    let columns: i64 = sqlx::query_scalar(
        "select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid
         where c.relnamespace = 'auth'::regnamespace and c.relkind = 'r' and a.attnum > 0
             and c.relname not in ('outbox', 'mfa_recovery_codes', 'tenantry_auth_migrations')",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    // The contract's 240, the project on 19 tables that lack it there; code_hash, attempts and last_accepted_step.
    assert_eq!(columns, 240 + 19 + 3);
    connection.close().await.unwrap();
    empty.remove().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn functions_read_the_settings_of_the_request() {
    let (empty, mut connection) = catalog().await;
    let nulls: bool = sqlx::query_scalar(
        "select auth.uid() is null and auth.role() is null and auth.email() is null and auth.jwt() is null",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert!(nulls);
    let id = "11111111-2222-4333-8444-555555555555";
    let claims = format!(r#"{{"sub":"{id}","role":"authenticated","email":"ada@example.com"}}"#);
    let facts =
        "select auth.uid()::text || ' ' || auth.role() || ' ' || auth.email() || ' ' || (auth.jwt() ->> 'role')";
    sqlx::query("select set_config('request.jwt.claims', $1, false)")
        .bind(&claims)
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(texts(&mut connection, facts).await, [format!("{id} authenticated ada@example.com authenticated")]);
    sqlx::query("select set_config('request.jwt.claim.role', 'anon', false)").execute(&mut connection).await.unwrap();
    assert_eq!(texts(&mut connection, "select auth.role()").await, ["anon"]);
    sqlx::query("select set_config('request.jwt.claim.role', '', false)").execute(&mut connection).await.unwrap();
    assert_eq!(texts(&mut connection, "select auth.role()").await, ["authenticated"]);
    connection.close().await.unwrap();
    empty.remove().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn other_servers_of_the_schema_find_their_books_and_privileges() {
    let (empty, mut connection) = catalog().await;
    let versions = texts(&mut connection, "select version::text from auth.schema_migrations order by version").await;
    assert_eq!(versions.len(), 70);
    assert_eq!((versions[0].as_str(), versions[69].as_str()), ("00", "20260625000000"));
    let guarded = texts(
        &mut connection,
        "select relname::text from pg_class where relnamespace = 'auth'::regnamespace and relrowsecurity
         and relname not in ('outbox', 'mfa_recovery_codes')",
    )
    .await;
    assert_eq!(guarded.len(), 16);
    sqlx::query("insert into auth.users (id) values (gen_random_uuid())").execute(&mut connection).await.unwrap();
    let instance = texts(&mut connection, "select instance_id::text from auth.users").await;
    assert_eq!(instance, ["00000000-0000-0000-0000-000000000000"]);
    connection.close().await.unwrap();
    empty.remove().await;
}

/// Whether the search of users has its index, and what a search finds.
async fn searched(placement: &Placement, connection: &mut PgConnection) -> (bool, u64) {
    let database = Database::connect(placement).await.unwrap();
    database.migrate().await.unwrap();
    let instance = domain::ids::InstanceId(uuid::Uuid::from_u128(7));
    let fill = "insert into auth.users (instance_id, id, aud, email, is_sso_user) values
        ('00000000-0000-0000-0000-000000000007', gen_random_uuid(), 'authenticated', 'ada@example.com', false),
        ('00000000-0000-0000-0000-000000000007', gen_random_uuid(), 'authenticated', 'bob@example.com', false)";
    run(connection, fill).await;
    let store = storage::TenantStore::new(database.clone(), instance);
    let (aud, filter) = ("authenticated".to_owned(), "da@exam".to_owned());
    let page = storage::ListUsers { aud, filter, ascending: true, limit: 9, offset: 0 };
    let (_, total) = store.list_users(page).await.unwrap();
    database.close().await;
    let index = "select to_regclass('auth.users_search_idx') is not null";
    (sqlx::query_scalar(index).fetch_one(connection).await.unwrap(), total)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn users_are_searched_without_the_extensions_too() {
    let empty = EmptyDatabase::new().await;
    let mut connection = PgConnection::connect(&empty.url()).await.unwrap();
    // In the way of pg_trgm.
    run(&mut connection, "create type public.gtrgm as enum ('taken')").await;
    assert_eq!(searched(&empty.placement(), &mut connection).await, (false, 1));
    connection.close().await.unwrap();
    empty.remove().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn the_extensions_need_no_superuser_and_go_where_such_things_are() {
    let empty = EmptyDatabase::new().await;
    let mut connection = PgConnection::connect(&empty.url()).await.unwrap();
    let role = format!("tenantry_plain_{}", std::process::id());
    let database = empty.url().rsplit_once('/').unwrap().1.to_owned();
    run(
        &mut connection,
        &format!(
            "create role {role} login password 'plain';
             grant create on database {database} to {role};
             create schema extensions; grant usage on schema extensions to {role}"
        ),
    )
    .await;
    let (scheme, rest) =
        empty.url().split_once("://").map(|(scheme, rest)| (scheme.to_owned(), rest.to_owned())).unwrap();
    let server = rest.rsplit_once('@').map_or(rest.clone(), |(_, server)| server.to_owned());
    let url = Secret::new(format!("{scheme}://{role}:plain@{server}"));
    assert_eq!(searched(&Placement::Postgres { url, max_connections: 2 }, &mut connection).await, (true, 1));
    let places =
        "select distinct extnamespace::regnamespace::text from pg_extension where extname in ('pg_trgm', 'btree_gin')";
    assert_eq!(texts(&mut connection, places).await, ["extensions"]);
    connection.close().await.unwrap();
    empty.remove().await;
    let server = std::env::var(crate::fixture::URL).unwrap();
    let mut connection = PgConnection::connect(&server).await.unwrap();
    run(&mut connection, &format!("drop role {role}")).await;
}
