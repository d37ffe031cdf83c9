//! The way back from a provider, and where it leads.

use std::collections::BTreeMap;

use domain::provider::ProviderTokens;
use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};
use uuid::Uuid;

use crate::both::on_both;
use crate::oauth::{
    APP, CHALLENGE, Landed, SITE, VERIFIER, back, begin, begin_at, exchange, land, person, project, sign_in, user,
};

fn keys(pairs: &BTreeMap<String, String>) -> Vec<&str> {
    pairs.keys().map(String::as_str).collect()
}

on_both!(test_oauth_callback_redirects, test_oauth_callback_redirects_on_postgres, redirects);
async fn redirects(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "Ada@example.com")));

    // Without a challenge: the session and the provider's tokens, in the fragment.
    let state = begin(&project, "&redirect_to=https%3A%2F%2Fapp.example.com%2Fcb%3Fz%3D1%26a%3D2").await;
    let answer = back(&project, &state, "ada").send().await.expect(302);
    let landed = Landed::of(&answer);
    assert!(answer.header("location").starts_with("https://app.example.com/cb?z=1&a=2#access_token="));
    let expected = [
        "access_token",
        "expires_at",
        "expires_in",
        "provider_refresh_token",
        "provider_token",
        "refresh_token",
        "sb",
        "token_type",
    ];
    assert_eq!(keys(&landed.fragment), expected);
    let of = |name: &str| landed.fragment[name].as_str();
    assert_eq!((of("provider_token"), of("provider_refresh_token"), of("token_type")), ("at-1", "rt-1", "bearer"));
    let ada = user(&project, landed.access_token()).await;
    assert_eq!((&ada["email"], &ada["app_metadata"]["provider"]), (&json!("ada@example.com"), &json!("gitlab")));
    assert_eq!(methods(landed.access_token()), ["oauth"]);
    project.refresh(&json!(of("refresh_token"))).send().await.expect(200);

    // With a challenge: a code, among what the target's query holds, and no session.
    let query = format!("&redirect_to=https%3A%2F%2Fapp.example.com%2Fcb%3Fz%3D1%26a%3D2{CHALLENGE}");
    let state = begin(&project, &query).await;
    let landed = land(&project, &state, "ada").await;
    assert_eq!((landed.target.as_str(), keys(&landed.query)), (APP, vec!["a", "code", "z"]));
    assert_eq!(landed.fragment, BTreeMap::new());
    assert!(Uuid::parse_str(landed.code()).is_ok());
    let session = exchange(&project, landed.code(), VERIFIER).await.expect(200).json();
    assert_eq!((&session["user"]["id"], &session["provider_token"]), (&ada["id"], &json!("at-1")));
    assert_eq!(session["provider_refresh_token"], "rt-1");
    assert_eq!(methods(session["access_token"].as_str().unwrap()), ["oauth"]);

    // To an app of its own scheme, and to the site where no other target is allowed.
    for (redirect_to, target) in
        [("com.example.app://signed-in", "com.example.app://signed-in"), ("https://evil.example", SITE)]
    {
        let state = begin(&project, &format!("&redirect_to={redirect_to}")).await;
        assert_eq!(land(&project, &state, "ada").await.target, target);
        let state = begin(&project, &format!("&redirect_to={redirect_to}{CHALLENGE}")).await;
        assert_eq!(land(&project, &state, "ada").await.target, target);
    }
}

/// The authentication methods that an access token names.
fn methods(access_token: &str) -> Vec<String> {
    use base64::Engine;
    let payload = access_token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: Value = serde_json::from_slice(&bytes).unwrap();
    let methods = claims["amr"].as_array().unwrap().iter();
    methods.map(|entry| entry["method"].as_str().unwrap().to_owned()).collect()
}

on_both!(the_target_is_the_one_of_the_start, the_target_is_the_one_of_the_start_on_postgres, target);
async fn target(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let state = begin(&project, "&redirect_to=https%3A%2F%2Fapp.example.com%2Fcb").await;
    let path = format!("/callback?state={state}&code=ada&redirect_to=https%3A%2F%2Fapp.example.com%2Fother");
    let answer = project.get(&path).header("referer", "https://app.example.com/third").send().await.expect(302);
    assert_eq!(Landed::of(&answer).target, APP);
}

on_both!(a_form_is_as_good_as_a_query, a_form_is_as_good_as_a_query_on_postgres, form);
async fn form(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let state = begin_at(&project, "apple", "").await;
    let form = format!("state={state}&code=ada&user=%7B%22name%22%3A%7B%22firstName%22%3A%22Ada%22%7D%7D");
    let ask = project.ask(Method::POST, "/callback").header("content-type", "application/x-www-form-urlencoded");
    let landed = Landed::of(&ask.raw(form).send().await.expect(302));
    user(&project, landed.access_token()).await;
    let (_, back) = app.providers.returns().pop().unwrap();
    assert_eq!(back.user, "{\"name\":{\"firstName\":\"Ada\"}}");
}

