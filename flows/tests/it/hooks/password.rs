//! The hook that hears of checked passwords.

use serde_json::json;
use testkit::TestApp;

use super::{config, error, password_grant, sessions_of, uri};
use crate::both::on_both;

const POINT: &str = "password_verification_attempt";

on_both!(it_hears_of_right_and_wrong_passwords, it_hears_of_right_and_wrong_passwords_on_postgres, hears);
async fn hears(app: TestApp) {
    let project = app.project("hooks", config(&[POINT], json!({}))).await;
    let user = project.sign_up("a@example.com").await["user"]["id"].clone();
    let grant = |password: &str| {
        password_grant(&project, "a@example.com", password).header("x-forwarded-for", "192.0.2.7").send()
    };
    grant("correct horse").await.expect(200);
    grant("wrong").await.expect(400);
    grant("").await.expect(400);
    password_grant(&project, "nobody@example.com", "wrong").send().await.expect(400);
    let heard = app.hooks.take(&uri(POINT));
    let valid: Vec<_> = heard.iter().map(|payload| payload["valid"].clone()).collect();
    assert_eq!(valid, [json!(true), json!(false), json!(false)]);
    let payload = heard[0].as_object().unwrap();
    assert_eq!(payload.keys().collect::<Vec<_>>(), ["metadata", "user_id", "valid"]);
    assert_eq!(payload["user_id"], user);
    let metadata = payload["metadata"].as_object().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["ip_address", "name", "time", "uuid"]);
    assert_eq!((&metadata["name"], &metadata["ip_address"]), (&json!("password-verification"), &json!("192.0.2.7")));

    // Nobody is asked about who is banned.
    let ban = project.ask(http::Method::PUT, &format!("/admin/users/{}", user.as_str().unwrap()));
    ban.bearer(&project.service_role_key).json(&json!({ "ban_duration": "1h" })).send().await.expect(200);
    assert_eq!(grant("correct horse").await.expect(400).error_code(), "user_banned");
    assert!(app.hooks.take(&uri(POINT)).is_empty());
}

on_both!(a_rejection_stands_for_every_password, a_rejection_stands_for_every_password_on_postgres, rejects);
async fn rejects(app: TestApp) {
    let project = app.project("hooks", config(&[POINT], json!({}))).await;
    let first = project.sign_up("a@example.com").await;
    let user = &first["user"]["id"];
    for (answer, message) in [
        (json!({ "decision": "reject", "message": "not now" }), "not now"),
        (json!({ "decision": "reject" }), "Further password verification attempts will be rejected."),
        (
            json!({ "Decision": "reject", "message": null, "should_logout_user": null }),
            "Further password verification attempts will be rejected.",
        ),
    ] {
        for password in ["correct horse", "wrong"] {
            app.hooks.reply_next(&uri(POINT), Ok(answer.clone()));
            let refused = password_grant(&project, "a@example.com", password).send().await.expect(400);
            assert_eq!(
                (refused.error_code().as_str(), &refused.json()["msg"]),
                ("invalid_credentials", &json!(message))
            );
        }
    }
    assert_eq!(sessions_of(&project, user).await, 1);
    app.hooks.reply_next(&uri(POINT), Ok(json!({ "decision": "reject", "should_logout_user": true })));
    password_grant(&project, "a@example.com", "correct horse").send().await.expect(400);
    assert_eq!(sessions_of(&project, user).await, 0);
    project.refresh(&first["refresh_token"]).send().await.expect(400);
}

on_both!(a_scheme_in_upper_case_is_called_too, a_scheme_in_upper_case_is_called_too_on_postgres, upper_case);
async fn upper_case(app: TestApp) {
    let hook = "HTTPS://hooks.example/check";
    let settings = json!({ format!("hook_{POINT}_enabled"): true, format!("hook_{POINT}_uri"): hook });
    let project = app.project("hooks", settings).await;
    project.sign_up("a@example.com").await;
    app.hooks.reply(hook, Ok(json!({ "decision": "reject" })));
    password_grant(&project, "a@example.com", "correct horse").send().await.expect(400);
    assert_eq!(app.hooks.take(hook).len(), 1);
}

on_both!(other_answers_let_the_check_stand, other_answers_let_the_check_stand_on_postgres, others);
async fn others(app: TestApp) {
    let project = app.project("hooks", config(&[POINT], json!({}))).await;
    project.sign_up("a@example.com").await;
    for answer in [
        json!({ "decision": "continue", "message": "ignored", "should_logout_user": true }),
        json!({ "decision": "REJECT" }),
        json!({}),
        json!(null),
        json!({ "decision": null, "message": null, "should_logout_user": null, "error": null }),
        json!({ "decision": "continue", "extra": { "a": 1 } }),
        error(403, ""),
    ] {
        app.hooks.reply_next(&uri(POINT), Ok(answer.clone()));
        password_grant(&project, "a@example.com", "correct horse").send().await.expect(200);
        app.hooks.reply_next(&uri(POINT), Ok(answer));
        let refused = password_grant(&project, "a@example.com", "wrong").send().await.expect(400);
        assert_eq!(refused.error_code(), "invalid_credentials");
    }
    for (answer, status, code, message) in [
        (error(418, "teapot"), 418, "unknown", "teapot"),
        (json!({ "error": { "message": "no status" } }), 500, "unexpected_failure", "no status"),
        (json!({ "Error": { "HTTP_CODE": 418, "Message": "teapot" } }), 418, "unknown", "teapot"),
        (json!({ "decision": 5 }), 500, "unexpected_failure", "Error unmarshaling JSON output."),
        (json!("x"), 500, "unexpected_failure", "Error unmarshaling JSON output."),
    ] {
        app.hooks.reply_next(&uri(POINT), Ok(answer));
        let refused = password_grant(&project, "a@example.com", "correct horse").send().await.expect(status);
        assert_eq!((refused.error_code().as_str(), &refused.json()["msg"]), (code, &json!(message)));
    }
}
