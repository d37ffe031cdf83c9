//! What a project is granted, and how much of it is used.

use domain::quota::{Quota, Quotas};
use flows::management::{CreateProject, Error};
use serde_json::json;
use testkit::TestApp;

use super::{log_of, members};
use crate::both::on_both;

on_both!(quotas_are_granted_and_taken_back, quotas_are_granted_and_taken_back_on_postgres, granted);
async fn granted(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    project.sign_up("a@example.com").await;
    let view = manage.quotas(&project.project_ref).await.unwrap();
    assert_eq!(view.quotas, Quotas::default());
    assert!(view.granted.in_flight.is_some(), "what everybody gets");
    assert_eq!(view.used[&Quota::Users], 1);

    let set = members(json!({ "users": 10, "in_flight": 3 }));
    let view = manage.set_quotas(&project.project_ref, &set).await.unwrap();
    assert_eq!((view.quotas.users, view.quotas.in_flight, view.quotas.hashing), (Some(10), Some(3), None));
    let view = manage.set_quotas(&project.project_ref, &members(json!({ "users": null }))).await.unwrap();
    assert_eq!((view.quotas.users, view.quotas.in_flight), (None, Some(3)), "the others stay");
    for wrong in [json!({ "users": 0 }), json!({ "disk": 1 }), json!({ "users": "many" }), json!({ "users": -1 })] {
        let refused = manage.set_quotas(&project.project_ref, &members(wrong.clone())).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{wrong}");
    }
    let log = log_of(manage, &project.project_ref).await;
    assert_eq!(log[0].before, Some(json!({ "users": 10 })));
    assert_eq!(log[1].after, Some(json!({ "users": 10, "in_flight": 3 })));
}

on_both!(a_quota_of_accounts_holds, a_quota_of_accounts_holds_on_postgres, accounts);
async fn accounts(app: TestApp) {
    let quotas = Quotas { users: Some(1), ..Quotas::default() };
    let request = CreateProject { project_ref: Some("one".to_owned()), quotas, ..CreateProject::default() };
    let project = app.project_by(request).await;
    project.sign_up("a@example.com").await;
    let body = json!({ "email": "b@example.com", "password": "correct horse" });
    project.post("/signup", body.clone()).send().await.expect(422);
    app.management.set_quotas(&project.project_ref, &members(json!({ "users": 2 }))).await.unwrap();
    project.post("/signup", body).send().await.expect(200);
}

on_both!(usage_is_counted, usage_is_counted_on_postgres, usage);
async fn usage(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    let other = app.project("two", json!({})).await;
    other.sign_up("x@example.com").await;
    project.sign_up("a@example.com").await;
    project.sign_up("b@example.com").await;
    project.sign_in("a@example.com").await;
    let usage = manage.usage(&project.project_ref).await.unwrap();
    assert_eq!((usage.users, usage.sessions), (2, 3));
    assert!(usage.requests.is_some_and(|requests| requests >= 3), "{usage:?}");
}
