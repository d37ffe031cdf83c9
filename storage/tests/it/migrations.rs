use domain::secret::Secret;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
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
    assert_eq!(control.projects().total().await.unwrap(), 0);
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
    let ours = [
        "known_devices",
        "mfa_recovery_codes",
        "outbox",
        "session_revocations",
        "tenantry_auth_migrations",
        "web3_signatures",
    ];
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
             and c.relname not in
                 ('known_devices', 'outbox', 'mfa_recovery_codes', 'session_revocations', 'tenantry_auth_migrations',
                  'web3_signatures')",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    // The contract's 240, the project on 19 tables that lack it there; code_hash, attempts, last_accepted_step, raised_from
    // and linking_session_id.
    assert_eq!(columns, 240 + 19 + 5);
    connection.close().await.unwrap();
    empty.remove().await;
}

/// Step 7 makes tables anew on SQLite: what hangs on factors must survive it.
#[tokio::test]
async fn factors_and_their_challenges_stay_when_their_tables_are_made_anew() {
    const BEFORE: [&str; 4] = [
        include_str!("../../../migrations/sqlite/auth/0002_accounts.sql"),
        include_str!("../../../migrations/sqlite/auth/0003_passkeys_sso_and_oauth.sql"),
        include_str!("../../../migrations/sqlite/auth/0004_own_tables.sql"),
        include_str!("../../../migrations/sqlite/auth/0006_codes_search_and_cleanup.sql"),
    ];
    const STEP: &str = include_str!("../../../migrations/sqlite/auth/0007_factors_and_revocations.sql");
    const SCHEMA: &str = "select name || ': ' || replace(replace(coalesce(sql, ''), '\"', ''), '_made_anew', '')
        from auth.sqlite_schema where name not like '%migrations%' order by name";
    let mut file = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::raw_sql("pragma foreign_keys = on; attach database ':memory:' as auth").execute(&mut file).await.unwrap();
    for step in BEFORE {
        sqlx::raw_sql(step).execute(&mut file).await.unwrap();
    }
    let rows = "insert into auth.users (instance_id, id) values (x'01', x'02');
        insert into auth.mfa_factors
            (instance_id, id, user_id, factor_type, status, created_at, updated_at, last_challenged_at, last_accepted_step)
        values (x'01', x'03', x'02', 'totp', 'verified', 'a', 'b', 'c', 7), (x'01', x'04', x'02', 'phone', 'unverified', 'a', 'b', 'd', null);
        insert into auth.mfa_challenges (instance_id, id, factor_id, created_at, ip_address) values
            (x'01', x'05', x'03', 'e', '192.0.2.1'), (x'01', x'06', x'04', 'f', '192.0.2.1')";
    sqlx::raw_sql(rows).execute(&mut file).await.unwrap();
    let mut step = file.begin().await.unwrap();
    sqlx::raw_sql(STEP).execute(&mut *step).await.unwrap();
    step.commit().await.unwrap();

    let kept =
        "select group_concat(hex(f.id) || f.status || f.last_challenged_at || coalesce(f.last_accepted_step, '-')
            || hex(c.id) || c.created_at, ' ' order by f.id)
        from auth.mfa_factors as f join auth.mfa_challenges as c on c.factor_id = f.id";
    let kept: String = sqlx::query_scalar(kept).fetch_one(&mut file).await.unwrap();
    assert_eq!(kept, "03verifiedc705e 04unverifiedd-06f");
    let broken = sqlx::raw_sql("pragma auth.foreign_key_check").fetch_all(&mut file).await.unwrap();
    assert!(broken.is_empty());
    sqlx::raw_sql("update auth.mfa_factors set last_challenged_at = 'g'").execute(&mut file).await.unwrap();
    sqlx::raw_sql("delete from auth.mfa_factors where id = x'03'").execute(&mut file).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from auth.mfa_challenges").fetch_one(&mut file).await.unwrap();
    assert_eq!(left, 1, "challenges go with their factor");
    let schema: Vec<String> = sqlx::query_scalar(SCHEMA).fetch_all(&mut file).await.unwrap();
    assert!(!schema.join("\n").contains("mfa_factors_last_challenged_at_key"));
    let twice: i64 = sqlx::query_scalar(
        "select count(*) from auth.sqlite_schema where type = 'index' and tbl_name in ('mfa_factors', 'mfa_challenges')
             and sql is not null",
    )
    .fetch_one(&mut file)
    .await
    .unwrap();
    assert_eq!(twice, 7, "{schema:#?}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn policies_can_ask_whether_a_session_lives() {
    const STEP: &str = include_str!("../../../migrations/postgres/auth/0007_factors_and_revocations.sql");
    let (empty, mut connection) = catalog().await;
    let rows = "insert into auth.users (id, banned_until, deleted_at) values
            ('00000000-0000-0000-0000-00000000000a', null, null),
            ('00000000-0000-0000-0000-00000000000b', now() + interval '1 hour', null),
            ('00000000-0000-0000-0000-00000000000c', now() - interval '1 hour', null),
            ('00000000-0000-0000-0000-00000000000d', null, now());
        insert into auth.sessions (id, user_id, not_after) values
            ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-00000000000a', null),
            ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-00000000000a', now() - interval '1 hour'),
            ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-00000000000a', now() + interval '1 hour'),
            ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-00000000000b', null),
            ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-00000000000c', null),
            ('00000000-0000-0000-0000-000000000006', '00000000-0000-0000-0000-00000000000d', null)";
    run(&mut connection, rows).await;
    let live = "select n::text || auth.session_is_live(('00000000-0000-0000-0000-00000000000' || n)::uuid)::text
        from generate_series(1, 7) as n";
    let lives = ["1true", "2false", "3true", "4false", "5true", "6false", "7false"];
    assert_eq!(texts(&mut connection, live).await, lives);
    assert_eq!(texts(&mut connection, "select auth.session_is_live(null)::text").await, ["false"]);

    // The roles of a project's database, seen by nobody else: the grants of the step, run again, find them.
    let mut roles = connection.begin().await.unwrap();
    let made = "do $$
        declare name text;
        begin
            foreach name in array array['anon', 'tenantry_nobody'] loop
                if not exists (select from pg_roles where rolname = name) then execute format('create role %I', name); end if;
            end loop;
        end
        $$";
    run(&mut roles, made).await;
    run(&mut roles, STEP.rsplit_once("do $$").map(|(_, grants)| format!("do $${grants}")).unwrap().as_str()).await;
    run(&mut roles, "set local role anon").await;
    assert_eq!(texts(&mut roles, live).await, lives);
    let peek = sqlx::query("select from auth.session_revocations");
    assert!(peek.execute(&mut *roles.begin().await.unwrap()).await.is_err(), "the tables stay closed");
    run(&mut roles, "reset role; grant usage on schema auth to tenantry_nobody; set local role tenantry_nobody").await;
    assert!(sqlx::query(live).execute(&mut *roles).await.is_err(), "who was not given the right has it not");
    roles.rollback().await.unwrap();
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
         and relname not in ('known_devices', 'outbox', 'mfa_recovery_codes', 'session_revocations', 'web3_signatures')",
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
