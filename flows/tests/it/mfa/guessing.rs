//! How often a second factor may be wrong.

use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use super::{ADDRESS, app_of, audit, challenge, challenged, project, verify};
use crate::both::on_both;
use crate::letters::wrong;
use crate::totp::Totp;

/// Gives a wrong code.
async fn guess(app: &TestApp, project: &TestProject, session: &Value, totp: &Totp, id: &str) -> testkit::Answer {
    verify(project, session, &totp.factor, id, &wrong(&totp.code(app))).send().await
}

on_both!(guesses_at_an_app_are_limited, guesses_at_an_app_are_limited_on_postgres, per_factor);
async fn per_factor(app: TestApp) {
    let sibling = app.sibling().await;
    let config = json!({ "mfa_totp_max_failures": 4, "mfa_totp_failure_window": 900 });
    let project = project(&app, config).await;
    let elsewhere = sibling.through(&project);
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let id = challenged(&project, &session, &totp.factor).await;
    // What cannot be right is no guess.
    verify(&project, &session, &totp.factor, &id, "").send().await.expect(400);
    for malformed in ["abc", "12345", "12 34 56", "\u{661}\u{662}\u{663}", "x", "123456x"] {
        let refused = verify(&project, &session, &totp.factor, &id, malformed).send().await.expect(422);
        assert_eq!(refused.error_code(), "mfa_verification_failed");
    }
    let unknown = uuid::Uuid::from_u128(7).to_string();
    guess(&app, &project, &session, &totp, &unknown).await.expect(422);
    for gateway in [&project, &elsewhere, &project, &elsewhere] {
        guess(&app, gateway, &session, &totp, &id).await.expect(422);
    }
    let other = elsewhere.sign_in(ADDRESS).await;
    let id = challenged(&elsewhere, &other, &totp.factor).await;
    for (gateway, session) in [(&project, &other), (&elsewhere, &other)] {
        let right = verify(gateway, session, &totp.factor, &id, &totp.code(&app)).send().await.expect(429);
        assert_eq!((right.error_code().as_str(), right.header("retry-after")), ("over_request_rate_limit", "900"));
    }
    // Another factor of the user is not held up.
    let second = app_of(&project, &other, "second").await;
    let id = challenged(&project, &other, &second.factor).await;
    guess(&app, &project, &other, &second, &id).await.expect(422);
    app.clock.advance(900);
    let id = challenged(&project, &other, &totp.factor).await;
    verify(&project, &other, &totp.factor, &id, &totp.code(&app)).send().await.expect(200);
}

on_both!(right_codes_use_no_budget, right_codes_use_no_budget_on_postgres, right);
async fn right(app: TestApp) {
    let config = json!({
        "mfa_totp_max_failures": 2,
        "rate_limit_mfa_verify_per_session": 2,
        "rate_limit_mfa_verify_per_user": 2,
    });
    let project = project(&app, config).await;
    let mut session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    for _ in 0..4 {
        app.clock.advance(30);
        let id = challenged(&project, &session, &totp.factor).await;
        guess(&app, &project, &session, &totp, &id).await.expect(422);
        session = verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(200).json();
    }
}

on_both!(guesses_of_a_session_are_limited, guesses_of_a_session_are_limited_on_postgres, per_session);
async fn per_session(app: TestApp) {
    let project = project(&app, json!({ "rate_limit_mfa_verify_per_session": 2 })).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let second = app_of(&project, &session, "second").await;
    for totp in [&totp, &second] {
        let id = challenged(&project, &session, &totp.factor).await;
        guess(&app, &project, &session, totp, &id).await.expect(422);
    }
    let id = challenged(&project, &session, &totp.factor).await;
    let refused = verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(429);
    assert_eq!(refused.error_code(), "over_request_rate_limit");
    // A new session has a budget of its own.
    let other = project.sign_in(ADDRESS).await;
    let id = challenged(&project, &other, &totp.factor).await;
    verify(&project, &other, &totp.factor, &id, &totp.code(&app)).send().await.expect(200);
}

on_both!(guesses_of_a_user_are_limited, guesses_of_a_user_are_limited_on_postgres, per_user);
async fn per_user(app: TestApp) {
    let project = project(&app, json!({ "rate_limit_mfa_verify_per_user": 3 })).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    for _ in 0..3 {
        let session = project.sign_in(ADDRESS).await;
        let id = challenged(&project, &session, &totp.factor).await;
        guess(&app, &project, &session, &totp, &id).await.expect(422);
    }
    let session = project.sign_in(ADDRESS).await;
    let id = challenged(&project, &session, &totp.factor).await;
    let refused = verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(429);
    assert_eq!(refused.error_code(), "over_request_rate_limit");
    let other = project.sign_up("b@example.com").await;
    let own = app_of(&project, &other, "app").await;
    let id = challenged(&project, &other, &own.factor).await;
    verify(&project, &other, &own.factor, &id, &own.code(&app)).send().await.expect(200);
}

on_both!(wrong_codes_are_written_down, wrong_codes_are_written_down_on_postgres, written);
async fn written(app: TestApp) {
    for wanted in [true, false] {
        let config = json!({ "audit_log_failures_enabled": wanted });
        let project = app.project(if wanted { "written" } else { "unwritten" }, config).await;
        let session = project.sign_up(ADDRESS).await;
        let totp = app_of(&project, &session, "app").await;
        let id = challenged(&project, &session, &totp.factor).await;
        guess(&app, &project, &session, &totp, &id).await.expect(422);
        let (action, row) = audit(&project).await.remove(0);
        assert_eq!(action == "login_failed", wanted, "{row}");
        let traits = json!({
            "factor_id": totp.factor, "factor_type": "totp", "challenge_id": id, "reason": "mfa_verification_failed",
        });
        assert!(!wanted || row["payload"]["traits"] == traits, "{row}");
    }
}

on_both!(addresses_have_buckets, addresses_have_buckets_on_postgres, per_address);
async fn per_address(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let from = |ask: testkit::Ask| ask.header("x-forwarded-for", "192.0.2.7").send();
    let unknown = uuid::Uuid::from_u128(7).to_string();
    for _ in 0..30 {
        from(verify(&project, &session, &totp.factor, &unknown, "123456")).await.expect(422);
        from(challenge(&project, &session, &totp.factor)).await.expect(200);
    }
    from(verify(&project, &session, &totp.factor, &unknown, "123456")).await.expect(429);
    from(challenge(&project, &session, &totp.factor)).await.expect(429);
    challenge(&project, &session, &totp.factor).header("x-forwarded-for", "192.0.2.8").send().await.expect(200);
    app.clock.advance(4);
    from(challenge(&project, &session, &totp.factor)).await.expect(200);
}
