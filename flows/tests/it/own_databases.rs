//! Projects with a database of their own: few of them are open at a time, and whoever shares one stays apart all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::project::Placement;
use domain::secret::Secret;
use flows::OwnDatabases;
use flows::management::CreateProject;
use http::Method;
use serde_json::{Map, Value, json};
use testkit::{Setup, TestApp, TestDatabase, TestProject};

use crate::letters::access;

/// The longest anything here may take that takes its time.
const SOON: Duration = Duration::from_secs(20);

fn anonymous() -> Map<String, Value> {
    json!({ "external_anonymous_users_enabled": true }).as_object().cloned().unwrap()
}

/// A project in a file of its own.
async fn in_a_file(app: &TestApp, name: &str) -> TestProject {
    let (project_ref, placement) = (Some(name.to_owned()), Some(Placement::Sqlite));
    app.project_by(CreateProject { project_ref, placement, config: anonymous(), ..CreateProject::default() }).await
}

/// A project in the PostgreSQL database at `url`.
pub(crate) async fn in_a_database(app: &TestApp, name: &str, url: &Secret<String>) -> TestProject {
    let (project_ref, database_url) = (Some(name.to_owned()), Some(url.clone()));
    app.project_by(CreateProject { project_ref, database_url, config: anonymous(), ..CreateProject::default() }).await
}

/// Somebody without address or password.
pub(crate) async fn somebody(project: &TestProject) -> Value {
    project.post("/signup", json!({})).send().await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_projects_are_served_with_eight_databases_open() {
    let placement = Arc::new(TestDatabase::sqlite());
    let own = OwnDatabases { files: placement.files(), most_open: 8 };
    let app = TestApp::start(Setup { own, ..Setup::new(placement) }).await;
    let open = || app.management.databases.open_now();
    let mut projects = Vec::new();
    for number in 0..200 {
        let project = in_a_file(&app, &format!("project-{number}")).await;
        let session = somebody(&project).await;
        projects.push((project, session));
        assert!(open() <= 8);
    }
    // In turn, so that each finds itself closed, and then many at once.
    for (project, session) in &projects {
        project.get("/user").bearer(access(session)).send().await.expect(200);
        assert!(open() <= 8);
    }
    for some in projects.chunks(25) {
        let asked = some.iter().map(|(project, session)| project.refresh(&session["refresh_token"]).send());
        for answer in futures::future::join_all(asked).await {
            answer.expect(200);
        }
        assert!(open() <= 8);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_in_a_file_of_its_own_has_its_rows_there_and_nowhere_else() {
    let app = TestApp::sqlite().await;
    let project = in_a_file(&app, "alone").await;
    let session = project.sign_up("ada@example.com").await;
    project.get("/user").bearer(access(&session)).send().await.expect(200);
    assert!(!app.stored_text().await.contains("ada@example.com"), "not in the gateway's file");
    let folder = app.placement().files().unwrap();
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|file| std::fs::read(file).unwrap().windows(15).any(|text| text == b"ada@example.com")));
    // Gone with its file, and made by nobody again.
    let id = app.management.project(&project.project_ref).await.unwrap().project.id;
    app.management.databases.remove_file(id).await.unwrap();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    project.get("/user").bearer(access(&session)).send().await.expect(503);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn projects_in_one_own_database_share_its_connections_and_nothing_else() {
    let (app, place) = (TestApp::sqlite().await, TestDatabase::postgres().await);
    let one = in_a_database(&app, "one", place.url()).await;
    let two = in_a_database(&app, "two", place.url()).await;
    let mine = one.sign_up("ada@example.com").await;
    let theirs = two.sign_up("ada@example.com").await;
    assert_ne!(mine["user"]["id"], theirs["user"]["id"]);
    assert_eq!(app.management.databases.open_now(), 1);
    for (method, path) in [(Method::GET, "/user"), (Method::POST, "/logout"), (Method::GET, "/sessions")] {
        two.ask(method, path).bearer(access(&mine)).send().await.expect(403);
    }
    two.refresh(&mine["refresh_token"]).send().await.expect(400);
    let path = format!("/admin/users/{}", mine["user"]["id"].as_str().unwrap());
    two.get(&path).bearer(&two.service_role_key).send().await.expect(404);
    two.ask(Method::DELETE, &path).bearer(&two.service_role_key).send().await.expect(404);
    let listed = two.get("/admin/users").bearer(&two.service_role_key).send().await.expect(200).json();
    assert_eq!(listed["users"].as_array().unwrap().len(), 1);
    one.get("/user").bearer(access(&mine)).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_paused_project_gives_up_the_connections_to_its_database() {
    let (app, place) = (TestApp::sqlite().await, TestDatabase::postgres().await);
    let project = in_a_database(&app, "one", place.url()).await;
    let session = somebody(&project).await;
    assert!(place.connections().await > 0);
    app.management.set_paused(&project.project_ref, true).await.unwrap();
    let begin = Instant::now();
    while place.connections().await > 0 {
        assert!(begin.elapsed() < SOON, "{} connections", place.connections().await);
    }
    app.management.set_paused(&project.project_ref, false).await.unwrap();
    project.get("/user").bearer(access(&session)).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_project_that_holds_all_its_share_is_refused_alone_and_told_why() {
    let app = TestApp::postgres().await;
    let (greedy, other) = (app.project("greedy", json!({})).await, app.project("other", json!({})).await);
    let quotas = json!({ "database": 1 }).as_object().cloned().unwrap();
    app.management.set_quotas(&greedy.project_ref, &quotas).await.unwrap();
    let session = greedy.sign_up("ada@example.com").await;
    let id = session["user"]["id"].as_str().unwrap().to_owned();
    // Somebody holds the account's row, so that whoever changes it holds his connection.
    let mut held = app.placement().hold(&format!("select id from auth.users where id = '{id}' for update")).await;
    let change = greedy.ask(Method::PUT, "/user").bearer(access(&session)).json(&json!({ "data": { "a": 1 } }));
    let change = tokio::spawn(change.send());
    let begin = Instant::now();
    while held.waiting().await == 0 {
        assert!(begin.elapsed() < SOON, "nobody waits");
    }
    let refused = greedy.get("/admin/users").bearer(&greedy.service_role_key).send().await.expect(503);
    assert_eq!(refused.error_code(), "project_quota_reached");
    assert!(refused.text.contains("database") && refused.header("retry-after") == "1", "{}", refused.text);
    other.get("/admin/users").bearer(&other.service_role_key).send().await.expect(200);
    held.release().await;
    change.await.unwrap().expect(200);
    greedy.get("/admin/users").bearer(&greedy.service_role_key).send().await.expect(200);
}
