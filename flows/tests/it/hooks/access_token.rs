//! The hook that shapes access tokens: it is asked before anything is written.

use serde_json::{Value, json};
use testkit::TestApp;

use super::{claims, config, error, password_grant, sessions_of, uri};
use crate::both::on_both;

const POINT: &str = "custom_access_token";

/// Answers the claims it is given, with `more` beside and instead of them.
fn answer_with(app: &TestApp, more: Value) {
    app.hooks.reply_with(&uri(POINT), move |payload| {
        let mut claims = payload["claims"].as_object().cloned().unwrap();
        claims.extend(more.as_object().cloned().unwrap());
        Ok(json!({ "claims": claims }))
    });
}

/// The ways of signing in that the hook was told since it was last looked at.
fn methods(app: &TestApp) -> Vec<Value> {
    app.hooks.take(&uri(POINT)).into_iter().map(|payload| payload["authentication_method"].clone()).collect()
}

on_both!(every_token_is_shown_as_it_would_be, every_token_is_shown_as_it_would_be_on_postgres, shown);
async fn shown(app: TestApp) {
    let open = json!({ "external_anonymous_users_enabled": true });
    let project = app.project("hooks", config(&[POINT], open)).await;
    answer_with(&app, json!({}));
    let signed_up = project.sign_up("a@example.com").await;
    let signed_in = project.sign_in("a@example.com").await;
    let heard = app.hooks.take(&uri(POINT));
    assert_eq!(heard.len(), 2);
    for (payload, answer) in heard.iter().zip([&signed_up, &signed_in]) {
        assert_eq!(payload["claims"], json!(claims(&app, &project, answer)));
        assert_eq!(payload["claims"]["aud"], "authenticated");
        assert_eq!(payload["user_id"], answer["user"]["id"]);
        assert_eq!(payload["authentication_method"], "password");
        assert_eq!(payload["metadata"]["name"], "customize-access-token");
    }
    let refreshed = project.refresh(&signed_in["refresh_token"]).send().await.expect(200).json();
    project.refresh(&refreshed["refresh_token"]).send().await.expect(200);
    project.post("/signup", json!({})).send().await.expect(200);
    assert_eq!(methods(&app), ["token_refresh", "token_refresh", "anonymous"]);
}

on_both!(claims_are_the_hooks, claims_are_the_hooks_on_postgres, are_the_hooks);
async fn are_the_hooks(app: TestApp) {
    let project = app.project("hooks", config(&[POINT], json!({}))).await;
    answer_with(&app, json!({ "tenant": "acme", "nested": { "list": [1, "two", null] }, "role": "editor" }));
    let session = project.sign_up("a@example.com").await;
    let signed = claims(&app, &project, &session);
    assert_eq!((&signed["tenant"], &signed["nested"]["list"][1]), (&json!("acme"), &json!("two")));
    assert_eq!((&signed["role"], &session["user"]["role"]), (&json!("editor"), &json!("authenticated")));
    project.get("/user").bearer(session["access_token"].as_str().unwrap()).send().await.expect(200);

    // The answer keeps the times it computed itself.
    use domain::time::Clock;
    let end = app.clock.now().unix() + 60;
    answer_with(&app, json!({ "exp": end }));
    let short = project.sign_in("a@example.com").await;
    assert_eq!((&claims(&app, &project, &short)["exp"], &short["expires_in"]), (&json!(end), &json!(3600)));

    // What is not required may be left out.
    app.hooks.reply_with(&uri(POINT), |payload| {
        let mut claims = payload["claims"].as_object().cloned().unwrap();
        for name in ["amr", "user_metadata", "app_metadata", "iss"] {
            claims.remove(name);
        }
        Ok(json!({ "claims": claims }))
    });
    let bare = project.sign_in("a@example.com").await;
    assert!(!claims(&app, &project, &bare).contains_key("amr"));
    project.refresh(&bare["refresh_token"]).send().await.expect(200);
}

