//! The isolation matrix: every route of a project, asked with everything that is held of another project.
//!
//! What is foreign is refused exactly as what nobody knows: same status, headers, body and number of statements, and no row of
//! either project becomes another. What nobody knows is held of a project of the same name at another gateway, so that it has
//! the same shape.

mod binding;
mod matrix;
mod person;
mod table;

use std::sync::Arc;
use std::time::Duration;

use domain::project::Placement;
use flows::management::CreateProject;
use serde_json::Value;
use testkit::{Limits, Setup, TestApp, TestDatabase, TestProject};

use crate::isolation::matrix::{Extent, Matrix, Place};

/// A gateway that does nothing unless it is asked.
async fn quiet(placement: TestDatabase, seed: u64) -> TestApp {
    let base = Setup::new(Arc::new(placement));
    let limits = Limits { outbox_sweep: Duration::from_secs(3600), ..base.limits.clone() };
    TestApp::start(Setup { limits, seed, wakes: false, ..base }).await
}

/// Asks `own` with what is held of `other`. Gives the number of checks.
async fn apart(app: &TestApp, own: &TestProject, other: &TestProject, places: Vec<Place>, extent: Extent) -> usize {
    let elsewhere = quiet(TestDatabase::sqlite(), 2).await;
    let unknown = elsewhere.project("other", person::settings()).await;
    let checks = Matrix::new(app, &elsewhere, [own, other, &unknown], places, extent).await.run().await;
    println!("isolation matrix: {checks} checks");
    checks
}

async fn on_a_shared_database(placement: TestDatabase) {
    let app = quiet(placement, 1).await;
    let own = app.project("own", person::asked()).await;
    let other = app.project("other", person::settings()).await;
    let places = vec![Place { rows: app.placement().auth.clone(), database: app.database.clone() }];
    let checks = apart(&app, &own, &other, places, Extent::Everything).await;
    assert!(checks > 4500, "{checks}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_of_one_database_are_apart() {
    on_a_shared_database(TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn projects_of_one_database_are_apart_on_postgres() {
    on_a_shared_database(TestDatabase::postgres().await).await;
}

/// A project with a file of its own.
async fn in_a_file(app: &TestApp, name: &str, config: Value) -> (TestProject, Place) {
    let config = config.as_object().cloned().unwrap();
    let request = CreateProject {
        project_ref: Some(name.to_owned()),
        config,
        placement: Some(Placement::Sqlite),
        ..CreateProject::default()
    };
    let project = app.project_by(request).await;
    let id = app.management.project(&project.project_ref).await.unwrap().project.id;
    let file = app.placement().files().unwrap().join(format!("{id}.db"));
    let database = app.management.databases.of(Placement::Sqlite, None, id).unwrap();
    (project, Place { rows: storage::Placement::Sqlite { file }, database })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_with_files_of_their_own_are_apart() {
    let app = quiet(TestDatabase::sqlite(), 1).await;
    let (own, first) = in_a_file(&app, "own", person::asked()).await;
    let (other, second) = in_a_file(&app, "other", person::settings()).await;
    let checks = apart(&app, &own, &other, vec![first, second], Extent::Likely).await;
    assert!(checks > 1500, "{checks}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn projects_with_databases_of_their_own_are_apart_on_postgres() {
    let app = quiet(TestDatabase::postgres().await, 1).await;
    let databases = [TestDatabase::postgres().await, TestDatabase::postgres().await];
    let mut made = Vec::new();
    for ((name, config), database) in
        [("own", person::asked()), ("other", person::settings())].into_iter().zip(&databases)
    {
        let project = app.project_in(name, config, Some(database)).await;
        let id = app.management.project(&project.project_ref).await.unwrap().project.id;
        let open = app.management.databases.of(Placement::Postgres, Some(database.url()), id).unwrap();
        made.push((project, Place { rows: database.auth.clone(), database: open }));
    }
    let (projects, places): (Vec<_>, Vec<_>) = made.into_iter().unzip();
    let checks = apart(&app, &projects[0], &projects[1], places, Extent::Likely).await;
    assert!(checks > 1500, "{checks}");
}
