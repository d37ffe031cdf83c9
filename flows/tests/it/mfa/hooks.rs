//! The hooks that hear of second factors and shape their tokens.

use outbound::hooks::HookError;
use serde_json::json;
use testkit::TestApp;

use super::{ADDRESS, app_of, challenged, project, text, user, verify};
use crate::both::on_both;
use crate::hooks::{claims, config, error, sessions_of, uri};
use crate::letters::{access, wrong};

const POINT: &str = "mfa_verification_attempt";

on_both!(a_hook_hears_of_every_code, a_hook_hears_of_every_code_on_postgres, hears);
async fn hears(app: TestApp) {
    let project = project(&app, config(&[POINT], json!({}))).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let id = challenged(&project, &session, &totp.factor).await;
    let code = totp.code(&app);
    verify(&project, &session, &totp.factor, &id, "").send().await.expect(400);
    let unknown = uuid::Uuid::from_u128(7).to_string();
    verify(&project, &session, &totp.factor, &unknown, &code).send().await.expect(422);
    assert!(app.hooks.take(&uri(POINT)).is_empty());
    for (code, status, valid) in [(wrong(&code), 422, false), (code, 200, true)] {
        verify(&project, &session, &totp.factor, &id, &code).send().await.expect(status);
        let mut told = app.hooks.take(&uri(POINT));
        assert_eq!(told.len(), 1);
        let mut told = told.remove(0);
        assert_eq!(told["metadata"]["name"], "mfa-verification");
        told.as_object_mut().unwrap().remove("metadata");
        let user = &session["user"]["id"];
        assert_eq!(told, json!({ "user_id": user, "factor_id": totp.factor, "factor_type": "totp", "valid": valid }));
    }
}

on_both!(a_hook_can_end_it, a_hook_can_end_it_on_postgres, rejects);
async fn rejects(app: TestApp) {
    let project = project(&app, config(&[POINT], json!({}))).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    for (answer, message) in [
        (json!({ "decision": "reject", "message": "enough" }), "enough"),
        (json!({ "decision": "reject" }), "Further MFA verification attempts will be rejected."),
    ] {
        let (session, _) = (project.sign_in(ADDRESS).await, project.sign_in(ADDRESS).await);
        let id = challenged(&project, &session, &totp.factor).await;
        app.hooks.reply_next(&uri(POINT), Ok(answer));
        let refused = verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(403);
        assert_eq!(refused.error_code(), "mfa_verification_rejected");
        assert_eq!(refused.json()["msg"], message);
        assert_eq!(sessions_of(&project, &session["user"]["id"]).await, 0);
        project.get("/user").bearer(access(&session)).send().await.expect(403);
    }
    // It fails, or says something else.
    let session = project.sign_in(ADDRESS).await;
    let id = challenged(&project, &session, &totp.factor).await;
    app.hooks.reply_next(&uri(POINT), Err(HookError::Timeout));
    let refused = verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(422);
    assert_eq!(refused.error_code(), "hook_timeout");
    app.hooks.reply_next(&uri(POINT), Ok(error(418, "teapot")));
    verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(418);
    app.hooks.reply_next(&uri(POINT), Ok(json!({ "decision": "REJECT" })));
    verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(200);
}

on_both!(a_hook_shapes_the_raised_token, a_hook_shapes_the_raised_token_on_postgres, shapes);
async fn shapes(app: TestApp) {
    let point = "custom_access_token";
    let project = project(&app, config(&[point], json!({}))).await;
    app.hooks.reply_with(&uri(point), |told| {
        let mut claims = told["claims"].clone();
        claims["way"] = told["authentication_method"].clone();
        Ok(json!({ "claims": claims }))
    });
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let id = challenged(&project, &session, &totp.factor).await;
    let code = totp.code(&app);
    // What the hook refuses is not written: code and challenge are still good.
    app.hooks.take(&uri(point));
    app.hooks.reply_next(&uri(point), Ok(error(403, "no")));
    verify(&project, &session, &totp.factor, &id, &code).send().await.expect(403);
    assert_eq!(text(&user(&project, &session).await["factors"][0]["status"]), "unverified");
    let raised = verify(&project, &session, &totp.factor, &id, &code).send().await.expect(200).json();
    let signed = claims(&app, &project, &raised);
    assert_eq!((signed["way"].as_str(), signed["aal"].as_str()), (Some("totp"), Some("aal2")));
    let told = app.hooks.take(&uri(point));
    assert!(told.iter().all(|told| told["claims"]["aal"] == "aal2"), "{told:?}");
    assert_eq!(told.len(), 2);
}

on_both!(a_slow_hook_holds_no_connection, a_slow_hook_holds_no_connection_on_postgres, slow);
async fn slow(app: TestApp) {
    let slow = project(&app, config(&[POINT], json!({}))).await;
    let session = slow.sign_up(ADDRESS).await;
    let totp = app_of(&slow, &session, "app").await;
    let mut waiting = Vec::new();
    app.hooks.hold(&uri(POINT));
    // More than there are connections.
    for _ in 0..8 {
        let session = slow.sign_in(ADDRESS).await;
        let id = challenged(&slow, &session, &totp.factor).await;
        waiting.push(tokio::spawn(verify(&slow, &session, &totp.factor, &id, &wrong(&totp.code(&app))).send()));
    }
    while app.hooks.calls().iter().filter(|(called, _)| *called == uri(POINT)).count() < 8 {
        tokio::task::yield_now().await;
    }
    user(&slow, &session).await;
    app.hooks.release(&uri(POINT));
    for answer in waiting {
        answer.await.unwrap().expect(422);
    }
}
