//! The way to a provider whose identity is to be linked. What the way back does with it is told in the tests of accounts.

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::letters::access;
use crate::mails::confirmed_user;
use crate::oauth::{CHALLENGE, Landed, VERIFIER, back, exchange, land, person, project, state, user};

async fn link(project: &TestProject, session: &Value, query: &str) -> Answer {
    project.get(&format!("/user/identities/authorize?{query}")).bearer(access(session)).send().await
}

async fn signed_in(project: &TestProject) -> Value {
    confirmed_user(project, json!({ "email": "ada@example.com", "password": "correct horse" })).await;
    project.sign_in("ada@example.com").await
}

on_both!(only_the_signed_in_link, only_the_signed_in_link_on_postgres, only);
async fn only(app: TestApp) {
    let linking = project(&app, json!({})).await;
    let off = app.project("off", crate::oauth::config(json!({ "security_manual_linking_enabled": false }))).await;
    for project in [&linking, &off] {
        let path = "/user/identities/authorize?provider=gitlab";
        assert_eq!(project.get(path).send().await.expect(401).error_code(), "no_authorization");
        for key in [&project.anon_key, &project.service_role_key] {
            assert_eq!(project.get(path).bearer(key).send().await.expect(403).error_code(), "bad_jwt");
        }
    }
    let session = signed_in(&off).await;
    for query in ["provider=gitlab", "provider=nosuch", "provider=gitlab&skip_http_redirect=true"] {
        assert_eq!(link(&off, &session, query).await.expect(404).error_code(), "manual_linking_disabled", "{query}");
    }
    let session = signed_in(&linking).await;
    linking.ask(Method::POST, "/logout").bearer(access(&session)).send().await.expect(204);
    assert_eq!(link(&linking, &session, "provider=gitlab").await.expect(403).error_code(), "session_not_found");
    assert!(app.providers.departures().is_empty());
}

on_both!(a_link_begins_like_a_sign_in, a_link_begins_like_a_sign_in_on_postgres, begins);
async fn begins(app: TestApp) {
    let project = project(&app, json!({ "external_scopes_allowed": "api" })).await;
    let session = signed_in(&project).await;
    for (query, message) in [
        ("provider=nosuch", "Unsupported provider: Provider nosuch could not be found"),
        ("provider=gitlab&code_challenge=x", "PKCE flow requires code_challenge_method and code_challenge"),
        ("provider=gitlab&scopes=sudo", "Scope \"sudo\" is not allowed for this project"),
    ] {
        let refused = link(&project, &session, query).await.expect(400);
        assert_eq!(refused.json()["msg"], message, "{query}");
    }
    let answer = link(&project, &session, "provider=gitlab&scopes=api&skip_http_redirect=true").await.expect(200);
    assert!(answer.json()["url"].as_str().unwrap().starts_with("https://provider.example/authorize?"));
    let (_, departure) = app.providers.departures().pop().unwrap();
    assert_eq!((departure.scopes.as_str(), departure.parameters.len()), ("api", 0));
    state(&link(&project, &session, "provider=gitlab&skip_http_redirect=yes").await.expect(302));
}

on_both!(a_link_ends_in_the_account_it_began_in, a_link_ends_where_it_began_on_postgres, ends);
async fn ends(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = signed_in(&project).await;
    app.providers.grant("one", Ok(person("1", "elsewhere@example.com")));
    app.providers.grant("two", Ok(person("2", "third@example.com")));
    let begun = state(&link(&project, &session, "provider=gitlab").await.expect(302));
    let landed = land(&project, &begun, "one").await;
    let linked = user(&project, landed.access_token()).await;
    assert_eq!((&linked["id"], &linked["email"]), (&session["user"]["id"], &json!("ada@example.com")));
    let begun = state(&link(&project, &session, &format!("provider=keycloak{CHALLENGE}")).await.expect(302));
    let landed = land(&project, &begun, "two").await;
    let traded = exchange(&project, landed.code(), VERIFIER).await.expect(200).json();
    assert_eq!(traded["user"]["id"], session["user"]["id"]);
    let providers: Vec<&str> = traded["user"]["identities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|identity| identity["provider"].as_str().unwrap())
        .collect();
    assert_eq!(providers.len(), 3, "{providers:?}");
}

// A link dies with the session that began it: whoever was thrown out of an account does not come back through a provider.
on_both!(a_link_dies_with_its_session, a_link_dies_with_its_session_on_postgres, dies);
async fn dies(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = signed_in(&project).await;
    app.providers.grant("thief", Ok(person("1", "thief@example.com")));
    let begun = state(&link(&project, &session, "provider=gitlab").await.expect(302));
    project.ask(Method::POST, "/logout").bearer(access(&session)).send().await.expect(204);
    let refused = back(&project, &begun, "thief").send().await.expect(303);
    assert_eq!(Landed::of(&refused).error()[1], "session_not_found");
    let again = project.sign_in("ada@example.com").await;
    assert_eq!(again["user"]["identities"].as_array().map(Vec::len), Some(1));
    assert!(app.providers.returns().is_empty());
}

on_both!(a_link_can_need_a_fresh_proof, a_link_can_need_a_fresh_proof_on_postgres, fresh);
async fn fresh(app: TestApp) {
    let config = json!({ "security_step_up_operations": "identity_link" });
    let project = project(&app, config).await;
    let session = signed_in(&project).await;
    link(&project, &session, "provider=gitlab").await.expect(302);
    app.clock.advance(3000);
    let refused = link(&project, &session, "provider=gitlab").await.expect(400);
    assert_eq!(refused.error_code(), "reauthentication_needed");
    // Guests have nothing to show.
    let guest: Value = project.post("/signup", json!({})).send().await.expect(200).json();
    app.clock.advance(3000);
    link(&project, &guest, "provider=gitlab").await.expect(302);
}

on_both!(a_link_ends_where_linking_was_switched_off, a_link_ends_where_linking_was_switched_off_on_postgres, off);
async fn off(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = signed_in(&project).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let begun = state(&link(&project, &session, "provider=gitlab").await.expect(302));
    let change = json!({ "security_manual_linking_enabled": false });
    app.management.patch_config(&project.project_ref, change.as_object().unwrap()).await.unwrap();
    let refused = back(&project, &begun, "ada").send().await.expect(302);
    assert_eq!(Landed::of(&refused).error()[1], "manual_linking_disabled");
    assert!(app.providers.returns().is_empty());
}
