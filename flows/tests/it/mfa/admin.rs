//! Factors in the hands of an administrator.

use http::Method;
use serde_json::{Value, json};
use testkit::TestApp;

use super::{ADDRESS, app_of, audit, enrolled, project, text, user};
use crate::both::on_both;
use crate::hooks::claims;
use crate::letters::admin;
use crate::totp;

on_both!(an_admin_lists_names_and_removes_factors, an_admin_lists_names_and_removes_factors_on_postgres, all);
async fn all(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let of = format!("/admin/users/{}/factors", text(&session["user"]["id"]));
    let list = async || admin(&project, Method::GET, &of, json!({})).await.expect(200).json();
    assert_eq!(list().await, json!([]));
    let (totp, raised) = totp::enrolled(&app, &project, &session).await;
    let path = format!("{of}/{}", totp.factor);
    let listed = list().await;
    assert_eq!((text(&listed[0]["id"]), text(&listed[0]["status"])), (totp.factor.clone(), "verified".to_owned()));

    let body = json!({ "friendly_name": "renamed", "phone": "nonsense" });
    let changed = admin(&project, Method::PUT, &path, body).await.expect(200).json();
    assert_eq!((&changed["friendly_name"], &changed["phone"]), (&json!("renamed"), &json!("")));
    let same = admin(&project, Method::PUT, &path, json!({})).await.expect(200).json();
    assert_eq!(same["friendly_name"], "renamed");
    let (_, row) = audit(&project).await.into_iter().find(|(action, _)| action == "factor_updated").unwrap();
    let user_id = &session["user"]["id"];
    assert_eq!(
        row["payload"]["traits"],
        json!({ "user_id": user_id, "factor_id": totp.factor, "factor_type": "totp" })
    );
    assert_eq!(row["payload"]["actor_username"], "service_role");

    let gone = admin(&project, Method::DELETE, &path, json!({})).await.expect(200).json();
    assert_eq!((&gone["friendly_name"], &gone["status"]), (&json!("renamed"), &json!("verified")));
    assert_eq!(list().await, json!([]));
    let (_, row) = audit(&project).await.into_iter().find(|(action, _)| action == "factor_deleted").unwrap();
    assert_eq!(row["payload"]["traits"], json!({ "user_id": user_id, "factor_id": totp.factor }));
    assert_eq!(row["payload"]["actor_id"], *user_id);
    let next = project.refresh(&raised["refresh_token"]).send().await.expect(200).json();
    assert_eq!(claims(&app, &project, &next)["aal"], "aal1");
    assert!(user(&project, &raised).await.get("factors").is_none());
}

on_both!(what_an_admin_gets_wrong_is_told, what_an_admin_gets_wrong_is_told_on_postgres, refusals);
async fn refusals(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let other = project.sign_up("b@example.com").await;
    let own = app_of(&project, &session, "app").await;
    let of = format!("/admin/users/{}/factors", text(&session["user"]["id"]));
    let others = format!("/admin/users/{}/factors", text(&other["user"]["id"]));
    let ask = async |method: Method, path: String, body: Value, status: u16| {
        admin(&project, method, &path, body).await.expect(status).error_code()
    };
    for method in [Method::PUT, Method::DELETE] {
        let ask = async |path: String| ask(method.clone(), path, json!({}), 404).await;
        assert_eq!(ask(format!("{others}/{}", own.factor)).await, "mfa_factor_not_found");
        assert_eq!(ask(format!("{of}/nonsense")).await, "validation_failed");
        assert_eq!(ask(format!("{of}/{}", uuid::Uuid::from_u128(7))).await, "mfa_factor_not_found");
        assert_eq!(ask(format!("/admin/users/nonsense/factors/{}", own.factor)).await, "validation_failed");
    }
    let phone = |name: &str, number: &str| json!({ "factor_type": "phone", "friendly_name": name, "phone": number });
    let phone_of = enrolled(&project, &session, phone("phone", "15550000001")).await;
    enrolled(&project, &session, phone("second", "15550000002")).await;
    let path = format!("{of}/{phone_of}");
    assert_eq!(ask(Method::PUT, path.clone(), json!({ "phone": "0123" }), 400).await, "validation_failed");
    assert_eq!(
        ask(Method::PUT, path.clone(), json!({ "friendly_name": "app" }), 422).await,
        "mfa_factor_name_conflict"
    );
    assert_eq!(
        ask(Method::PUT, path.clone(), json!({ "phone": "15550000002" }), 422).await,
        "mfa_verified_factor_exists"
    );
    let long = json!({ "friendly_name": "x".repeat(256) });
    assert_eq!(ask(Method::PUT, path.clone(), long, 400).await, "validation_failed");
    let changed = admin(&project, Method::PUT, &path, json!({ "phone": "+15550000003" })).await.expect(200).json();
    assert_eq!(changed["phone"], "15550000003");
    // Users have no business here.
    project.get(&of).bearer(crate::letters::access(&session)).send().await.expect(403);
}