on_both!(what_is_no_set_of_claims_opens_nothing, what_is_no_set_of_claims_opens_nothing_on_postgres, no_claims);
async fn no_claims(app: TestApp) {
    let project = app.project("hooks", config(&[POINT], json!({}))).await;
    answer_with(&app, json!({}));
    let session = project.sign_up("a@example.com").await;
    let nonconforming = "output claims do not conform to the expected schema: \n- (root): ";
    for (answer, message) in [
        (json!({}), "output claims field is missing".to_owned()),
        (json!(null), format!("{nonconforming}Invalid type. Expected: object, given: null\n")),
        (json!({ "claims": null }), format!("{nonconforming}Invalid type. Expected: object, given: null\n")),
        (json!({ "claims": "x" }), "Error unmarshaling JSON output.".to_owned()),
    ] {
        app.hooks.reply_next(&uri(POINT), Ok(answer));
        let refused = password_grant(&project, "a@example.com", "correct horse").send().await.expect(500);
        assert_eq!((refused.error_code().as_str(), &refused.json()["msg"]), ("unexpected_failure", &json!(message)));
    }
    app.hooks.reply_next(&uri(POINT), Ok(json!({ "claims": {} })));
    let refused = password_grant(&project, "a@example.com", "correct horse").send().await.expect(500);
    assert!(refused.json()["msg"].as_str().unwrap().starts_with(nonconforming), "{}", refused.text);
    assert_eq!(sessions_of(&project, &session["user"]["id"]).await, 1);
}

on_both!(a_refusal_leaves_no_rows, a_refusal_leaves_no_rows_on_postgres, no_rows);
async fn no_rows(app: TestApp) {
    let open = json!({ "external_anonymous_users_enabled": true });
    let project = app.project("hooks", config(&[POINT], open)).await;
    app.hooks.reply(&uri(POINT), Ok(error(403, "not today")));
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    let refused = project.post("/signup", body.clone()).send().await.expect(403);
    assert_eq!((refused.error_code().as_str(), &refused.json()["msg"]), ("unknown", &json!("not today")));
    project.post("/signup", json!({ "data": { "marker": "anonymous-marker" } })).send().await.expect(500);
    let stored = app.stored_text().await;
    assert!(!stored.contains("a@example.com") && !stored.contains("anonymous-marker"), "{stored}");

    answer_with(&app, json!({}));
    let session = project.post("/signup", body).send().await.expect(200).json();
    app.hooks.reply(&uri(POINT), Ok(error(403, "not today")));
    password_grant(&project, "a@example.com", "correct horse").send().await.expect(403);
    assert_eq!(sessions_of(&project, &session["user"]["id"]).await, 1);
}

on_both!(a_refused_refresh_leaves_the_token_as_it_was, a_refused_refresh_leaves_the_token_as_it_was_on_postgres, kept);
async fn kept(app: TestApp) {
    for version in [1, 2] {
        let settings = json!({ "security_refresh_token_algorithm_version": version });
        let project = app.project(&format!("hooks-{version}"), config(&[POINT], settings)).await;
        answer_with(&app, json!({}));
        let session = project.sign_up("a@example.com").await;
        methods(&app);
        for _ in 0..2 {
            app.hooks.reply_next(&uri(POINT), Ok(error(503, "later")));
            project.refresh(&session["refresh_token"]).send().await.expect(503);
        }
        let refreshed = project.refresh(&session["refresh_token"]).send().await.expect(200);
        assert_eq!(refreshed.header("sb-auth-refresh-token-reuse"), "false");
        assert_eq!(methods(&app), ["token_refresh"; 3]);
        // Metadata that changed meanwhile is what the hook is shown: nothing is taken from memory.
        let refreshed = refreshed.json();
        let change = project.ask(http::Method::PUT, "/user").json(&json!({ "data": { "plan": "gold" } }));
        change.bearer(refreshed["access_token"].as_str().unwrap()).send().await.expect(200);
        project.refresh(&refreshed["refresh_token"]).send().await.expect(200);
        let shown = app.hooks.take(&uri(POINT));
        assert_eq!(shown[0]["claims"]["user_metadata"]["plan"], "gold", "version {version}");
    }
}

on_both!(a_refused_link_still_works, a_refused_link_still_works_on_postgres, link);
async fn link(app: TestApp) {
    let settings = config(&[POINT, "send_email"], json!({ "mailer_autoconfirm": false }));
    let project = app.project("hooks", settings).await;
    answer_with(&app, json!({}));
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    project.post("/signup", body).send().await.expect(200);
    let mails = app.hooks.take(&uri("send_email"));
    let verify = json!({ "type": "signup", "token_hash": mails[0]["email_data"]["token_hash"] });
    app.hooks.reply_next(&uri(POINT), Ok(Value::Null));
    project.post("/verify", verify.clone()).send().await.expect(500);
    let session = project.post("/verify", verify).send().await.expect(200).json();
    assert_eq!(methods(&app), ["otp", "otp"]);
    assert_eq!(claims(&app, &project, &session)["user_metadata"]["email_verified"], true);
}
