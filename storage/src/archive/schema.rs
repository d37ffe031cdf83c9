//! The list of tables is the schema's: a column that is added to a table, or a table, must be added here too.

use std::collections::{BTreeMap, BTreeSet};
use std::{env, process};

use domain::secret::Secret;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use super::cells::Kind;
use super::tables::{TABLES, Table};
use crate::database::{Database, Placement};

/// Columns that are not copied, beside those that the database computes.
const LEFT_OUT: [(&str, &str); 2] = [("session_revocations", "id"), ("outbox", "leased_until")];

/// Tables without rows of projects.
const BOOKS: [&str; 3] = ["schema_migrations", "tenantry_auth_migrations", "sqlite_sequence"];

type Columns = BTreeMap<String, BTreeMap<String, String>>;

/// Table, column, type; then table, column, table it refers to.
type Found = (Vec<(String, String, String)>, Vec<(String, String, String)>);

async fn sqlite() -> Found {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.db");
    let database = Database::connect(&Placement::Sqlite { file: file.clone() }).await.unwrap();
    database.migrate().await.unwrap();
    database.close().await;
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let columns = "select m.name, c.name, c.type from sqlite_schema as m join pragma_table_info(m.name) as c where m.type = 'table'";
    let columns = sqlx::query_as(columns).fetch_all(&mut connection).await.unwrap();
    let keys =
        "select m.name, k.\"from\", k.\"table\" from sqlite_schema as m join pragma_foreign_key_list(m.name) as k
        where m.type = 'table' and k.\"from\" <> 'instance_id'";
    (columns, sqlx::query_as(keys).fetch_all(&mut connection).await.unwrap())
}

async fn postgres() -> Found {
    let server = env::var("TENANTRY_TEST_POSTGRES_URL").expect("TENANTRY_TEST_POSTGRES_URL is not set");
    let name = format!("tenantry_archive_{}", process::id());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let placement = Placement::Postgres { url: Secret::new(url.clone()), max_connections: 2 };
    let database = Database::connect(&placement).await.unwrap();
    database.migrate().await.unwrap();
    database.close().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let columns = "select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
        where c.relnamespace = 'auth'::regnamespace and c.relkind = 'r'";
    let columns = sqlx::query_as(columns).fetch_all(&mut connection).await.unwrap();
    let keys = "select c.relname::text, a.attname::text, p.relname::text from pg_constraint as k
        join pg_class as c on c.oid = k.conrelid join pg_class as p on p.oid = k.confrelid
        join pg_attribute as a on a.attrelid = c.oid and a.attnum = any(k.conkey) and a.attname <> 'instance_id'
        where k.contype = 'f' and k.connamespace = 'auth'::regnamespace";
    let keys = sqlx::query_as(keys).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("drop database {name} with (force)"))).execute(&mut admin).await.unwrap();
    (columns, keys)
}

fn by_table(found: Vec<(String, String, String)>) -> Columns {
    let mut columns = Columns::new();
    for (table, column, kind) in found {
        let left_out = LEFT_OUT.contains(&(&table, &column)) || column == "instance_id";
        if !BOOKS.contains(&table.as_str()) {
            let of_table = columns.entry(table).or_default();
            if !left_out {
                of_table.insert(column, kind);
            }
        }
    }
    columns
}

fn listed(shown: fn(Kind) -> &'static str) -> Columns {
    let named = |table: &Table| {
        table.columns.iter().map(|column| (column.name.to_owned(), shown(column.kind).to_owned())).collect()
    };
    TABLES.iter().map(|table| (table.name.to_owned(), named(table))).collect()
}

/// What hangs on what, as the statements look for it.
fn check_keys(keys: Vec<(String, String, String)>) {
    let place = |name: &str| TABLES.iter().position(|table| table.name == name).unwrap();
    for (table, column, parent) in &keys {
        assert!(place(parent) < place(table), "{table} comes after {parent}");
        let insert = TABLES[place(table)].insert;
        let looks = format!("'{column}') is null or exists (select 1 from auth.{parent} as p");
        assert!(insert.postgres.contains(&looks) && insert.sqlite.contains(&looks), "{table}.{column}");
    }
    let parents: BTreeSet<&str> = keys.iter().map(|(_, _, parent)| parent.as_str()).collect();
    let listed: BTreeSet<&str> = TABLES.iter().filter(|table| table.is_parent).map(|table| table.name).collect();
    assert_eq!(listed, parents);
    let looked_for: usize = TABLES.iter().map(|table| table.insert.sqlite.matches("exists (").count()).sum();
    assert_eq!(looked_for, keys.len());
}

#[tokio::test]
async fn every_column_on_sqlite_is_listed() {
    let (columns, keys) = sqlite().await;
    let shown = |kind| match kind {
        Kind::Uuid | Kind::Bytes => "BLOB",
        Kind::Bool | Kind::Int | Kind::Token | Kind::Raised => "INTEGER",
        Kind::Text | Kind::Time | Kind::Json | Kind::Texts | Kind::Address => "TEXT",
    };
    assert_eq!(by_table(columns), listed(shown));
    check_keys(keys);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn every_column_on_postgresql_is_listed() {
    let (columns, keys) = postgres().await;
    let plain = |kind: String| {
        let plain = match kind.as_str() {
            "timestamp with time zone" | "timestamp without time zone" => "time",
            "json" | "jsonb" => "json",
            "smallint" | "integer" | "bigint" => "int",
            kind if kind.starts_with("character varying") || kind.starts_with("auth.") => "text",
            kind => kind,
        };
        plain.to_owned()
    };
    let columns = columns.into_iter().map(|(table, column, kind)| (table, column, plain(kind))).collect();
    let shown = |kind| match kind {
        Kind::Uuid => "uuid",
        Kind::Text => "text",
        Kind::Time => "time",
        Kind::Json => "json",
        Kind::Bool => "boolean",
        Kind::Int | Kind::Token | Kind::Raised => "int",
        Kind::Bytes => "bytea",
        Kind::Texts => "text[]",
        Kind::Address => "inet",
    };
    assert_eq!(by_table(columns), listed(shown));
    check_keys(keys);
}
