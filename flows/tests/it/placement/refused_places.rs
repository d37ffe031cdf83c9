//! Databases that an operator names and that cannot be opened: he hears which and why, and nothing that is secret.

use domain::project::Placement;
use domain::secret::Secret;
use flows::management::{CreateProject, Error};
use serde_json::json;
use testkit::{TestApp, TestDatabase};

use super::moves::to;

/// What an operator hears who makes a project there, and who moves one there.
async fn heard(app: &TestApp, url: String) -> String {
    let url = Secret::new(url);
    let project = app.project("moving", json!({})).await;
    let request = CreateProject { database_url: Some(url.clone()), ..CreateProject::default() };
    let made = app.management.create_project(request).await.map(|_| ());
    let moved = app.management.start_move(&project.project_ref, to(Placement::Postgres, Some(&url))).await.map(|_| ());
    let said = [made, moved].map(|outcome| match outcome {
        Err(Error::Invalid(said)) => said,
        other => format!("{other:?}"),
    });
    assert_eq!(said[0], said[1]);
    said[0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_listens_the_connection_is_refused() {
    let app = TestApp::sqlite().await;
    let said = heard(&app, "postgres://ada:hunter2@127.0.0.1:1/nowhere".to_owned()).await;
    assert_eq!(said, "the database at 127.0.0.1:1/nowhere cannot be opened: connection refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_answers_it_is_a_timeout() {
    let app = TestApp::sqlite().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let said = heard(&app, format!("postgres://ada:hunter2@127.0.0.1:{port}/own")).await;
    assert_eq!(said, format!("the database at 127.0.0.1:{port}/own cannot be opened: timeout"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn what_the_server_refuses_is_named() {
    let app = TestApp::sqlite().await;
    let own = TestDatabase::postgres().await;
    let (server, name) = own.url().expose().rsplit_once('/').map(|(server, name)| (server.to_owned(), name)).unwrap();
    let said = heard(&app, format!("{server}/no_such_database")).await;
    assert!(said.ends_with("/no_such_database cannot be opened: database does not exist"), "{said}");
    let (_, host) = server.rsplit_once('@').unwrap();
    let other = TestApp::sqlite().await;
    let said = heard(&other, format!("postgres://nobody_here:hunter2@{host}/{name}")).await;
    assert!(said.ends_with("cannot be opened: password or role refused") && !said.contains("hunter2"), "{said}");
}
