//! The feed of sessions that ended.

use std::sync::Arc;
use std::time::Duration;

use cluster::Cluster;
use domain::time::Clock;
use http::Method;
use serde_json::{Value, json};
use testkit::{Limits, MockClock, Setup, TestApp, TestProject};

use crate::both::on_both;
use crate::eventually::eventually;
use crate::letters::access;

const DAY: i64 = 24 * 3600;

/// What the feed says behind `cursor`.
async fn feed(project: &TestProject, cursor: &Value, wait: u32) -> Value {
    let path = format!("/admin/revocations?cursor={}&wait={wait}", cursor.as_str().unwrap_or_default());
    project.get(&path).bearer(&project.service_role_key).send().await.expect(200).json()
}

async fn now(project: &TestProject) -> Value {
    let page = feed(project, &Value::Null, 0).await;
    assert_eq!((&page["revocations"], &page["gap"]), (&json!([]), &json!(false)));
    page["cursor"].clone()
}

fn ended(page: &Value) -> Vec<&str> {
    let listed = page["revocations"].as_array().unwrap();
    listed.iter().map(|revocation| revocation["session_id"].as_str().unwrap()).collect()
}

/// The session of a token response.
async fn session_of(project: &TestProject, session: &Value) -> String {
    let listed = project.get("/sessions").bearer(access(session)).send().await.expect(200).json();
    let listed = listed["sessions"].as_array().unwrap().clone();
    let current = listed.iter().find(|session| session["current"] == json!(true)).unwrap();
    current["id"].as_str().unwrap().to_owned()
}

async fn logout(project: &TestProject, session: &Value) {
    project.ask(Method::POST, "/logout?scope=local").bearer(access(session)).send().await.expect(204);
}

on_both!(the_feed_tells_every_end, the_feed_tells_every_end_on_postgres, ends);
async fn ends(app: TestApp) {
    let project = app.project("feed", json!({ "security_refresh_token_reuse_interval": 0 })).await;
    let neighbour = app.project("neighbour", json!({})).await;
    let start = now(&project).await;
    let elsewhere = now(&neighbour).await;
    let mut expected: Vec<String> = Vec::new();
    let first = project.sign_up("a@example.com").await;
    let user = first["user"]["id"].as_str().unwrap().to_owned();
    let admin = |path: String| project.ask(Method::DELETE, &path).bearer(&project.service_role_key).send();

    let session = project.sign_in("a@example.com").await;
    expected.push(session_of(&project, &session).await);
    logout(&project, &session).await;

    let session = project.sign_in("a@example.com").await;
    let id = session_of(&project, &session).await;
    project.ask(Method::DELETE, &format!("/sessions/{id}")).bearer(access(&first)).send().await.expect(204);
    expected.push(id);

    let session = project.sign_in("a@example.com").await;
    let id = session_of(&project, &session).await;
    admin(format!("/admin/users/{user}/sessions/{id}")).await.expect(204);
    expected.push(id);

    // A stolen token ends its session.
    let session = project.sign_in("a@example.com").await;
    expected.push(session_of(&project, &session).await);
    let next = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    project.refresh(&next["refresh_token"]).send().await.expect(200);
    project.refresh(&session["refresh_token"]).send().await.expect(400);

    // Whoever ends it: here somebody with a hand on the database.
    let session = project.sign_in("a@example.com").await;
    let id = session_of(&project, &session).await;
    let postgres = format!("delete from auth.sessions where id = '{id}'");
    let sqlite = format!("delete from sessions where hex(id) = '{}'", id.replace('-', "").to_uppercase());
    app.placement().execute_each(&postgres, &sqlite).await;
    expected.push(id);

    expected.push(session_of(&project, &first).await);
    admin(format!("/admin/users/{user}")).await.expect(200);

    let page = feed(&project, &start, 0).await;
    assert_eq!(ended(&page), expected);
    assert!(page["revocations"].as_array().unwrap().iter().all(|ended| ended["user_id"] == json!(user)));
    assert_eq!(page["gap"], json!(false));
    let rest = feed(&project, &page["cursor"], 0).await;
    assert_eq!((ended(&rest).len(), &rest["cursor"]), (0, &page["cursor"]));
    assert_eq!(ended(&feed(&neighbour, &elsewhere, 0).await).len(), 0);
}