on_both!(the_provider_is_shown_what_belongs_to_the_state, shown_what_belongs_on_postgres, shown);
async fn shown(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let (first, second) = (begin(&project, "").await, begin(&project, "").await);
    for state in [&second, &first] {
        land(&project, state, "ada").await;
    }
    let (left, returned) = (app.providers.departures(), app.providers.returns());
    for ((_, departure), (_, back)) in left.iter().zip(returned.iter().rev()) {
        assert_eq!((&departure.code_verifier, &departure.nonce), (&back.code_verifier, &back.nonce));
    }
}

on_both!(a_state_is_read_however_it_is_spelled, a_state_however_spelled_on_postgres, spelled);
async fn spelled(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let spellings: [fn(&str) -> String; 4] = [
        str::to_uppercase,
        |state| state.replace('-', ""),
        |state| format!("%7B{state}%7D"),
        |state| format!("urn%3Auuid%3A{state}"),
    ];
    for spell in spellings {
        let state = begin(&project, "").await;
        let landed = land(&project, &spell(&state), "ada").await;
        user(&project, landed.access_token()).await;
        // It was the same state.
        back(&project, &state, "ada").send().await.expect(303);
    }
}

on_both!(another_gateway_ends_the_flow, another_gateway_ends_the_flow_on_postgres, elsewhere);
async fn elsewhere(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let there = sibling.through(&project);
    for gateway in [&app, &sibling] {
        gateway.providers.grant("ada", Ok(person("1", "ada@example.com")));
    }
    let state = begin(&project, "").await;
    let implicit = land(&there, &state, "ada").await;
    let state = begin(&there, CHALLENGE).await;
    let landed = land(&project, &state, "ada").await;
    let session = exchange(&there, landed.code(), VERIFIER).await.expect(200).json();
    let here = user(&project, session["access_token"].as_str().unwrap()).await;
    assert_eq!(here["id"], user(&there, implicit.access_token()).await["id"]);
    let (_, departure) = app.providers.departures().pop().unwrap();
    let (_, back) = sibling.providers.returns().pop().unwrap();
    assert_eq!((departure.code_verifier, departure.nonce), (back.code_verifier, back.nonce));
}

on_both!(the_providers_tokens_are_sealed_and_given_once, tokens_are_sealed_on_postgres, sealed);
async fn sealed(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("sealed", "ada@example.com")));
    let state = begin(&project, CHALLENGE).await;
    let landed = land(&project, &state, "ada").await;
    let stored = app.stored_text().await;
    for secret in ["at-sealed", "rt-sealed", landed.code()] {
        assert!(!stored.contains(secret), "{secret}");
    }
    let session = exchange(&project, landed.code(), VERIFIER).await.expect(200).json();
    assert_eq!(session["provider_token"], "at-sealed");
    exchange(&project, landed.code(), VERIFIER).await.expect(404);
    let refreshed = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    assert_eq!((refreshed.get("provider_token"), refreshed.get("provider_refresh_token")), (None, None));

    // A provider without refresh tokens, and one without any.
    for (access, refresh) in [("only", ""), ("", "")] {
        let mut signed_in = person("sealed", "ada@example.com");
        let [access_token, refresh_token] = [access, refresh].map(|token| token.to_owned().into());
        signed_in.tokens = ProviderTokens { access_token, refresh_token };
        app.providers.grant("bare", Ok(signed_in));
        let state = begin(&project, CHALLENGE).await;
        let landed = land(&project, &state, "bare").await;
        let session = exchange(&project, landed.code(), VERIFIER).await.expect(200).json();
        let shown = session.get("provider_token").and_then(Value::as_str).unwrap_or_default();
        assert_eq!((shown, session.get("provider_refresh_token")), (access, None));
    }
}

