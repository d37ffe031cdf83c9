//! A forgotten password.

use serde_json::json;
use testkit::TestApp;

use crate::both::on_both;
use crate::hooks::claims;
use crate::letters::{access, confirmed, mail, project, put, verify};

const ADDRESS: &str = "a@example.com";

on_both!(test_recovery_requires_new_password, recovery_requires_new_password_on_postgres, requires);
async fn requires(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    for password in [json!(null), json!("")] {
        let body = json!({ "type": "recovery", "token": letter.hash, "password": password });
        let refused = verify(&project, body).await.expect(422);
        assert_eq!(refused.error_code(), "validation_failed");
    }
    // A weak one is refused as well, and uses nothing up.
    let weak = verify(&project, json!({ "type": "recovery", "token": letter.hash, "password": "short" })).await;
    assert_eq!(weak.expect(422).error_code(), "weak_password");
    let body = json!({ "type": "recovery", "token": letter.hash, "password": "battery staple" });
    verify(&project, body.clone()).await.expect(200);
    assert_eq!(verify(&project, body).await.expect(403).error_code(), "otp_expired");
}

on_both!(test_recovery_updates_password, recovery_updates_password_on_postgres, updates);
async fn updates(app: TestApp) {
    let project = project(&app, json!({ "mailer_notifications_password_changed_enabled": true })).await;
    confirmed(&project, ADDRESS).await;
    let before = [project.sign_in(ADDRESS).await, project.sign_in(ADDRESS).await];
    // A change of address that somebody began.
    put(&project, &before[0], json!({ "email": "thief@example.com" })).await.expect(200);
    assert_eq!(mail(&app, ADDRESS).await.kind, "email_change");
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let body = json!({ "type": "recovery", "token": letter.hash, "password": "battery staple" });
    let session = verify(&project, body).await.expect(200).json();
    assert_eq!(claims(&app, &project, &session)["amr"][0]["method"], "otp");
    let user = project.get("/user").bearer(access(&session)).send().await.expect(200).json();
    assert!(user.get("new_email").is_none());
    for old in &before {
        project.get("/user").bearer(access(old)).send().await.expect(403);
        project.refresh(&old["refresh_token"]).send().await.expect(400);
    }
    let grant = |password: &str| {
        project.post("/token?grant_type=password", json!({ "email": ADDRESS, "password": password })).send()
    };
    grant("correct horse").await.expect(400);
    grant("battery staple").await.expect(200);
    // The notice.
    mail(&app, ADDRESS).await;
    assert_eq!(
        project.get("/sessions").bearer(access(&session)).send().await.expect(200).json()["sessions"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

on_both!(other_forms_set_the_password_they_carry, other_forms_set_the_password_they_carry_on_postgres, carry);
async fn carry(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let mut password = "correct horse";
    for (by_code, new) in [(false, None), (true, None), (false, Some("battery staple")), (true, Some("paper clip 42"))]
    {
        app.clock.advance(2);
        let grant = json!({ "email": ADDRESS, "password": password });
        let other = project.post("/token?grant_type=password", grant).send().await.expect(200).json();
        project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
        let letter = mail(&app, ADDRESS).await;
        let mut body = match by_code {
            true => json!({ "type": "recovery", "email": ADDRESS, "token": letter.code }),
            false => json!({ "type": "recovery", "token_hash": letter.hash }),
        };
        if let Some(new) = new {
            body["password"] = json!(new);
            password = new;
        }
        verify(&project, body).await.expect(200);
        // Other sessions end only with the password.
        let status = if new.is_some() { 403 } else { 200 };
        project.get("/user").bearer(access(&other)).send().await.expect(status);
        let grant = json!({ "email": ADDRESS, "password": password });
        project.post("/token?grant_type=password", grant).send().await.expect(200);
    }
}
