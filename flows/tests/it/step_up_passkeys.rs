//! Passkeys as the fresh proof that an operation asks for.

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::letters::{access, admin, put};
use crate::passkey::{authenticator, register, settings, sign_in};
use crate::totp::enrolled;

const ADDRESS: &str = "a@example.com";

async fn asking(app: &TestApp, name: &str, more: Value) -> TestProject {
    let mut config = settings(json!({
        "security_step_up_operations": "password_change,email_change,phone_change,passkey_manage,recovery_codes,admin",
        "mfa_recovery_codes_enroll_enabled": true,
        "mfa_recovery_codes_verify_enabled": true,
    }));
    config.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    app.project(name, config).await
}

/// Makes an administrator with the password of a sign-up.
async fn administrator(project: &TestProject) -> Value {
    let account =
        json!({ "email": ADDRESS, "password": "correct horse", "email_confirm": true, "role": "supabase_admin" });
    admin(project, Method::POST, "/admin/users", account).await.expect(200);
    project.sign_in(ADDRESS).await
}

async fn list_users(project: &TestProject, session: &Value) -> Answer {
    project.get("/admin/users").bearer(access(session)).send().await
}

on_both!(a_verified_user_needs_no_other_factor, a_verified_user_needs_no_other_factor_on_postgres, verified);
async fn verified(app: TestApp) {
    for (name, config, knows_user, counts) in [
        ("raises", json!({ "passkey_assurance_level": "aal2" }), true, true),
        ("touched", json!({ "passkey_assurance_level": "aal2" }), false, false),
        ("level", json!({}), true, false),
        ("required", json!({ "webauthn_user_verification": "required" }), true, true),
    ] {
        let project = asking(&app, name, config).await;
        let session = administrator(&project).await;
        let mut key = authenticator();
        register(&project, &session, &mut key).await;
        key.verifies_user = knows_user;
        let by_key = sign_in(&project, &mut key).await.expect(200).json();
        assert_eq!(list_users(&project, &session).await.status, 403, "{name}");
        assert_eq!(list_users(&project, &by_key).await.status, if counts { 200 } else { 403 }, "{name}");
        // Whoever has no factor has just signed in, and that does.
        put(&project, &by_key, json!({ "data": { "a": 1 }, "password": "battery staple" })).await.expect(200);
        app.clock.advance(600);
        assert_eq!(list_users(&project, &by_key).await.status, 403, "{name}");
        let stale = put(&project, &by_key, json!({ "password": "paper clip 42" })).await.expect(400);
        assert_eq!(stale.error_code(), "reauthentication_needed", "{name}");
        let again = sign_in(&project, &mut key).await.expect(200).json();
        put(&project, &again, json!({ "password": "paper clip 42" })).await.expect(200);
    }
}

on_both!(a_passkey_stands_for_a_factor, a_passkey_stands_for_a_factor_on_postgres, stands_for);
async fn stands_for(app: TestApp) {
    let project = asking(&app, "raises", json!({ "passkey_assurance_level": "aal2" })).await;
    let session = project.sign_up(ADDRESS).await;
    let mut key = authenticator();
    register(&project, &session, &mut key).await;
    let by_key = sign_in(&project, &mut key).await.expect(200).json();
    // It is none, though: codes are for whoever has one.
    let make = |session: &Value| project.ask(Method::POST, "/factors/recovery-codes").bearer(access(session)).send();
    assert_eq!(make(&by_key).await.expect(422).error_code(), "mfa_recovery_codes_sole_factor");
    let (_, raised) = enrolled(&app, &project, &session).await;
    app.clock.advance(600);
    let stale = put(&project, &raised, json!({ "password": "battery staple" })).await.expect(401);
    assert_eq!(stale.error_code(), "insufficient_aal");
    let by_key = sign_in(&project, &mut key).await.expect(200).json();
    put(&project, &by_key, json!({ "password": "battery staple" })).await.expect(200);
    make(&by_key).await.expect(200);
}
