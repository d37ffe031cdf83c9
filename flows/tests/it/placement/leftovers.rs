//! Rows that a move has left where its project is not, because it was given up while the place was away.

use std::time::Duration;

use domain::project::{Placement, Project};
use domain::secret::Secret;
use flows::management::{CreateProject, LogView, ReadLog};
use serde_json::json;
use storage::TenantStore;
use storage::archive::Sync;
use storage::control::{Leftover, MovePhase};
use testkit::{TestApp, TestDatabase, TestProject, Wire};
use tokio::time::Instant;

use super::move_between;
use super::moves::{over, rows, to};

async fn of(app: &TestApp, project: &TestProject) -> Project {
    app.management.control.projects().by_ref(&project.project_ref).await.unwrap().unwrap()
}

async fn logged(app: &TestApp, action: &str) -> Vec<LogView> {
    let log = app.management.operator_log(ReadLog::default()).await.unwrap().entries;
    log.into_iter().filter(|entry| entry.action == action).collect()
}

/// A project in a file of its own, whose rows are also in the gateway's database.
async fn in_two_places(app: &TestApp) -> (TestProject, Project) {
    let own = CreateProject {
        project_ref: Some("own".to_owned()),
        placement: Some(Placement::Sqlite),
        ..CreateProject::default()
    };
    let project = app.project_by(own).await;
    project.sign_up("ada@example.com").await;
    let found = of(app, &project).await;
    let file = app.management.databases.open(Placement::Sqlite, None, found.id).await.unwrap();
    let source = TenantStore::new(file, found.instance);
    let mut sync = Sync::new(source, TenantStore::new(app.database.clone(), found.instance), 0, true);
    let later = Instant::now() + Duration::from_secs(60);
    while sync.step(later).await.unwrap() {}
    assert!(rows(app, &project, Placement::Gateway, None).await > 0);
    (project, found)
}

/// A note that the project's rows are in the gateway's database.
async fn noted(app: &TestApp, project: &Project) -> Leftover {
    let now = app.management.clock.now();
    let left = Leftover {
        id: app.management.entropy.uuid(),
        project: project.id,
        project_ref: project.project_ref.clone(),
        instance: project.instance,
        placement: Placement::Gateway,
        sealed_url: None,
        due_at: now,
    };
    app.management.control.leftovers().keep(&left, now).await.unwrap();
    left
}

