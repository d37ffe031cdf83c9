//! A project's own database goes away: that is its project's trouble, and nobody else's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::project::Placement;
use flows::management::CreateProject;
use serde_json::{Value, json};
use testkit::{Setup, TestApp, TestDatabase, TestProject, Wire};

use crate::letters::access;
use crate::own_databases::{in_a_database, somebody};

/// The lock under which schemas are brought up to date.
const MIGRATING: i64 = 0x7465_6e61_6e74_7279;

/// The longest anything here may take that takes its time.
const SOON: Duration = Duration::from_secs(40);

/// What is served without a database.
async fn is_known(project: &TestProject) {
    for path in ["/settings", "/.well-known/jwks.json", "/health"] {
        project.get(path).send().await.expect(200);
    }
}

async fn is_away(project: &TestProject, session: &Value) {
    let refused = project.get("/user").bearer(access(session)).send().await.expect(503);
    assert!(!refused.header("retry-after").is_empty());
    assert!(!refused.text.contains("127.0.0.1"), "{}", refused.text);
}

async fn comes_back(project: &TestProject, session: &Value) {
    let begin = Instant::now();
    loop {
        let answer = project.get("/user").bearer(access(session)).send().await;
        if answer.status == 200 {
            break;
        }
        assert!(answer.status == 503 && begin.elapsed() < SOON, "{} {}", answer.status, answer.text);
        tokio::task::yield_now().await;
    }
    project.refresh(&session["refresh_token"]).send().await.expect(200);
}

/// A gateway on SQLite with a project there, and one whose PostgreSQL database is at the other end of a wire.
async fn neighbours() -> (TestApp, TestProject, TestProject, Wire, TestDatabase) {
    let (app, place) = (TestApp::sqlite().await, TestDatabase::postgres().await);
    let wire = Wire::to(place.url()).await;
    let own = in_a_database(&app, "own", &wire.url()).await;
    let shared = app.project("shared", json!({ "external_anonymous_users_enabled": true })).await;
    (app, own, shared, wire, place)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn one_that_is_away_when_its_project_comes_into_memory_costs_that_project_alone() {
    let (app, own, shared, wire, _place) = neighbours().await;
    let session = somebody(&own).await;
    for (seed, silent) in [(2, false), (3, true)] {
        // A gateway that has not heard of it yet.
        let (cluster, clock) = (app.cluster.clone(), Arc::clone(&app.clock));
        let fresh = TestApp::start(Setup { cluster, clock, seed, ..Setup::new(app.placement()) }).await;
        let (own, shared) = (fresh.through(&own), fresh.through(&shared));
        if silent {
            wire.silence()
        } else {
            wire.cut()
        }
        let begin = Instant::now();
        let others = async {
            for _ in 0..10 {
                somebody(&shared).await;
            }
        };
        tokio::join!(is_away(&own, &session), others);
        assert!(begin.elapsed() < Duration::from_secs(10), "nobody waits for long");
        is_known(&own).await;
        wire.mend();
        let begin = Instant::now();
        while own.get("/user").bearer(access(&session)).send().await.status != 200 {
            assert!(begin.elapsed() < SOON, "it does not come back");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn one_that_goes_away_under_its_project_costs_that_project_alone_and_comes_back_by_itself() {
    let (_app, own, shared, wire, _place) = neighbours().await;
    let session = somebody(&own).await;
    wire.cut();
    for _ in 0..4 {
        is_away(&own, &session).await;
    }
    is_known(&own).await;
    somebody(&shared).await;
    // Nobody dials for each request: at most one tries, a second after the last one did.
    let (dialled, begin) = (wire.dialled(), Instant::now());
    for _ in 0..100 {
        is_away(&own, &session).await;
    }
    let seconds = usize::try_from(begin.elapsed().as_secs()).unwrap();
    assert!(wire.dialled() - dialled <= 1 + seconds, "{} attempts", wire.dialled() - dialled);
    wire.mend();
    comes_back(&own, &session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_away_costs_its_project_alone_and_comes_back_by_itself() {
    let placement = Arc::new(TestDatabase::sqlite());
    let app = TestApp::start(Setup::new(Arc::clone(&placement))).await;
    let config = json!({ "external_anonymous_users_enabled": true });
    let request = CreateProject {
        project_ref: Some("own".to_owned()),
        placement: Some(Placement::Sqlite),
        config: config.as_object().cloned().unwrap(),
        ..CreateProject::default()
    };
    let own = app.project_by(request).await;
    let shared = app.project("shared", config).await;
    let session = somebody(&own).await;
    app.management.databases.close_own().await;
    let folder = placement.files().unwrap();
    let away = folder.with_file_name("away");
    std::fs::rename(&folder, &away).unwrap();
    let fresh = app.sibling().await;
    let (own, shared) = (fresh.through(&own), fresh.through(&shared));
    for _ in 0..4 {
        is_away(&own, &session).await;
    }
    is_known(&own).await;
    somebody(&shared).await;
    assert!(!folder.exists(), "nothing is made anew");
    std::fs::rename(&away, &folder).unwrap();
    comes_back(&own, &session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn one_whose_schema_takes_its_time_holds_up_nobody_else() {
    let (app, own, shared, _wire, place) = neighbours().await;
    let session = somebody(&own).await;
    let held = place.hold(&format!("select pg_advisory_lock({MIGRATING})")).await;
    // As if it were older than this program.
    let newest = "(select max(version) from auth.tenantry_auth_migrations)";
    place
        .execute(&format!(
            "create table public.steps as select * from auth.tenantry_auth_migrations where version = {newest};
         delete from auth.tenantry_auth_migrations where version = {newest}"
        ))
        .await;
    let fresh = app.sibling().await;
    let (own, shared) = (fresh.through(&own), fresh.through(&shared));
    let waits = async {
        is_away(&own, &session).await;
        Instant::now()
    };
    let others = async {
        for _ in 0..5 {
            somebody(&shared).await;
        }
        is_known(&own).await;
        Instant::now()
    };
    let (waited, served) = tokio::join!(waits, others);
    assert!(served < waited, "the others were served before");
    place.execute("insert into auth.tenantry_auth_migrations select * from public.steps").await;
    held.release().await;
    comes_back(&own, &session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_not_made_where_it_cannot_be() {
    let app = TestApp::sqlite().await;
    let request = |url: &str| CreateProject {
        project_ref: Some("own".to_owned()),
        database_url: Some(domain::secret::Secret::new(url.to_owned())),
        ..CreateProject::default()
    };
    for url in ["postgres://nobody:secret@127.0.0.1:1/none", "mysql://127.0.0.1/none", "nonsense"] {
        let refused = app.management.create_project(request(url)).await.unwrap_err();
        assert!(!format!("{refused:?} {refused}").contains("secret"), "{refused:?}");
        assert!(app.management.project(&"own".parse().unwrap()).await.is_err(), "nothing is left of it");
    }
    app.project("own", json!({})).await;
}
