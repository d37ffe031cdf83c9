//! Moves that somebody else finishes, that are given up, and that are refused.

use std::time::Duration;

use cluster::Invalidation;
use domain::project::{Hold, HoldReason, Placement};
use domain::secret::Secret;
use flows::management::{Error, MoveProject};
use serde_json::json;
use storage::control::{Gateway, Move, MovePhase};
use testkit::{TestApp, TestDatabase, TestProject};
use uuid::Uuid;

use super::move_between;
use super::moves::{over, rows, to};
use crate::letters::access;

/// A move to a file of the project's own that nobody works on.
async fn abandoned(app: &TestApp, project: &TestProject) -> Move {
    let id = app.management.project_id(&project.project_ref).await.unwrap();
    let movement = move_between(app, id, Placement::Gateway, Placement::Sqlite);
    assert!(app.management.control.moves().start(&movement).await.unwrap());
    movement
}

async fn place(app: &TestApp, project: &TestProject) -> Placement {
    app.management.placement(&project.project_ref).await.unwrap().placement
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_gateway_was_killed_is_finished_by_another() {
    let app = TestApp::sqlite().await;
    let project = app.project("moving", json!({})).await;
    let session = project.sign_up("ada@example.com").await;
    let movement = abandoned(&app, &project).await;
    // The gateway had copied and held, and was killed.
    let now = app.management.clock.now();
    let hold = Hold { reason: HoldReason::Moving, id: Uuid::from_u128(7), until: now.plus_seconds(35) };
    assert!(app.management.control.projects().hold(movement.project, hold, now).await.unwrap());
    app.management.resume_move(movement.project).await.unwrap();
    let read = app.management.control.moves().read(movement.project).await.unwrap().unwrap();
    assert_eq!(read.phase, MovePhase::Copying, "somebody may be at work");
    app.clock.advance(61);
    app.management.resume_move(movement.project).await.unwrap();
    let ended = over(&app, &project).await;
    assert_eq!((ended.phase, ended.error), (MovePhase::Done, None));
    assert_eq!(place(&app, &project).await, Placement::Sqlite);
    project.refresh(&session["refresh_token"]).send().await.expect(200);
    assert_eq!(rows(&app, &project, Placement::Gateway, None).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_gateway_left_behind_is_removed() {
    let app = TestApp::sqlite().await;
    let project = app.project("moving", json!({})).await;
    let session = project.sign_up("ada@example.com").await;
    let movement = abandoned(&app, &project).await;
    let file = app.management.databases.open(Placement::Sqlite, None, movement.project).await.unwrap();
    let instance = app.management.project(&project.project_ref).await.unwrap().project.instance;
    let source = storage::TenantStore::new(app.database.clone(), instance);
    let target = storage::TenantStore::new(file, instance);
    let mut sync = storage::archive::Sync::new(source, target, 0, true);
    let later = tokio::time::Instant::now() + Duration::from_secs(60);
    while sync.step(later).await.unwrap() {}
    let now = app.management.clock.now();
    let hold = Hold { reason: HoldReason::Moving, id: Uuid::from_u128(7), until: now.plus_seconds(35) };
    let projects = app.management.control.projects();
    assert!(projects.hold(movement.project, hold, now).await.unwrap());
    assert!(projects.place(movement.project, hold.id, Placement::Sqlite, None, now).await.unwrap());
    app.cluster.bus.publish(&Invalidation::Config(movement.project)).await.unwrap();
    let heard = async {
        while project.get("/user").bearer(access(&session)).send().await.status != 503 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.unwrap();
    // It was killed between the switch and the end of the pause, which ends by itself.
    app.clock.advance(61);
    project.get("/user").bearer(access(&session)).send().await.expect(200);
    app.management.resume_move(movement.project).await.unwrap();
    assert_eq!(over(&app, &project).await.phase, MovePhase::Done);
    assert_eq!(rows(&app, &project, Placement::Gateway, None).await, 0);
    project.get("/user").bearer(access(&session)).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_cancelled_leaves_nothing() {
    let app = TestApp::sqlite().await;
    let project = app.project("moving", json!({})).await;
    let session = project.sign_up("ada@example.com").await;
    assert!(matches!(app.management.cancel_move(&project.project_ref).await, Err(Error::Conflict(_))));
    let movement = abandoned(&app, &project).await;
    app.management.databases.open(Placement::Sqlite, None, movement.project).await.unwrap();
    let again = app.management.start_move(&project.project_ref, to(Placement::Sqlite, None)).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "one at a time");
    app.clock.advance(61);
    let cancelled = app.management.cancel_move(&project.project_ref).await.unwrap().movement.unwrap();
    assert_eq!((cancelled.phase, cancelled.error.as_deref()), (MovePhase::Failed, Some("cancelled")));
    let folder = app.placement().files().unwrap();
    let cleared = async {
        while std::fs::read_dir(&folder).unwrap().count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), cleared).await.unwrap();
    app.management.resume_move(movement.project).await.unwrap();
    project.refresh(&session["refresh_token"]).send().await.expect(200);
    app.management.start_move(&project.project_ref, to(Placement::Sqlite, None)).await.unwrap();
    assert_eq!(over(&app, &project).await.phase, MovePhase::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_does_not_stop_serving_stops_the_move() {
    let app = TestApp::sqlite().await;
    let project = app.project("moving", json!({})).await;
    let session = project.sign_up("ada@example.com").await;
    let now = app.management.clock.now();
    let deaf = Gateway {
        id: Uuid::from_u128(9),
        name: "deaf".to_owned(),
        version: "0".to_owned(),
        started_at: now,
        seen_at: now.plus_seconds(3600),
        seq: 0,
    };
    app.management.control.gateways().beat(&deaf).await.unwrap();
    let request = MoveProject { max_pause_seconds: Some(1), ..to(Placement::Sqlite, None) };
    app.management.start_move(&project.project_ref, request).await.unwrap();
    let ended = over(&app, &project).await;
    assert_eq!(ended.phase, MovePhase::Failed);
    assert!(ended.error.unwrap().contains("deaf"));
    assert_eq!(place(&app, &project).await, Placement::Gateway);
    project.refresh(&session["refresh_token"]).send().await.expect(200);
    project.sign_in("ada@example.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_fell_silent_is_waited_for_while_the_project_serves() {
    let app = TestApp::sqlite().await;
    let project = app.project("moving", json!({})).await;
    let session = project.sign_up("ada@example.com").await;
    let now = app.management.clock.now();
    let silent = Gateway {
        id: Uuid::from_u128(9),
        name: "silent".to_owned(),
        version: "0".to_owned(),
        started_at: now,
        seen_at: now.plus_seconds(-30),
        seq: 0,
    };
    app.management.control.gateways().beat(&silent).await.unwrap();
    app.management.start_move(&project.project_ref, to(Placement::Sqlite, None)).await.unwrap();
    for _ in 0..50 {
        project.get("/user").bearer(access(&session)).send().await.expect(200);
    }
    let movement = app.management.placement(&project.project_ref).await.unwrap().movement.unwrap();
    assert_eq!(movement.phase, MovePhase::Copying, "it may serve the project still");
    app.clock.advance(16);
    assert_eq!(over(&app, &project).await.phase, MovePhase::Done, "it serves nobody any more");
    project.refresh(&session["refresh_token"]).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_is_none_is_refused() {
    let app = TestApp::sqlite().await;
    let project = app.project("moving", json!({})).await;
    let start = |request| app.management.start_move(&project.project_ref, request);
    assert!(matches!(start(to(Placement::Gateway, None)).await, Err(Error::Invalid(_))));
    assert!(matches!(start(to(Placement::Postgres, None)).await, Err(Error::Invalid(_))));
    let url = Secret::new("postgres://nobody@127.0.0.1:1/nowhere".to_owned());
    assert!(matches!(start(to(Placement::Sqlite, Some(&url))).await, Err(Error::Invalid(_))));
    let long = MoveProject { max_pause_seconds: Some(601), ..to(Placement::Sqlite, None) };
    assert!(matches!(start(long).await, Err(Error::Invalid(_))));
    assert_eq!(app.management.placement(&project.project_ref).await.unwrap().movement, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn the_same_database_under_another_address_is_seen_through() {
    let app = TestApp::postgres().await;
    let project = app.project("moving", json!({})).await;
    project.sign_up("ada@example.com").await;
    let before = rows(&app, &project, Placement::Gateway, None).await;
    let same = Secret::new(format!("{}?application_name=other", app.placement().url().expose()));
    let refused = app.management.start_move(&project.project_ref, to(Placement::Postgres, Some(&same))).await;
    assert!(matches!(refused, Err(Error::Invalid(_) | Error::Conflict(_))), "{refused:?}");
    assert_eq!(rows(&app, &project, Placement::Gateway, None).await, before);

    // A database where rows of this project lie already, whoever brought them.
    let own = TestDatabase::postgres().await;
    let id = app.management.project_id(&project.project_ref).await.unwrap();
    let instance = app.management.project(&project.project_ref).await.unwrap().project.instance;
    app.management.databases.open(Placement::Postgres, Some(own.url()), id).await.unwrap();
    own.execute(&format!(
        "insert into auth.users (instance_id, id) values ('{}', '{}')",
        instance.0,
        Uuid::from_u128(1)
    ))
    .await;
    let refused = app.management.start_move(&project.project_ref, to(Placement::Postgres, Some(own.url()))).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(rows(&app, &project, Placement::Postgres, Some(own.url())).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_cancelled_copy_stops_and_is_removed() {
    let app = TestApp::postgres().await;
    let project = app.project("moving", json!({})).await;
    let session = project.sign_up("ada@example.com").await;
    let own = TestDatabase::postgres().await;
    let id = app.management.project_id(&project.project_ref).await.unwrap();
    app.management.databases.open(Placement::Postgres, Some(own.url()), id).await.unwrap();
    // Copying waits for a lock in the new database.
    let mut lock = own.hold("lock table auth.identities in exclusive mode").await;
    app.management.start_move(&project.project_ref, to(Placement::Postgres, Some(own.url()))).await.unwrap();
    while lock.waiting().await == 0 {
        let movement = app.management.placement(&project.project_ref).await.unwrap().movement.unwrap();
        assert!(!movement.phase.is_over(), "{movement:?}");
        tokio::task::yield_now().await;
    }
    let cancelled = app.management.cancel_move(&project.project_ref).await.unwrap().movement.unwrap();
    assert_eq!(cancelled.phase, MovePhase::Failed);
    lock.release().await;
    let cleared = async {
        while rows(&app, &project, Placement::Postgres, Some(own.url())).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), cleared).await.unwrap();
    assert_eq!(place(&app, &project).await, Placement::Gateway);
    project.refresh(&session["refresh_token"]).send().await.expect(200);
}

/// How many rows there are anywhere of a project that is gone.
async fn nothing_is_left(
    app: &TestApp,
    places: &[(Placement, Option<&Secret<String>>)],
    gone: &domain::project::Project,
) {
    assert!(app.management.control.projects().by_id(gone.id).await.unwrap().is_none(), "it is gone");
    for (placement, url) in places {
        if *placement == Placement::Sqlite {
            let files = std::fs::read_dir(app.placement().files().unwrap()).map_or(0, Iterator::count);
            assert_eq!(files, 0);
            continue;
        }
        let database = app.management.databases.of(*placement, *url, gone.id).unwrap();
        let counts = storage::TenantStore::new(database, gone.instance).census().await.unwrap();
        assert!(counts.iter().all(|(_, count)| *count == 0), "{placement:?}: {counts:?}");
    }
}

async fn of(app: &TestApp, project: &TestProject) -> domain::project::Project {
    app.management.control.projects().by_ref(&project.project_ref).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_removed_while_its_old_rows_go_leaves_neither_place() {
    let app = TestApp::sqlite().await;
    let project = app.project("moving", json!({})).await;
    project.sign_up("ada@example.com").await;
    let movement = abandoned(&app, &project).await;
    let gone = of(&app, &project).await;
    let file = app.management.databases.open(Placement::Sqlite, None, gone.id).await.unwrap();
    let source = storage::TenantStore::new(app.database.clone(), gone.instance);
    let mut sync = storage::archive::Sync::new(source, storage::TenantStore::new(file, gone.instance), 0, true);
    let later = tokio::time::Instant::now() + Duration::from_secs(60);
    while sync.step(later).await.unwrap() {}
    let now = app.management.clock.now();
    let hold = Hold { reason: HoldReason::Moving, id: Uuid::from_u128(7), until: now.plus_seconds(35) };
    let projects = app.management.control.projects();
    assert!(projects.hold(gone.id, hold, now).await.unwrap());
    assert!(projects.place(gone.id, hold.id, Placement::Sqlite, None, now).await.unwrap());
    // Whoever worked on it was killed after the switch.
    app.clock.advance(61);
    app.management.delete_project(&project.project_ref, Some(0)).await.unwrap();
    nothing_is_left(&app, &[(Placement::Gateway, None), (Placement::Sqlite, None)], &gone).await;
    app.management.resume_move(movement.project).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_removed_at_any_moment_of_its_move_leaves_neither_place() {
    let app = TestApp::sqlite().await;
    for round in 0..6_u64 {
        let project = app.project("moving", json!({})).await;
        for number in 0..20 {
            project.sign_up(&format!("user{number}@example.com")).await;
        }
        let gone = of(&app, &project).await;
        app.management.start_move(&project.project_ref, to(Placement::Sqlite, None)).await.unwrap();
        let phases = [MovePhase::Copying, MovePhase::Holding, MovePhase::Cleaning];
        let awaited = phases[round as usize % 3];
        loop {
            let phase = app.management.placement(&project.project_ref).await.unwrap().movement.unwrap().phase;
            if phase == awaited || phase.is_over() {
                break;
            }
            tokio::task::yield_now().await;
        }
        app.management.delete_project(&project.project_ref, Some(0)).await.unwrap();
        nothing_is_left(&app, &[(Placement::Gateway, None), (Placement::Sqlite, None)], &gone).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_project_removed_while_it_is_copied_leaves_nothing_in_the_other_database() {
    let app = TestApp::postgres().await;
    let project = app.project("moving", json!({})).await;
    project.sign_up("ada@example.com").await;
    let gone = of(&app, &project).await;
    let own = TestDatabase::postgres().await;
    app.management.databases.open(Placement::Postgres, Some(own.url()), gone.id).await.unwrap();
    // Copying waits for a lock in the new database, until after the project was deleted.
    let mut lock = own.hold("lock table auth.identities in exclusive mode").await;
    app.management.start_move(&project.project_ref, to(Placement::Postgres, Some(own.url()))).await.unwrap();
    while lock.waiting().await == 0 {
        tokio::task::yield_now().await;
    }
    let deleted = async { app.management.delete_project(&project.project_ref, Some(0)).await.unwrap() };
    let released = async {
        while of(&app, &project).await.status != domain::project::Status::Deleting {
            tokio::task::yield_now().await;
        }
        lock.release().await;
    };
    tokio::join!(deleted, released);
    nothing_is_left(&app, &[(Placement::Gateway, None), (Placement::Postgres, Some(own.url()))], &gone).await;
}
