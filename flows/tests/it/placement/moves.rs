//! A project moves to another database while its users go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::project::Placement;
use domain::secret::Secret;
use flows::management::{MoveProject, MoveView};
use http::Method;
use serde_json::{Value, json};
use storage::TenantStore;
use storage::control::MovePhase;
use testkit::{TestApp, TestDatabase, TestProject};
use tokio::task::JoinSet;

use super::{exported, said, without_token_ids};
use crate::letters::access;
use crate::totp::enrolled;

/// A destination, as an operator names it.
pub(super) fn to(placement: Placement, url: Option<&Secret<String>>) -> MoveProject {
    MoveProject { placement, database_url: url.cloned(), max_pause_seconds: None }
}

/// Waits until the project's move is over.
pub(super) async fn over(app: &TestApp, project: &TestProject) -> MoveView {
    let over = async {
        loop {
            let movement = app.management.placement(&project.project_ref).await.unwrap().movement.unwrap();
            if movement.phase.is_over() {
                return movement;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), over).await.expect("the move ends")
}

/// Moves the project and waits until it is there.
async fn moved(app: &TestApp, project: &TestProject, request: MoveProject) {
    let placement = request.placement;
    let begun = app.management.start_move(&project.project_ref, request).await.unwrap().movement.unwrap();
    let ended = over(app, project).await;
    assert_eq!((ended.id, ended.phase, &ended.error), (begun.id, MovePhase::Done, &None));
    assert_eq!(app.management.placement(&project.project_ref).await.unwrap().placement, placement);
}

/// The rows of the project in a place, whether it is there or not.
pub(super) async fn rows(
    app: &TestApp,
    project: &TestProject,
    placement: Placement,
    url: Option<&Secret<String>>,
) -> u64 {
    let project = app.management.control.projects().by_ref(&project.project_ref).await.unwrap().unwrap();
    let database = app.management.databases.of(placement, url, project.id).unwrap();
    let counts = TenantStore::new(database, project.instance).census().await.unwrap();
    counts.iter().map(|(_, count)| count).sum()
}

/// Sends a request until it is answered by more than "not now".
async fn patiently(request: impl Fn() -> testkit::Ask) -> testkit::Answer {
    loop {
        let answer = request().send().await;
        if answer.status != 503 {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

/// What one user has been promised: her address and her newest refresh token.
struct Promised {
    email: String,
    session: Value,
    refreshed: usize,
}

/// Signs up and refreshes, through one gateway or the other, until told to stop.
async fn live(gateways: [TestProject; 2], name: String, stop: Arc<AtomicBool>) -> Vec<Promised> {
    let mut promised = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let [one, other] = &gateways;
        let email = format!("{name}-{}@example.com", promised.len());
        let body = json!({ "email": email, "password": "correct horse" });
        let mut session = patiently(|| one.post("/signup", body.clone())).await.expect(200).json();
        let mut refreshed = 0;
        for through in [other, one, other] {
            session = patiently(|| through.refresh(&session["refresh_token"])).await.expect(200).json();
            refreshed += 1;
        }
        promised.push(Promised { email, session, refreshed });
    }
    promised
}

/// Moves a project on while users sign up and refresh on two gateways, and asks afterwards for everything that was promised.
async fn nothing_is_lost(app: &TestApp, project: &TestProject, ways: Vec<MoveProject>) {
    let sibling = app.sibling().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut users = JoinSet::new();
    for number in 0..4 {
        let gateways = [app.through(project), sibling.through(project)];
        users.spawn(live(gateways, format!("user{number}"), Arc::clone(&stop)));
    }
    for way in ways {
        moved(app, project, way).await;
    }
    stop.store(true, Ordering::Relaxed);
    let promised: Vec<Promised> = users.join_all().await.into_iter().flatten().collect();
    assert!(promised.len() >= 4 && promised.iter().all(|user| user.refreshed == 3));
    for user in &promised {
        let through = sibling.through(project);
        through.get("/user").bearer(access(&user.session)).send().await.expect(200);
        project.refresh(&user.session["refresh_token"]).send().await.expect(200);
        through.sign_in(&user.email).await;
    }
}

/// A project with stored tokens, a second factor, and ended sessions.
async fn lived_in(app: &TestApp) -> (TestProject, Value, Value) {
    let config = json!({ "security_refresh_token_algorithm_version": 1 });
    let neighbour = app.project("neighbour", config.clone()).await;
    neighbour.sign_up("n@example.com").await;
    let project = app.project("moving", config).await;
    let session = project.sign_up("ada@example.com").await;
    let (_, raised) = enrolled(app, &project, &session).await;
    let gone = project.sign_in("ada@example.com").await;
    project.post("/logout?scope=local", json!({})).bearer(access(&gone)).send().await.expect(204);
    let bound = json!({ "security_refresh_token_algorithm_version": 2 });
    app.management.patch_config(&project.project_ref, bound.as_object().unwrap()).await.unwrap();
    (project, session, raised)
}

async fn revocations(project: &TestProject) -> Value {
    let ask = project.ask(Method::GET, "/admin/revocations?cursor=0").bearer(&project.service_role_key);
    ask.send().await.expect(200).json()
}

/// There and back: everything is as it was, and nothing stays behind.
async fn there_and_back(app: &TestApp, away: MoveProject) {
    let (project, session, raised) = lived_in(app).await;
    let url = away.database_url.clone();
    let before = said(&exported(app, &project.project_ref, 1000).await);
    let (feed, count) = (revocations(&project).await, rows(app, &project, Placement::Gateway, None).await);
    let placement = away.placement;
    moved(app, &project, away).await;
    assert_eq!(rows(app, &project, Placement::Gateway, None).await, 0);
    assert_eq!(rows(app, &project, placement, url.as_ref()).await, count);
    assert_eq!(revocations(&project).await, feed, "nobody's session ended");
    assert_eq!(without_token_ids(said(&exported(app, &project.project_ref, 1000).await)), without_token_ids(before));
    // What was issued before the level rose is still too old, what was issued with it is not.
    project.refresh(&session["refresh_token"]).send().await.expect(400);
    let next = project.refresh(&raised["refresh_token"]).send().await;
    assert!(next.status == 200 || next.status == 400, "{}", next.text);
    moved(app, &project, to(Placement::Gateway, None)).await;
    if placement == Placement::Postgres {
        assert_eq!(rows(app, &project, placement, url.as_ref()).await, 0);
    }
    project.sign_in("ada@example.com").await;
    let log = app.management.operator_log(flows::management::ReadLog::default()).await.unwrap();
    let actions: Vec<&str> = log.entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "project.moved").count(), 2, "{actions:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_moves_into_a_file_of_its_own_and_back() {
    there_and_back(&TestApp::sqlite().await, to(Placement::Sqlite, None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_project_moves_into_a_database_of_its_own_and_back() {
    let own = TestDatabase::postgres().await;
    there_and_back(&TestApp::postgres().await, to(Placement::Postgres, Some(own.url()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_project_moves_from_sqlite_to_postgresql_and_back() {
    let own = TestDatabase::postgres().await;
    there_and_back(&TestApp::sqlite().await, to(Placement::Postgres, Some(own.url()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_was_answered_is_lost_between_files() {
    let app = TestApp::sqlite().await;
    let project = app.project("moving", json!({})).await;
    let ways = vec![to(Placement::Sqlite, None), to(Placement::Gateway, None)];
    nothing_is_lost(&app, &project, ways).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn nothing_that_was_answered_is_lost_between_databases() {
    let app = TestApp::postgres().await;
    let (one, other) = (TestDatabase::postgres().await, TestDatabase::postgres().await);
    let project = app.project("moving", json!({})).await;
    let databases = [one.url(), other.url()].map(|url| to(Placement::Postgres, Some(url)));
    let ways = databases.into_iter().chain([to(Placement::Gateway, None)]).collect();
    nothing_is_lost(&app, &project, ways).await;
}
