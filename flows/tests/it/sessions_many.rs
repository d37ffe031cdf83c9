//! Lists of many sessions, and the index that heals by them.

use std::collections::BTreeSet;

use cluster::SessionEntry;
use domain::ids::{ProjectId, SessionId, UserId};
use domain::time::{Clock, Timestamp};
use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::letters::access;

/// So many more sessions of `user`, one opened a second before the other, the first a second before now.
async fn crowd(app: &TestApp, user: &str, count: usize) {
    let now = app.clock.now().unix();
    let postgres = format!(
        "insert into auth.sessions (instance_id, id, user_id, created_at, updated_at, aal, user_agent, refresh_token_counter)
         select s.instance_id, gen_random_uuid(), s.user_id, to_timestamp({now} - n), to_timestamp({now} - n), 'aal1', 'crowd', 0
         from auth.sessions as s cross join generate_series(1, {count}) as n
         where s.id = (select x.id from auth.sessions as x where x.user_id = '{user}' limit 1)"
    );
    let text = "strftime('%Y-%m-%dT%H:%M:%S', {now} - n, 'unixepoch') || '.000000Z'".replace("{now}", &now.to_string());
    let sqlite = format!(
        "insert into sessions (instance_id, id, user_id, created_at, updated_at, aal, user_agent, refresh_token_counter)
         with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < {count})
         select s.instance_id, randomblob(16), s.user_id, {text}, {text}, 'aal1', 'crowd', 0
         from (select * from sessions where hex(user_id) = '{}' limit 1) as s cross join numbers",
        user.replace('-', "").to_uppercase()
    );
    app.placement().execute_each(&postgres, &sqlite).await;
}

fn ids(answer: &Answer) -> Vec<String> {
    let listed = answer.json()["sessions"].as_array().unwrap().clone();
    listed.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

async fn page(project: &TestProject, session: &Value, query: &str) -> Answer {
    project.get(&format!("/sessions{query}")).bearer(access(session)).send().await.expect(200)
}

async fn project_id(app: &TestApp, project: &TestProject) -> ProjectId {
    app.management.project(&project.project_ref).await.unwrap().project.id
}

fn user_id(session: &Value) -> UserId {
    UserId(session["user"]["id"].as_str().unwrap().parse().unwrap())
}

on_both!(ten_thousand_sessions_cost_a_page, ten_thousand_sessions_cost_a_page_on_postgres, many);
async fn many(app: TestApp) {
    let project = app.project("many", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let user = session["user"]["id"].as_str().unwrap();
    crowd(&app, user, 10_000).await;
    page(&project, &session, "").await;

    let mut seen = BTreeSet::new();
    for (number, size) in [(1, 50), (2, 50), (3, 50), (200, 50), (201, 1)] {
        let before = app.database.statements();
        let listed = page(&project, &session, &format!("?page={number}&per_page=50")).await;
        assert_eq!(app.database.statements() - before, 2, "the bearer, and his page");
        assert_eq!(listed.header("x-total-count"), "10001");
        assert_eq!(ids(&listed).len(), size, "page {number}");
        seen.extend(ids(&listed));
    }
    assert_eq!(seen.len(), 201, "no session stands on two pages");
    let first = page(&project, &session, "").await.json();
    assert_eq!(first["sessions"][0]["current"], json!(true), "the newest use comes first");
    let beyond = page(&project, &session, "?page=500&per_page=50").await;
    assert_eq!((ids(&beyond).len(), beyond.header("x-total-count")), (0, "10001"));
    let path = format!("/admin/users/{user}/sessions?page=2&per_page=1000");
    let listed = project.get(&path).bearer(&project.service_role_key).send().await.expect(200);
    assert_eq!((ids(&listed).len(), listed.header("x-total-count")), (1000, "10001"));

    // The index keeps what it has room for, however many are listed.
    let (id, user) = (project_id(&app, &project).await, user_id(&session));
    let indexed = app.cluster.sessions.list(id, user).await.unwrap();
    assert!(indexed.len() <= cluster::sessions::MAX_PER_USER, "{}", indexed.len());
}

on_both!(sessions_that_are_over_are_not_listed, sessions_that_are_over_are_not_listed_on_postgres, over);
async fn over(app: TestApp) {
    for (field, hours) in [("sessions_timebox", 1), ("sessions_inactivity_timeout", 1)] {
        let mut config = json!({ "jwt_exp": 604_800 });
        config[field] = json!(hours);
        let project = app.project(&field.replace('_', "-"), config).await;
        let session = project.sign_up("a@example.com").await;
        // A few opened up to ten seconds before.
        crowd(&app, session["user"]["id"].as_str().unwrap(), 10).await;
        app.clock.advance(3595);
        let listed = page(&project, &session, "?per_page=2").await;
        assert_eq!((ids(&listed).len(), listed.header("x-total-count")), (2, "6"), "{field}");
        app.clock.advance(5);
        assert_eq!(ids(&page(&project, &session, "").await).len(), 1);
        app.clock.advance(1);
        assert_eq!(page(&project, &session, "").await.header("x-total-count"), "0");
    }
}

on_both!(a_wiped_index_heals_by_the_list, a_wiped_index_heals_by_the_list_on_postgres, wiped);
async fn wiped(app: TestApp) {
    let project = app.project("heals", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    app.clock.advance(10);
    let second = project.sign_in("a@example.com").await;
    let (id, user) = (project_id(&app, &project).await, user_id(&session));
    let index = &app.cluster.sessions;
    assert_eq!(index.list(id, user).await.unwrap().len(), 2, "every sign-in makes an entry");
    index.remove_user(id, user).await.unwrap();
    let listed = page(&project, &second, "").await;
    let healed: Vec<String> =
        index.list(id, user).await.unwrap().iter().map(|entry| entry.session.to_string()).collect();
    assert_eq!(healed, ids(&listed));
    project.refresh(&second["refresh_token"]).send().await.expect(200);
}

on_both!(an_index_that_missed_ends_heals_by_the_list, an_index_that_missed_ends_heals_on_postgres, missed);
async fn missed(app: TestApp) {
    let project = app.project("heals", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let user = session["user"]["id"].as_str().unwrap();
    crowd(&app, user, 20).await;
    let (id, user) = (project_id(&app, &project).await, user_id(&session));
    let stale = |number: u128, ago: i64| {
        let used = Timestamp::from_unix(app.clock.now().unix() - ago);
        let session = SessionId(uuid::Uuid::from_u128(number));
        SessionEntry { session, user, created_at: used, last_used: used, ip: None, user_agent: None }
    };
    // Sessions that ended while the index was away: last used within the first page, and long ago.
    for entry in [stale(1, 2), stale(2, 5000)] {
        app.cluster.sessions.put(id, entry).await.unwrap();
    }
    let entries = async || {
        let listed = app.cluster.sessions.list(id, user).await.unwrap();
        listed.into_iter().filter(|entry| entry.session.0.as_u128() < 10).count()
    };
    page(&project, &session, "?per_page=10").await;
    assert_eq!(entries().await, 1, "the page puts right what lies on it");
    page(&project, &session, "?per_page=10&page=3").await;
    assert_eq!(entries().await, 0, "and its own page the other one");
    assert_eq!(app.cluster.sessions.list(id, user).await.unwrap().len(), 11);
    project.ask(Method::POST, "/logout").bearer(access(&session)).send().await.expect(204);
    assert!(app.cluster.sessions.list(id, user).await.unwrap().is_empty());
}
