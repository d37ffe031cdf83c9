//! What has expired goes, in every project, whether anybody asks for it or not.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::ProjectId;
use domain::time::Clock;
use flows::management::CreateProject;
use http::Method;
use serde_json::{Value, json};
use storage::Placement;
use testkit::{Limits, MockClock, Setup, TestApp, TestDatabase, TestProject};

use crate::both::on_both;
use crate::eventually::eventually;

const DAY: i64 = 24 * 3600;

/// A gateway over the same rows that has nothing in memory and cleans up without rest, so many days later.
async fn cleaner(app: &TestApp, days: i64) -> TestApp {
    let clock = Arc::new(MockClock::default());
    clock.advance(days * DAY);
    let often = Duration::from_millis(10);
    let limits = Limits { janitor_step: often, janitor_sweep: often, ..Limits::default() };
    TestApp::start(Setup { clock, limits, seed: 9, ..Setup::new(app.placement()) }).await
}

/// Has projects looked at soon.
async fn schedule(app: &TestApp, projects: &[ProjectId]) {
    app.management.control.projects().schedule_sweeps(projects, app.clock.now()).await.unwrap();
}

async fn users(project: &TestProject) -> u64 {
    let listed = project.ask(Method::GET, "/admin/users").bearer(&project.service_role_key).send().await.expect(200);
    listed.json()["users"].as_array().unwrap().len() as u64
}

async fn anonymous(project: &TestProject) -> Value {
    project.post("/signup", json!({})).send().await.expect(200).json()
}

/// A gateway beside `app`, at the same time, which puts down what its projects may have to be swept for.
async fn writer(app: &TestApp) -> TestApp {
    let limits = Limits { janitor_step: Duration::from_millis(10), ..Limits::default() };
    let clock = Arc::clone(&app.clock);
    TestApp::start(Setup { clock, limits, seed: 8, ..Setup::new(app.placement()) }).await
}

async fn projects_nobody_asks_for_are_swept_by_their_settings(app: TestApp) {
    let writer = writer(&app).await;
    let forgetful = writer.project("forgetful", json!({ "external_anonymous_users_enabled": true })).await;
    let keeping = writer.project("keeping", json!({ "external_anonymous_users_enabled": true })).await;
    for project in [&forgetful, &keeping] {
        anonymous(project).await;
        project.sign_up("ada@example.com").await;
    }
    // With anonymous sign-ins switched off, those who came by them stay.
    let off = json!({ "external_anonymous_users_enabled": false });
    writer.management.patch_config(&keeping.project_ref, off.as_object().unwrap()).await.unwrap();

    let early = cleaner(&app, 29).await;
    eventually(async || early.handle.stats().loads >= 2).await;
    assert_eq!((users(&forgetful).await, users(&keeping).await), (2, 2), "a day too early");
    let _late = cleaner(&app, 31).await;
    eventually(async || users(&forgetful).await == 1).await;
    assert_eq!(users(&keeping).await, 2);
}
on_both!(
    projects_are_swept_on_sqlite,
    projects_are_swept_on_postgres,
    projects_nobody_asks_for_are_swept_by_their_settings
);

async fn audit_rows_go_when_their_days_are_over(app: TestApp) {
    let writer = writer(&app).await;
    let short = writer.project("short", json!({ "audit_log_retention_days": 10 })).await;
    let long = writer.project("long", json!({ "audit_log_retention_days": 100 })).await;
    short.sign_up("short@example.com").await;
    long.sign_up("long@example.com").await;
    // The audit rows are the ones that hold an action.
    let action = "user_signedup";
    assert_eq!(app.stored_text().await.matches(action).count(), 2);
    let _cleaner = cleaner(&app, 11).await;
    eventually(async || app.stored_text().await.matches(action).count() == 1).await;
}
on_both!(audit_rows_go_on_sqlite, audit_rows_go_on_postgres, audit_rows_go_when_their_days_are_over);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_database_that_is_away_does_not_stop_the_round() {
    let app = TestApp::postgres().await;
    let away = TestDatabase::postgres().await;
    let Placement::Postgres { url, .. } = &away.auth else { panic!("not on PostgreSQL") };
    let own = CreateProject {
        project_ref: Some("a-own-database".to_owned()),
        database_url: Some(url.clone()),
        ..CreateProject::default()
    };
    let made = app.management.create_project(own).await.unwrap();
    schedule(&app, &[made.project.id]).await;
    let project = app.project("shared", json!({ "external_anonymous_users_enabled": true })).await;
    anonymous(&project).await;
    schedule(&app, &[app.management.project(&project.project_ref).await.unwrap().project.id]).await;
    away.destroy().await;
    let _cleaner = cleaner(&app, 31).await;
    eventually(async || users(&project).await == 0).await;
}

async fn gateways_share_the_work(app: TestApp) {
    let mut projects = Vec::new();
    for number in 0..40 {
        let project = app.project(&format!("project{number:02}"), json!({})).await;
        projects.push(app.management.project(&project.project_ref).await.unwrap().project.id);
    }
    schedule(&app, &projects).await;
    let limits = Limits { janitor_step: Duration::from_millis(10), ..Limits::default() };
    let mut gateways = Vec::new();
    for seed in [11, 12] {
        let (clock, limits) = (Arc::clone(&app.clock), limits.clone());
        let setup = Setup { clock, limits, seed, ..Setup::new(app.placement()) };
        gateways.push(TestApp::start(setup).await);
    }
    let loads = || gateways.iter().map(|gateway| gateway.handle.stats().loads).sum::<u64>();
    eventually(async || loads() >= 40).await;
    // Some steps later none has been read again.
    for _ in 0..200 {
        app.management.control.ping().await.unwrap();
    }
    assert_eq!(loads(), 40, "each project once, by one of them");
}
on_both!(work_is_shared_on_sqlite, work_is_shared_on_postgres, gateways_share_the_work);

async fn a_project_is_looked_at_again_when_something_of_it_expires(app: TestApp) {
    let project = app.project("one", json!({ "external_anonymous_users_enabled": true })).await;
    anonymous(&project).await;
    schedule(&app, &[app.management.project(&project.project_ref).await.unwrap().project.id]).await;
    let cleaner = cleaner(&app, 2).await;
    eventually(async || cleaner.handle.stats().loads == 1).await;
    cleaner.clock.advance(27 * DAY);
    for _ in 0..20 {
        assert_eq!(users(&project).await, 1);
    }
    assert_eq!(cleaner.handle.stats().loads, 1, "nothing of it was due");
    cleaner.clock.advance(2 * DAY);
    eventually(async || users(&project).await == 0).await;
}
on_both!(
    a_project_is_due_on_sqlite,
    a_project_is_due_on_postgres,
    a_project_is_looked_at_again_when_something_of_it_expires
);
