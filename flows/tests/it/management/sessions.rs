//! A project's sessions in the operator's hand.

use std::collections::BTreeSet;

use domain::ids::{SessionId, UserId};
use domain::project::{Hold, HoldReason};
use domain::time::Clock;
use flows::management::Error;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};
use uuid::Uuid;

use super::log_of;
use crate::both::on_both;

async fn works(project: &TestProject, session: &Value, status: u16) {
    project.get("/user").bearer(session["access_token"].as_str().unwrap()).send().await.expect(status);
}

async fn three(project: &TestProject) -> [Value; 3] {
    let first = project.sign_up("a@example.com").await;
    [first, project.sign_in("a@example.com").await, project.sign_up("b@example.com").await]
}

on_both!(sessions_are_listed_page_by_page, sessions_are_listed_page_by_page_on_postgres, listed);
async fn listed(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    app.project("two", json!({})).await.sign_up("a@example.com").await;
    three(&project).await;
    let first = manage.sessions(&project.project_ref, None, Some(2)).await.unwrap();
    assert_eq!((first.sessions.len(), first.next), (2, Some(first.sessions[1].id)));
    let second = manage.sessions(&project.project_ref, first.next, Some(2)).await.unwrap();
    assert_eq!((second.sessions.len(), second.next), (1, None));
    let ids: BTreeSet<SessionId> = first.sessions.iter().chain(&second.sessions).map(|session| session.id).collect();
    assert_eq!(ids.len(), 3);
    assert!(matches!(manage.sessions(&project.project_ref, None, Some(0)).await, Err(Error::Invalid(_))));
}

on_both!(an_operator_ends_sessions, an_operator_ends_sessions_on_postgres, ended);
async fn ended(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    let other = app.project("two", json!({})).await;
    let elsewhere = other.sign_up("a@example.com").await;
    let [first, second, third] = three(&project).await;
    let user = UserId(first["user"]["id"].as_str().unwrap().parse().unwrap());
    let of_first: Vec<SessionId> = manage
        .sessions(&project.project_ref, None, None)
        .await
        .unwrap()
        .sessions
        .iter()
        .filter(|session| session.user_id == user)
        .map(|session| session.id)
        .collect();

    assert!(matches!(manage.end_session(&other.project_ref, of_first[0]).await, Err(Error::NotFound)), "not its own");
    manage.end_session(&project.project_ref, of_first[0]).await.unwrap();
    assert!(matches!(manage.end_session(&project.project_ref, of_first[0]).await, Err(Error::NotFound)));
    assert_eq!(manage.end_sessions(&project.project_ref, Some(user)).await.unwrap(), 1);
    for session in [&first, &second] {
        works(&project, session, 403).await;
        project.refresh(&session["refresh_token"]).send().await.expect(400);
    }
    works(&project, &third, 200).await;
    let nobody = UserId(Uuid::from_u128(1));
    assert!(matches!(manage.end_sessions(&project.project_ref, Some(nobody)).await, Err(Error::NotFound)));

    assert_eq!(manage.end_sessions(&project.project_ref, None).await.unwrap(), 1);
    works(&project, &third, 403).await;
    works(&other, &elsewhere, 200).await;
    let log = log_of(manage, &project.project_ref).await;
    assert_eq!(log[0].after, Some(json!({ "sessions": 1, "user": null })));
    assert_eq!(log[2].action, "session.ended");
}

on_both!(nothing_is_written_while_rows_move, nothing_is_written_while_rows_move_on_postgres, held);
async fn held(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    project.sign_up("a@example.com").await;
    let id = manage.project_id(&project.project_ref).await.unwrap();
    let now = app.clock.now();
    let hold = Hold { reason: HoldReason::Moving, id: Uuid::from_u128(5), until: now.plus_seconds(30) };
    assert!(manage.control.projects().hold(id, hold, now).await.unwrap());
    assert!(matches!(manage.end_sessions(&project.project_ref, None).await, Err(Error::Busy(_))));
    assert!(!manage.health(&project.project_ref, std::time::Duration::from_secs(1)).await.unwrap().healthy);
    app.clock.advance(30);
    assert_eq!(manage.end_sessions(&project.project_ref, None).await.unwrap(), 1);
    assert!(manage.health(&project.project_ref, std::time::Duration::from_secs(1)).await.unwrap().healthy);
}