on_both!(what_changes_on_the_way_counts, what_changes_on_the_way_counts_on_postgres, changes);
async fn changes(app: TestApp) {
    let project = project(&app, json!({})).await;
    let known =
        user(&project, sign_in(&app, &project, person("known", "known@example.com")).await.access_token()).await;
    app.providers.grant("known", Ok(person("known", "known@example.com")));
    app.providers.grant("new", Ok(person("new", "new@example.com")));
    let patch = async |change: Value| {
        app.management.patch_config(&project.project_ref, change.as_object().unwrap()).await.unwrap();
    };
    let to = |target: &str| format!("&redirect_to=https%3A%2F%2Fapp.example.com%2F{target}");

    // The target is no longer allowed.
    let state = begin(&project, &to("cb")).await;
    patch(json!({ "uri_allow_list": "https://other.example.com" })).await;
    assert_eq!(land(&project, &state, "known").await.target, SITE);
    patch(json!({ "uri_allow_list": "https://app.example.com/**" })).await;

    // The provider is switched off.
    let state = begin(&project, &to("cb")).await;
    let coded = land(&project, &begin(&project, CHALLENGE).await, "known").await;
    patch(json!({ "external_gitlab_enabled": false })).await;
    let landed = land(&project, &state, "known").await;
    let reason = "Unsupported provider: provider is not enabled";
    assert_eq!(landed.error(), ["invalid_request", "oauth_provider_not_supported", reason]);
    assert_eq!(landed.target, APP);
    let refused = exchange(&project, coded.code(), VERIFIER).await.expect(400);
    assert_eq!(refused.error_code(), "oauth_provider_not_supported");
    patch(json!({ "external_gitlab_enabled": true })).await;
    user(&project, land(&project, &state, "known").await.access_token()).await;
    exchange(&project, coded.code(), VERIFIER).await.expect(200);

    // Sign-ups are switched off: the account that exists is let in.
    let (first, second) = (begin(&project, "").await, begin(&project, "").await);
    patch(json!({ "disable_signup": true })).await;
    let refused = land(&project, &first, "new").await;
    assert_eq!(refused.error()[..2], ["access_denied", "signup_disabled"]);
    user(&project, land(&project, &second, "known").await.access_token()).await;
    patch(json!({ "disable_signup": false })).await;

    // The project gets strict, and lax again: what is under way ends as it began, at the provider as well.
    for strict in [true, false] {
        let query = if strict { "" } else { CHALLENGE };
        let state = begin(&project, query).await;
        patch(json!({ "security_pkce_required": if strict { "all" } else { "off" } })).await;
        land(&project, &state, "known").await;
        let (left, returned) = (app.providers.departures(), app.providers.returns());
        assert_eq!((left.last().unwrap().0.strict, returned.last().unwrap().0.strict), (!strict, !strict));
    }

    // The person is banned, before the callback and before the exchange.
    let state = begin(&project, &to("cb")).await;
    let coded = land(&project, &begin(&project, CHALLENGE).await, "known").await;
    let ban = async |duration: &str| {
        let path = format!("/admin/users/{}", known["id"].as_str().unwrap());
        let ask = project.ask(Method::PUT, &path).bearer(&project.service_role_key);
        ask.json(&json!({ "ban_duration": duration })).send().await.expect(200);
    };
    ban("24h").await;
    assert_eq!(land(&project, &state, "known").await.error(), ["access_denied", "user_banned", "User is banned"]);
    let begun = begin(&project, CHALLENGE).await;
    assert_eq!(land(&project, &begun, "known").await.error()[1], "user_banned");
    assert_eq!(exchange(&project, coded.code(), VERIFIER).await.expect(403).error_code(), "user_banned");
    ban("none").await;

    // The project is paused.
    let state = begin(&project, "").await;
    app.management.set_paused(&project.project_ref, true).await.unwrap();
    back(&project, &state, "known").send().await.expect(503);
    app.management.set_paused(&project.project_ref, false).await.unwrap();
    user(&project, land(&project, &state, "known").await.access_token()).await;
}

on_both!(projects_do_not_know_each_others_states, foreign_states_on_postgres, foreign);
async fn foreign(app: TestApp) {
    let one = app.project("one", crate::oauth::config(json!({}))).await;
    let two = app.project("two", crate::oauth::config(json!({}))).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let state = begin(&one, CHALLENGE).await;
    let refused = back(&two, &state, "ada").send().await.expect(303);
    assert_eq!(Landed::of(&refused).error()[2], "OAuth state not found or expired");
    let code = land(&one, &state, "ada").await.code().to_owned();
    exchange(&two, &code, VERIFIER).await.expect(404);
    let session = exchange(&one, &code, VERIFIER).await.expect(200).json();
    // The same person at the same provider is somebody else in the other project.
    let other = land(&two, &begin(&two, "").await, "ada").await;
    assert_ne!(user(&two, other.access_token()).await["id"], session["user"]["id"]);
    let listed = two.get("/admin/users").bearer(&two.service_role_key).send().await.expect(200).json();
    assert_eq!(listed["users"].as_array().map(Vec::len), Some(1));
}

/// Nothing is written where nobody has come back.
pub(crate) async fn users(project: &TestProject) -> usize {
    let listed = project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(200).json();
    listed["users"].as_array().unwrap().len()
}
