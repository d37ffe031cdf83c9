//! A control store of the version before projects had a place, and what becomes of it.

use domain::ids::ProjectId;
use domain::project::{Placement as Place, Status};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use storage::control::ListProjects;
use storage::{ControlStore, Placement};
use uuid::Uuid;

use super::named;
use crate::fixture::{EmptyDatabase, t};

macro_rules! steps {
    ($database:literal) => {
        [
            include_str!(concat!("../../../../migrations/", $database, "/control/0001_control.sql")),
            include_str!(concat!("../../../../migrations/", $database, "/control/0002_third_party_auth.sql")),
        ]
    };
}

const STEP: [&str; 2] = [
    include_str!("../../../../migrations/postgres/control/0003_projects_as_a_product.sql"),
    include_str!("../../../../migrations/sqlite/control/0003_projects_as_a_product.sql"),
];

const SHARED: Uuid = Uuid::from_u128(0x0a11_ce00_0000_0000_0000_0000_0000_0001);
const OWN: Uuid = Uuid::from_u128(0x0a11_ce00_0000_0000_0000_0000_0000_0002);
const GOING: Uuid = Uuid::from_u128(0x0a11_ce00_0000_0000_0000_0000_0000_0003);

/// Three projects of before: one in the gateway's database, one with old-style keys refused in a database of its own, and one whose
/// removal was cut short. `id` writes an id.
fn before(id: fn(Uuid) -> String) -> String {
    let at = "'2023-01-01T00:00:00.000000Z'";
    let project = |uuid: Uuid, name: &str, status: &str| {
        let uuid = id(uuid);
        format!(
            "insert into control.projects (id, ref, instance_id, name, status, profile, created_at, updated_at)
             values ({uuid}, '{name}', {uuid}, 'The {name}', '{status}', 'compat', {at}, {at});
             insert into control.config_versions (project_id, version, config, created_at) values ({uuid}, 1, '{{}}', {at});"
        )
    };
    [
        project(SHARED, "shared", "active"),
        project(OWN, "own", "paused"),
        project(GOING, "going", "deleting"),
        format!(
            "insert into control.secrets (project_id, name, sealed, updated_at) values ({}, 'database_url', 'sealed', {at});",
            id(OWN)
        ),
        format!("insert into control.settings (name, value, updated_at) values ('legacy_api_keys:{OWN}', 'off', {at});"),
        format!("insert into control.settings (name, value, updated_at) values ('legacy_api_keys:{SHARED}', 'on', {at});"),
        format!("insert into control.settings (name, value, updated_at) values ('operator_token', 'kept', {at});"),
    ]
    .concat()
}

async fn look(control: &ControlStore) {
    let projects = control.projects();
    let shared = projects.bundle(&named("shared")).await.unwrap().unwrap();
    assert_eq!((shared.project.placement, shared.project.status), (Place::Gateway, Status::Active));
    assert!(shared.legacy_keys_enabled);
    let own = projects.bundle(&named("own")).await.unwrap().unwrap();
    assert_eq!((own.project.placement, own.project.status), (Place::Postgres, Status::Paused));
    assert!(!own.legacy_keys_enabled);
    assert_eq!(control.settings().get(&format!("legacy_api_keys:{OWN}")).await.unwrap(), None);
    assert_eq!(control.settings().get("operator_token").await.unwrap().as_deref(), Some("kept"));
    assert_eq!(projects.total().await.unwrap(), 2);
    let search = ListProjects { search: Some("the o".to_owned()), ..ListProjects::default() };
    let found = projects.list(&search).await.unwrap();
    assert_eq!(found.iter().map(|project| project.id).collect::<Vec<_>>(), [ProjectId(OWN)]);
    let due = projects.claim_sweeps(t(0), t(1), 10).await.unwrap();
    assert_eq!(due.len(), 2, "every project that exists may have rows that expire");
    let going = projects.claim_purges(t(0), t(1), 10).await.unwrap();
    assert_eq!(going.iter().map(|project| project.id).collect::<Vec<_>>(), [ProjectId(GOING)]);
}

#[tokio::test]
async fn projects_of_before_find_their_place_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("control.db");
    let options = SqliteConnectOptions::new().filename(":memory:").create_if_missing(true).foreign_keys(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("attach database $1 as control").bind(file.to_str().unwrap()).execute(&mut connection).await.unwrap();
    let hex = |id: Uuid| format!("x'{}'", id.simple());
    for sql in [&steps!("sqlite")[..], &[&before(hex), STEP[1]]].concat() {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let control = ControlStore::connect(&Placement::Sqlite { file }).await.unwrap();
    look(&control).await;
    control.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn projects_of_before_find_their_place_on_postgres() {
    let empty = EmptyDatabase::new().await;
    let mut connection = PgConnection::connect(&empty.url()).await.unwrap();
    let text = |id: Uuid| format!("'{id}'");
    let begin = "create schema control";
    for sql in [&[begin][..], &steps!("postgres"), &[&before(text), STEP[0]]].concat() {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let control = ControlStore::connect(&empty.placement()).await.unwrap();
    look(&control).await;
    control.close().await;
    empty.remove().await;
}
