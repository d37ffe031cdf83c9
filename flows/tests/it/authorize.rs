//! The way to a provider: what is refused, what goes along, and what is kept.

use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::oauth::{CHALLENGE, begin, begin_at, project, state};

/// The status, the code and the message of a refusal.
fn told(answer: &Answer) -> (u16, String, String) {
    let message = answer.json()["msg"].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), answer.error_code(), message)
}

async fn ask(project: &TestProject, query: &str) -> Answer {
    project.get(&format!("/authorize?{query}")).send().await
}

on_both!(refusals_are_told_at_once, refusals_are_told_at_once_on_postgres, refusals);
async fn refusals(app: TestApp) {
    let project = project(&app, json!({ "external_scopes_allowed": "openid,email" })).await;
    let challenge = "a".repeat(43);
    let invited = json!({ "email": "invited@example.com" });
    project.post("/invite", invited).bearer(&project.service_role_key).send().await.expect(200);
    for (query, code, message) in [
        ("", "validation_failed", "Unsupported provider: Provider  could not be found"),
        ("provider=nosuch", "validation_failed", "Unsupported provider: Provider nosuch could not be found"),
        ("provider=email", "validation_failed", "Unsupported provider: Provider email could not be found"),
        ("provider=Facebook", "validation_failed", "Unsupported provider: provider is not enabled"),
        ("provider=custom:x", "validation_failed", "Unsupported provider: custom OAuth providers are disabled"),
        ("provider=gitlab&invite_token=guessed", "user_not_found", "User identified by token not found"),
        (
            &format!("provider=gitlab&code_challenge={challenge}"),
            "validation_failed",
            "PKCE flow requires code_challenge_method and code_challenge",
        ),
        (
            &format!("provider=gitlab&code_challenge={challenge}&code_challenge_method=s512"),
            "validation_failed",
            "Invalid code_challenge_method",
        ),
        ("provider=gitlab&scopes=email,repo", "validation_failed", "Scope \"repo\" is not allowed for this project"),
        ("provider=gitlab&scope=email+repo", "validation_failed", "Scope \"repo\" is not allowed for this project"),
        // The provider comes first, then the invitation, then the challenge.
        (
            "provider=nosuch&invite_token=guessed&code_challenge=x",
            "validation_failed",
            "Unsupported provider: Provider nosuch could not be found",
        ),
        (
            "provider=gitlab&invite_token=guessed&code_challenge=x",
            "user_not_found",
            "User identified by token not found",
        ),
    ] {
        let answer = ask(&project, query).await;
        let status = if code == "user_not_found" { 404 } else { 400 };
        assert_eq!(told(&answer), (status, code.to_owned(), message.to_owned()), "{query}");
    }
    assert!(app.providers.departures().is_empty());
}

on_both!(a_provider_that_is_half_set_up_is_named, a_provider_half_set_up_on_postgres, half_set_up);
async fn half_set_up(app: TestApp) {
    let config = json!({
        "external_gitlab_client_id": "", "external_keycloak_url": null, "external_apple_secret": "",
        "custom_oauth_enabled": true,
    });
    let project = project(&app, config).await;
    for (provider, reason) in [
        ("gitlab", "missing OAuth client ID"),
        ("keycloak", "unable to find URL for the Keycloak provider"),
        ("apple", "missing OAuth secret"),
        ("custom:Acme", "custom provider custom:acme not found"),
    ] {
        let answer = ask(&project, &format!("provider={provider}")).await;
        assert_eq!(told(&answer).2, format!("Unsupported provider: {reason}"));
    }
}

