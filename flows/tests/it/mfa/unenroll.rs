//! Removing factors.

use serde_json::json;
use testkit::TestApp;

use super::{ADDRESS, app_of, audit, challenged, enrolled, project, unenroll, user, verify};
use crate::both::on_both;
use crate::hooks::claims;
use crate::letters::{access, sms_code};
use crate::totp;

on_both!(a_proven_factor_goes_at_the_second_level, a_proven_factor_goes_at_the_second_level_on_postgres, levels);
async fn levels(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let unproven = app_of(&project, &session, "unproven").await;
    let gone = unenroll(&project, &session, &unproven.factor).send().await.expect(200).json();
    assert_eq!(gone, json!({ "id": unproven.factor }));
    unenroll(&project, &session, &unproven.factor).send().await.expect(404);

    let (totp, raised) = totp::enrolled(&app, &project, &session).await;
    let low = project.sign_in(ADDRESS).await;
    let refused = unenroll(&project, &low, &totp.factor).send().await.expect(422);
    assert_eq!(refused.error_code(), "insufficient_aal");
    unenroll(&project, &raised, &totp.factor).send().await.expect(200);
    assert!(user(&project, &raised).await.get("factors").is_none());
    let next = project.refresh(&raised["refresh_token"]).send().await.expect(200).json();
    let next = claims(&app, &project, &next);
    assert_eq!((next["aal"].as_str(), next["amr"].as_array().map(Vec::len)), (Some("aal1"), Some(1)));
    let (action, row) = audit(&project).await.into_iter().find(|(action, _)| action == "factor_unenrolled").unwrap();
    let session = claims(&app, &project, &raised)["session_id"].clone();
    let traits = json!({ "factor_id": totp.factor, "factor_status": "verified", "session_id": session });
    assert_eq!((action.as_str(), &row["payload"]["traits"]), ("factor_unenrolled", &traits));
}

on_both!(every_session_of_the_factor_is_lowered, every_session_of_the_factor_is_lowered_on_postgres, all);
async fn all(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let (totp, first) = totp::enrolled(&app, &project, &session).await;
    let second = project.sign_in(ADDRESS).await;
    let second = totp.raise(&app, &project, &second).await.expect(200).json();
    // The second one went on to another factor: it keeps its level.
    let phone = json!({ "factor_type": "phone", "friendly_name": "phone", "phone": "15550000001" });
    let phone = enrolled(&project, &second, phone).await;
    let id = challenged(&project, &second, &phone).await;
    let second = verify(&project, &second, &phone, &id, &sms_code(&app)).send().await.expect(200).json();
    unenroll(&project, &second, &totp.factor).send().await.expect(200);
    let level = async |session: &serde_json::Value| {
        let next = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
        claims(&app, &project, &next)["aal"].as_str().unwrap().to_owned()
    };
    assert_eq!((level(&first).await, level(&second).await), ("aal1".to_owned(), "aal2".to_owned()));
}

on_both!(users_are_told_of_their_factors, users_are_told_of_their_factors_on_postgres, notices);
async fn notices(app: TestApp) {
    let config = json!({
        "mailer_notifications_mfa_factor_enrolled_enabled": true,
        "mailer_notifications_mfa_factor_unenrolled_enabled": true,
        "mailer_templates_mfa_factor_enrolled_notification_content": "enrolled {{ .FactorType }}",
        "mailer_templates_mfa_factor_unenrolled_notification_content": "gone {{ .FactorType }}",
    });
    let project = project(&app, config).await;
    let session = project.sign_up(ADDRESS).await;
    let unproven = app_of(&project, &session, "unproven").await;
    unenroll(&project, &session, &unproven.factor).send().await.expect(200);
    let (totp, raised) = totp::enrolled(&app, &project, &session).await;
    let told = crate::mails::take(&app, ADDRESS).await;
    assert_eq!(told.iter().map(|mail| mail.html.trim()).collect::<Vec<_>>(), ["enrolled totp"]);
    let raised = totp.raise(&app, &project, &raised).await.expect(200).json();
    unenroll(&project, &raised, &totp.factor).send().await.expect(200);
    let told = crate::mails::take(&app, ADDRESS).await;
    assert_eq!(told.iter().map(|mail| mail.html.trim()).collect::<Vec<_>>(), ["gone totp"]);
}

on_both!(a_fresh_factor_may_be_asked_for, a_fresh_factor_may_be_asked_for_on_postgres, fresh);
async fn fresh(app: TestApp) {
    let config = json!({ "security_step_up_operations": "factor_unenroll", "security_step_up_max_age": 600 });
    let project = project(&app, config).await;
    let session = project.sign_up(ADDRESS).await;
    let (totp, raised) = totp::enrolled(&app, &project, &session).await;
    app.clock.advance(601);
    let refused = unenroll(&project, &raised, &totp.factor).send().await.expect(422);
    assert_eq!(refused.error_code(), "insufficient_aal");
    let unproven = app_of(&project, &raised, "unproven").await;
    unenroll(&project, &raised, &unproven.factor).send().await.expect(200);
    let raised = totp.raise(&app, &project, &raised).await.expect(200).json();
    unenroll(&project, &raised, &totp.factor).send().await.expect(200);
}

on_both!(recovery_codes_go_with_the_last_factor, recovery_codes_go_with_the_last_factor_on_postgres, codes);
async fn codes(app: TestApp) {
    let config = json!({ "mfa_recovery_codes_enroll_enabled": true, "mfa_recovery_codes_verify_enabled": true });
    let project = project(&app, config).await;
    let session = project.sign_up(ADDRESS).await;
    let (totp, raised) = totp::enrolled(&app, &project, &session).await;
    let codes = project.post("/factors/recovery-codes", json!({})).bearer(access(&raised)).send().await;
    let code = codes.expect(200).json()["codes"][0].clone();
    let other = project.sign_in(ADDRESS).await;
    let path = "/factors/recovery-codes/verify";
    let other = project.post(path, json!({ "code": code })).bearer(access(&other)).send().await.expect(200).json();
    unenroll(&project, &raised, &totp.factor).send().await.expect(200);
    project.get("/factors/recovery-codes").bearer(access(&raised)).send().await.expect(404);
    // Nor does a session stay raised by one of them.
    let next = project.refresh(&other["refresh_token"]).send().await.expect(200).json();
    assert_eq!(claims(&app, &project, &next)["aal"], "aal1");
}