on_both!(only_admins_read_the_feed, only_admins_read_the_feed_on_postgres, admins);
async fn admins(app: TestApp) {
    let project = app.project("feed", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    project.get("/admin/revocations").send().await.expect(401);
    for bearer in [access(&session), project.anon_key.as_str()] {
        // Also where the rest of the question makes no sense.
        for query in ["", "?cursor=x"] {
            let path = format!("/admin/revocations{query}");
            assert_eq!(project.get(&path).bearer(bearer).send().await.expect(403).error_code(), "not_admin");
        }
    }
    for query in ["cursor=x", "cursor=-1", "wait=26", "wait=x"] {
        let path = format!("/admin/revocations?{query}");
        let refused = project.get(&path).bearer(&project.service_role_key).send().await.expect(400);
        assert_eq!(refused.error_code(), "validation_failed", "{query}");
    }
    let beyond = feed(&project, &json!("99"), 5).await;
    assert_eq!((&beyond["gap"], &beyond["cursor"]), (&json!(true), &json!("0")), "told without waiting");
}

/// Requests in flight in one project of [`gateway`].
const PLACES: u32 = 10;

/// A gateway that would look for itself only after this time.
async fn gateway(app: &TestApp, cluster: Cluster, looks: Duration) -> TestApp {
    let base = Setup::new(app.placement());
    let limits = Limits { ends_poll: looks, tenant_in_flight: PLACES, ..base.limits.clone() };
    TestApp::start(Setup { cluster, clock: Arc::clone(&app.clock), limits, seed: 3, ..base }).await
}

on_both!(who_waits_is_woken_by_another_gateway, who_waits_is_woken_by_another_gateway_on_postgres, woken);
async fn woken(app: TestApp) {
    let waiting = gateway(&app, app.cluster.clone(), Duration::from_secs(3600)).await;
    let project = app.project("feed", json!({})).await;
    let elsewhere = waiting.through(&project);
    let session = project.sign_up("a@example.com").await;
    let id = session_of(&project, &session).await;
    let start = now(&elsewhere).await;
    let asked = waiting.handle.stats().asked;
    let readers = (0..PLACES).map(|_| feed(&elsewhere, &start, 25));
    let ending = async {
        // Each reader asks once for what is there, and once more to wait.
        let all_wait = || {
            let stats = waiting.handle.stats();
            stats.asked >= asked + 2 * u64::from(PLACES) && stats.in_flight == 0
        };
        while !all_wait() {
            tokio::task::yield_now().await;
        }
        // Who waits takes no place: there is room for as many as ever.
        let user = || elsewhere.get("/user").bearer(access(&session)).send();
        for answer in futures::future::join_all((0..PLACES).map(|_| user())).await {
            answer.expect(200);
        }
        logout(&project, &session).await;
    };
    let both = futures::future::join(futures::future::join_all(readers), ending);
    let (pages, ()) = tokio::time::timeout(Duration::from_secs(7), both).await.expect("nobody waits his time out");
    for page in pages {
        assert_eq!(ended(&page), [id.as_str()]);
    }
}

on_both!(who_waits_looks_for_himself, who_waits_looks_for_himself_on_postgres, looks);
async fn looks(app: TestApp) {
    // Nothing connects the two but the database.
    let waiting = gateway(&app, Cluster::in_process(), Duration::from_millis(20)).await;
    let project = app.project("feed", json!({})).await;
    let elsewhere = waiting.through(&project);
    let session = project.sign_up("a@example.com").await;
    let start = now(&elsewhere).await;
    let (page, ()) = futures::future::join(feed(&elsewhere, &start, 25), logout(&project, &session)).await;
    assert_eq!(ended(&page).len(), 1);
}

on_both!(who_waits_is_sent_away_by_a_shutdown, who_waits_is_sent_away_on_postgres, shutdown);
async fn shutdown(app: TestApp) {
    let project = app.project("feed", json!({})).await;
    let start = now(&project).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let both = futures::future::join(feed(&project, &start, 25), app.handle.shutdown(deadline));
    let (page, finished) = tokio::time::timeout(Duration::from_secs(12), both).await.expect("nobody waits");
    assert!(finished && ended(&page).is_empty());
    assert_eq!(page["cursor"], start);
}

on_both!(who_was_away_too_long_is_told, who_was_away_too_long_is_told_on_postgres, away);
async fn away(app: TestApp) {
    let project = app.project("feed", json!({})).await;
    let first = project.sign_up("a@example.com").await;
    let start = now(&project).await;
    logout(&project, &project.sign_in("a@example.com").await).await;
    logout(&project, &project.sign_in("a@example.com").await).await;
    let kept = feed(&project, &start, 0).await;
    assert_eq!((ended(&kept).len(), &kept["gap"]), (2, &json!(false)));

    let id = app.management.project(&project.project_ref).await.unwrap().project.id;
    app.management.control.projects().schedule_sweeps(&[id], app.clock.now()).await.unwrap();
    let clock = Arc::new(MockClock::default());
    // The database writes down ends by its own clock, which is far behind the test's.
    clock.advance(2 * DAY);
    let often = Duration::from_millis(10);
    let limits = Limits { janitor_step: often, janitor_sweep: often, ..Limits::default() };
    let _cleaner = TestApp::start(Setup { clock, limits, seed: 9, ..Setup::new(app.placement()) }).await;
    eventually(async || feed(&project, &start, 0).await["gap"] == json!(true)).await;
    let page = feed(&project, &start, 0).await;
    assert_eq!(page["cursor"], kept["cursor"], "who is told goes on from there");
    assert_eq!(feed(&project, &page["cursor"], 0).await["gap"], json!(false));
    logout(&project, &first).await;
    assert_eq!(ended(&feed(&project, &page["cursor"], 0).await).len(), 1);
}