on_both!(what_goes_along_to_the_provider, what_goes_along_to_the_provider_on_postgres, along);
async fn along(app: TestApp) {
    let project = project(&app, json!({})).await;
    let query = "&scopes=api,read_user&prompt=consent&prompt=none&access_type=offline&login_hint=a%40b.co\
        &redirect_to=https%3A%2F%2Fapp.example.com%2Fcb&skip_http_redirect=true&apikey=k\
        &client_id=evil&CLIENT_SECRET=evil&redirect_uri=https%3A%2F%2Fevil.example&response_type=token&State=evil\
        &code_verifier=evil&request_uri=https%3A%2F%2Fevil.example&request=evil";
    let first = begin_at(&project, "GitLab", &format!("{query}{CHALLENGE}")).await;
    let second = begin(&project, "").await;
    assert_ne!(first, second);
    let departures = app.providers.departures();
    let (connection, departure) = &departures[0];
    assert_eq!(connection.name, "gitlab");
    assert_eq!(connection.settings.client_ids, ["gitlab-client"]);
    assert_eq!(connection.settings.secret.expose(), "gitlab-secret");
    assert_eq!(connection.redirect_uri, "http://127.0.0.1:8000/p/oauth/auth/v1/callback");
    assert!(!connection.strict);
    assert_eq!((&departure.state, &*departure.scopes), (&first, "api,read_user"));
    let pairs: Vec<(&str, &str)> =
        departure.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("prompt", "consent"), ("access_type", "offline"), ("login_hint", "a@b.co")]);

    // Verifier and nonce belong to one state each, and neither is the state or another's.
    let other = &departures[1].1;
    let verifier = departure.code_verifier.expose();
    assert!((43..=128).contains(&verifier.len()));
    let all = [verifier, &departure.nonce, &departure.state, other.code_verifier.expose(), &other.nonce, &other.state];
    for (index, one) in all.iter().enumerate() {
        assert!(all.iter().skip(index + 1).all(|another| another != one && !another.contains(one.as_str())));
    }
}

on_both!(a_strict_project_wants_more_of_its_providers, strict_on_postgres, strict);
async fn strict(app: TestApp) {
    for (name, config, strict) in [
        ("off", json!({}), false),
        ("oauth", json!({ "security_pkce_required": "oauth" }), true),
        ("all", json!({ "security_pkce_required": "all" }), true),
        ("nonce", json!({ "security_oauth_nonce_required": true }), true),
    ] {
        let project = app.project(name, crate::oauth::config(config)).await;
        begin(&project, CHALLENGE).await;
        assert_eq!(app.providers.departures().last().unwrap().0.strict, strict, "{name}");
    }
}

// Whoever reads the database can end nobody's flow: neither state nor verifier, nonce or mark stands in it.
on_both!(the_database_holds_no_state, the_database_holds_no_state_on_postgres, nothing_stored);
async fn nothing_stored(app: TestApp) {
    let project = project(&app, json!({})).await;
    let state = begin(&project, CHALLENGE).await;
    let stored = app.stored_text().await.to_lowercase();
    let (_, departure) = app.providers.departures().pop().unwrap();
    assert!(stored.contains("gitlab"));
    for secret in [&state, departure.code_verifier.expose(), &departure.nonce, &state.replace('-', "")] {
        assert!(!stored.contains(secret.as_str()), "{secret}");
    }
}

on_both!(challenges_can_be_demanded, challenges_can_be_demanded_on_postgres, demanded);
async fn demanded(app: TestApp) {
    for (name, config) in
        [("oauth", json!({ "security_pkce_required": "oauth" })), ("all", json!({ "security_pkce_required": "all" }))]
    {
        let project = app.project(name, crate::oauth::config(config)).await;
        let plain = format!("provider=gitlab&code_challenge={}&code_challenge_method=plain", "a".repeat(43));
        let none = (400, "validation_failed", "PKCE flow requires code_challenge_method and code_challenge");
        let method = (400, "validation_failed", "Invalid code_challenge_method");
        for (query, (status, code, message)) in [
            ("provider=gitlab", none),
            ("provider=gitlab&code_challenge=&code_challenge_method=", none),
            (&plain, method),
            (&plain.replace("=plain", "=PLAIN"), method),
        ] {
            let answer = ask(&project, query).await;
            assert_eq!(told(&answer), (status, code.to_owned(), message.to_owned()), "{query}");
        }
        state(&ask(&project, &format!("provider=gitlab{CHALLENGE}")).await.expect(302));
    }
}

/// A token that opens an account cannot be looked for here either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_of_invitations_are_counted() {
    let app = TestApp::sqlite().await;
    let project = project(&app, json!({ "rate_limit_verify": 30 })).await;
    let mut refused: Vec<Value> = Vec::new();
    for guess in 0..40 {
        let path = format!("/authorize?provider=gitlab&invite_token=guess-{guess}");
        let answer = project.get(&path).header("x-forwarded-for", "203.0.113.7").send().await;
        refused.push(json!(answer.status.as_u16()));
    }
    assert_eq!(refused[..30], vec![json!(404); 30]);
    assert_eq!(refused[30..], vec![json!(429); 10]);
}
