//! What has expired goes, in every project, whether anybody asks for it or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cluster::{Cluster, Counters, Hit, Take, Unavailable};
use domain::ids::ProjectId;
use domain::time::Timestamp;
use flows::management::CreateProject;
use http::Method;
use serde_json::{Value, json};
use storage::Placement;
use testkit::{Limits, MockClock, Setup, TestApp, TestDatabase, TestProject};

use crate::both::on_both;

const DAY: i64 = 24 * 3600;

/// A gateway over the same rows that has nothing in memory and cleans up without rest, so many days later.
async fn cleaner(app: &TestApp, days: i64) -> TestApp {
    let clock = Arc::new(MockClock::default());
    clock.advance(days * DAY);
    let often = Duration::from_millis(10);
    let limits = Limits { janitor_step: often, janitor_sweep: often, ..Limits::default() };
    TestApp::start(Setup { clock, limits, seed: 9, ..Setup::new(app.placement()) }).await
}

async fn users(project: &TestProject) -> u64 {
    let listed = project.ask(Method::GET, "/admin/users").bearer(&project.service_role_key).send().await.expect(200);
    listed.json()["users"].as_array().unwrap().len() as u64
}

async fn eventually(condition: impl AsyncFn() -> bool) {
    let asking = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("the condition holds in time");
}

async fn anonymous(project: &TestProject) -> Value {
    project.post("/signup", json!({})).send().await.expect(200).json()
}

async fn projects_nobody_asks_for_are_swept_by_their_settings(app: TestApp) {
    let forgetful = app.project("forgetful", json!({ "external_anonymous_users_enabled": true })).await;
    let keeping = app.project("keeping", json!({ "external_anonymous_users_enabled": true })).await;
    for project in [&forgetful, &keeping] {
        anonymous(project).await;
        project.sign_up("ada@example.com").await;
    }
    // With anonymous sign-ins switched off, those who came by them stay.
    let off = json!({ "external_anonymous_users_enabled": false });
    app.management.patch_config(&keeping.project_ref, off.as_object().unwrap()).await.unwrap();

    let early = cleaner(&app, 29).await;
    // Both are read in every round, for which it becomes time: who reads one again has swept both.
    eventually(async || {
        early.clock.advance(1);
        early.handle.stats().loads > 2
    })
    .await;
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
    let short = app.project("short", json!({ "audit_log_retention_days": 10 })).await;
    let long = app.project("long", json!({ "audit_log_retention_days": 100 })).await;
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
    app.management.create_project(own).await.unwrap();
    let project = app.project("shared", json!({ "external_anonymous_users_enabled": true })).await;
    anonymous(&project).await;
    away.destroy().await;
    let _cleaner = cleaner(&app, 31).await;
    eventually(async || users(&project).await == 0).await;
}

/// Counters that note how often a gateway asks whether a project is its own to sweep, and how often it is.
struct Takes {
    shared: Arc<dyn Counters>,
    granted: AtomicUsize,
    asked: AtomicUsize,
}

impl Takes {
    fn of(app: &TestApp) -> Arc<Self> {
        let shared = Arc::clone(&app.cluster.counters);
        Arc::new(Self { shared, granted: AtomicUsize::new(0), asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Counters for Takes {
    async fn take(
        &self,
        project: ProjectId,
        bucket: &str,
        capacity: u32,
        refill: f64,
        now: Timestamp,
    ) -> Result<Take, Unavailable> {
        let taken = self.shared.take(project, bucket, capacity, refill, now).await;
        if bucket == "cleanup" {
            self.granted.fetch_add(usize::from(taken.as_ref().is_ok_and(|taken| taken.granted())), Ordering::SeqCst);
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        taken
    }

    async fn hit(
        &self,
        project: ProjectId,
        key: &str,
        limit: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Hit, Unavailable> {
        self.shared.hit(project, key, limit, window, now).await
    }

    async fn clear(&self, project: ProjectId, key: &str) -> Result<(), Unavailable> {
        self.shared.clear(project, key).await
    }
}

async fn gateways_that_share_counters_share_the_work(app: TestApp) {
    for number in 0..40 {
        app.project(&format!("project{number:02}"), json!({})).await;
    }
    let limits = Limits { janitor_step: Duration::from_millis(10), ..Limits::default() };
    let mut gateways = Vec::new();
    let takes = [Takes::of(&app), Takes::of(&app)];
    for (seed, takes) in (11..).zip(&takes) {
        let clock = Arc::clone(&app.clock);
        let cluster = Cluster { counters: takes.clone(), ..app.cluster.clone() };
        let setup = Setup { clock, cluster, limits: limits.clone(), seed, ..Setup::new(app.placement()) };
        gateways.push(TestApp::start(setup).await);
    }
    let loads = || gateways.iter().map(|gateway| gateway.handle.stats().loads).sum::<u64>();
    eventually(async || loads() >= 40).await;
    eventually(async || takes.iter().all(|takes| takes.asked.load(Ordering::SeqCst) >= 40)).await;
    assert_eq!(takes.iter().map(|takes| takes.granted.load(Ordering::SeqCst)).sum::<usize>(), 40);
    assert_eq!(loads(), 40, "each project once, by one of them");
}
on_both!(work_is_shared_on_sqlite, work_is_shared_on_postgres, gateways_that_share_counters_share_the_work);