async fn notes(app: &TestApp, project: &Project) -> usize {
    app.management.control.leftovers().of_project(project.id).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_goes_and_what_serves_stays() {
    let app = TestApp::sqlite().await;
    let (project, found) = in_two_places(&app).await;
    let left = noted(&app, &found).await;
    app.management.clear_leftover(left.id).await.unwrap();
    assert_eq!(rows(&app, &project, Placement::Gateway, None).await, 0);
    assert_eq!(notes(&app, &found).await, 0);
    let entry = &logged(&app, "project.leftovers_removed").await[0];
    assert_eq!(entry.before.as_ref().unwrap()["rows"]["users"], 1);
    project.sign_in("ada@example.com").await;

    // A project that is at the place by now keeps its rows.
    app.management.start_move(&project.project_ref, to(Placement::Gateway, None)).await.unwrap();
    assert_eq!(over(&app, &project).await.phase, MovePhase::Done);
    let left = noted(&app, &found).await;
    app.management.clear_leftover(left.id).await.unwrap();
    assert_eq!(notes(&app, &found).await, 0);
    project.sign_in("ada@example.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_move_to_the_same_place_finds_it_empty() {
    let app = TestApp::sqlite().await;
    let (project, found) = in_two_places(&app).await;
    noted(&app, &found).await;
    app.management.start_move(&project.project_ref, to(Placement::Gateway, None)).await.unwrap();
    assert_eq!(over(&app, &project).await.phase, MovePhase::Done);
    assert_eq!(notes(&app, &found).await, 0);
    project.sign_in("ada@example.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_project_removes_what_its_moves_have_left() {
    let app = TestApp::sqlite().await;
    let (project, found) = in_two_places(&app).await;
    noted(&app, &found).await;
    app.management.delete_project(&project.project_ref, Some(0)).await.unwrap();
    let counts = TenantStore::new(app.database.clone(), found.instance).census().await.unwrap();
    assert!(counts.iter().all(|(_, count)| *count == 0), "{counts:?}");
    assert_eq!(notes(&app, &found).await, 0);
    let proof = &logged(&app, "project.purged").await[0];
    assert_eq!(proof.before.as_ref().unwrap()["rows"]["users"], 2, "those of both places");
    assert_eq!(proof.after.as_ref().unwrap().get("left_at"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_that_could_not_be_removed_are_tried_again() {
    let app = TestApp::sqlite().await;
    let (project, found) = in_two_places(&app).await;
    let (control, now) = (&app.management.control, app.management.clock.now());
    let failed = move_between(&app, found.id, Placement::Sqlite, Placement::Gateway);
    assert!(control.moves().start(&failed).await.unwrap());
    assert!(control.moves().advance(found.id, failed.id, MovePhase::Failed, 9, Some("away"), now).await.unwrap());
    control.moves().lay_down(found.id, failed.id, false).await.unwrap();
    assert!(control.moves().copies(now, 10).await.unwrap().is_empty(), "it was tried just now");
    app.clock.advance(301);
    let due = control.moves().copies(app.management.clock.now(), 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [failed.id]);
    app.management.resume_move(found.id).await.unwrap();
    let cleared = async {
        while control.moves().left_behind(found.id).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), cleared).await.unwrap();
    assert_eq!(rows(&app, &project, Placement::Gateway, None).await, 0);
    project.sign_in("ada@example.com").await;
}

/// A project whose move to the database at the end of the wire was cancelled while the wire was cut.
async fn left_at(app: &TestApp, own: &TestDatabase, wire: &Wire) -> TestProject {
    let project = app.project("moving", json!({})).await;
    project.sign_up("ada@example.com").await;
    let found = of(app, &project).await;
    let url = wire.url();
    app.management.databases.open(Placement::Postgres, Some(&url), found.id).await.unwrap();
    // Some rows are there, others wait for a lock.
    let mut lock = own.hold("lock table auth.identities in exclusive mode").await;
    app.management.start_move(&project.project_ref, to(Placement::Postgres, Some(&url))).await.unwrap();
    while lock.waiting().await == 0 {
        tokio::task::yield_now().await;
    }
    wire.cut();
    app.management.cancel_move(&project.project_ref).await.unwrap();
    let stepped_back = async {
        let (moves, clock) = (app.management.control.moves(), &app.management.clock);
        while moves.is_worked_on(found.id, clock.now()).await.unwrap() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), stepped_back).await.expect("the worker steps back");
    lock.release().await;
    assert!(rows(app, &project, Placement::Postgres, Some(own.url())).await > 0, "the copies are there");
    project
}

/// Tries until the place is reached.
async fn cleared(app: &TestApp, project: &Project) {
    let cleared = async {
        while let Some(left) = app.management.control.leftovers().of_project(project.id).await.unwrap().pop() {
            let _away = app.management.clear_leftover(left.id).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), cleared).await.expect("it goes once the place is reached");
}

async fn count(app: &TestApp, project: &Project, url: &Secret<String>) -> u64 {
    let database = app.management.databases.of(Placement::Postgres, Some(url), project.id).unwrap();
    TenantStore::new(database, project.instance).census().await.unwrap().iter().map(|(_, count)| count).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn what_a_move_has_left_is_remembered_beyond_the_next_one() {
    let app = TestApp::postgres().await;
    let (away, near) = (TestDatabase::postgres().await, TestDatabase::postgres().await);
    let wire = Wire::to(away.url()).await;
    let project = left_at(&app, &away, &wire).await;
    let found = of(&app, &project).await;
    app.management.start_move(&project.project_ref, to(Placement::Postgres, Some(near.url()))).await.unwrap();
    assert_eq!(over(&app, &project).await.phase, MovePhase::Done);
    assert_eq!(notes(&app, &found).await, 1);
    let left = app.management.control.leftovers().of_project(found.id).await.unwrap().remove(0);
    assert!(app.management.clear_leftover(left.id).await.is_err(), "it is still away");
    assert_eq!(notes(&app, &found).await, 1);
    wire.mend();
    cleared(&app, &found).await;
    assert_eq!(count(&app, &found, away.url()).await, 0);
    project.sign_in("ada@example.com").await;
    // And the place is free for it again.
    app.management.start_move(&project.project_ref, to(Placement::Postgres, Some(&wire.url()))).await.unwrap();
    assert_eq!(over(&app, &project).await.phase, MovePhase::Done);
    project.sign_in("ada@example.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_place_that_the_end_of_a_project_cannot_reach_is_named_and_cleared_later() {
    let app = TestApp::postgres().await;
    let away = TestDatabase::postgres().await;
    let wire = Wire::to(away.url()).await;
    let project = left_at(&app, &away, &wire).await;
    let found = of(&app, &project).await;
    app.management.delete_project(&project.project_ref, Some(0)).await.unwrap();
    assert!(app.management.control.projects().by_id(found.id).await.unwrap().is_none(), "the project is gone");
    let proof = logged(&app, "project.purged").await[0].after.clone().unwrap();
    let named = proof["left_at"][0]["database"].as_str().unwrap();
    assert!(named.starts_with("127.0.0.1:") && !named.contains('@'), "{named}");
    wire.mend();
    cleared(&app, &found).await;
    assert_eq!(count(&app, &found, away.url()).await, 0);
    assert_eq!(logged(&app, "project.leftovers_removed").await.len(), 1);
}
