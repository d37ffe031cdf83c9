//! A deleted project answers nobody; when its time is over nothing is left of it, and that is proven.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ProjectId, UserId};
use domain::project::Placement;
use flows::management::{CreateProject, ReadLog};
use http::Method;
use serde_json::{Value, json};
use testkit::{Limits, Setup, TestApp, TestProject};

use crate::both::on_both;
use crate::eventually::eventually;

const DAY: i64 = 24 * 3600;

/// What a project gathers: accounts, sessions, stored and spent tokens, a waiting confirmation, counters.
async fn lived_in(project: &TestProject, mark: &str) -> UserId {
    let mut first = Value::Null;
    for number in 0..3 {
        let session = project.sign_up(&format!("{mark}{number}@example.com")).await;
        let refreshed = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
        first = if first.is_null() { refreshed } else { first };
    }
    project.post("/recover", json!({ "email": format!("{mark}0@example.com") })).send().await.expect(200);
    UserId(first["user"]["id"].as_str().unwrap().parse().unwrap())
}

async fn id_of(app: &TestApp, project: &TestProject) -> ProjectId {
    app.management.project(&project.project_ref).await.unwrap().project.id
}

async fn proof(app: &TestApp) -> Option<(Value, Value)> {
    let page = app.management.operator_log(ReadLog::default()).await.unwrap();
    let entry = page.entries.into_iter().find(|entry| entry.action == "project.purged")?;
    Some((entry.before.unwrap(), entry.after.unwrap()))
}

async fn a_project_deleted_for_good_leaves_nothing_and_its_neighbour_everything(app: TestApp) {
    let gone = app.project("gone", json!({ "refresh_token_algorithm_version": 0 })).await;
    let stays = app.project("stays", json!({})).await;
    let user = lived_in(&gone, "gone-user").await;
    lived_in(&stays, "staying-user").await;
    let id = id_of(&app, &gone).await;
    assert!(!app.cluster.sessions.list(id, user).await.unwrap().is_empty());
    let before = app.stored_text().await;
    assert!(before.contains("gone-user"));

    app.management.delete_project(&gone.project_ref, Some(0)).await.unwrap();

    let after = app.stored_text().await;
    assert!(!after.contains("gone-user"), "{after}");
    let count = |text: &str| text.matches("staying-user").count();
    assert_eq!(count(&after), count(&before), "the neighbour keeps what it has");
    assert!(app.cluster.sessions.list(id, user).await.unwrap().is_empty());
    assert!(app.management.control.projects().by_id(id).await.unwrap().is_none());
    assert!(app.handle.usage(id).is_none(), "nor is it in memory");
    let (found, left) = proof(&app).await.expect("it is noted");
    assert_eq!(found["rows"]["users"], 3);
    assert!(found["rows"]["sessions"].as_u64().unwrap() >= 3, "{found}");
    assert!(left["rows"].as_object().unwrap().values().all(|rows| *rows == 0), "{left}");
    assert_eq!(left["rows"].as_object().unwrap().len(), found["rows"].as_object().unwrap().len());
    gone.get("/settings").header("apikey", &gone.anon_key).send().await.expect(404);
    // The name is free again, for somebody who gets nothing of the old one.
    let anew = app.project("gone", json!({})).await;
    let listed = anew.ask(Method::GET, "/admin/users").bearer(&anew.service_role_key).send().await.expect(200);
    assert_eq!(listed.json()["users"], json!([]));
}
on_both!(
    nothing_is_left_on_sqlite,
    nothing_is_left_on_postgres,
    a_project_deleted_for_good_leaves_nothing_and_its_neighbour_everything
);

async fn until_its_time_is_over_a_deleted_project_keeps_what_it_has(app: TestApp) {
    let project = app.project("gone", json!({})).await;
    lived_in(&project, "gone-user").await;
    let id = id_of(&app, &project).await;
    app.management.delete_project(&project.project_ref, None).await.unwrap();
    project.get("/settings").header("apikey", &project.anon_key).send().await.expect(404);
    let limits = Limits { janitor_step: Duration::from_millis(10), ..Limits::default() };
    let clock = Arc::clone(&app.clock);
    let _janitor = TestApp::start(Setup { clock, limits, seed: 5, ..Setup::new(app.placement()) }).await;
    app.clock.advance(6 * DAY);
    for _ in 0..20 {
        assert!(app.stored_text().await.contains("gone-user"), "a day too early");
    }
    app.clock.advance(2 * DAY);
    eventually(async || app.management.control.projects().by_id(id).await.unwrap().is_none()).await;
    assert!(!app.stored_text().await.contains("gone-user"));
    assert!(proof(&app).await.is_some());
}
on_both!(
    a_grace_is_kept_on_sqlite,
    a_grace_is_kept_on_postgres,
    until_its_time_is_over_a_deleted_project_keeps_what_it_has
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_of_a_project_goes_with_it() {
    let app = TestApp::sqlite().await;
    let own = CreateProject {
        project_ref: Some("own".to_owned()),
        placement: Some(Placement::Sqlite),
        ..CreateProject::default()
    };
    let project = app.project_by(own).await;
    project.sign_up("ada@example.com").await;
    let files = || std::fs::read_dir(app.placement().files().unwrap()).map_or(0, Iterator::count);
    assert!(files() > 0);
    app.management.delete_project(&project.project_ref, Some(0)).await.unwrap();
    assert_eq!(files(), 0);
    let (found, _) = proof(&app).await.expect("it is noted");
    assert_eq!(found["rows"]["users"], 1);
}
