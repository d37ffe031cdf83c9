//! What a browser is told that comes back in vain.

use domain::provider::{ProviderTokens, SignedIn};
use http::Method;
use outbound::providers::ProviderError;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};
use uuid::Uuid;

use crate::both::on_both;
use crate::callback::users;
use crate::oauth::{
    APP, CHALLENGE, Landed, SITE, VERIFIER, back, begin, begin_at, exchange, land, person, plain, project, user,
    with_addresses,
};

const TO_APP: &str = "&redirect_to=https%3A%2F%2Fapp.example.com%2Fcb%3Fkeep%3D1%26error%3Dold";

/// Comes back without a flow.
async fn lost(project: &TestProject, query: &str) -> Landed {
    let answer = project.get(&format!("/callback?{query}")).send().await.expect(303);
    let landed = Landed::of(&answer);
    assert_eq!((landed.target.as_str(), landed.fragment.len()), (SITE, 0), "{query}");
    landed
}

on_both!(states_that_lead_nowhere, states_that_lead_nowhere_on_postgres, nowhere);
async fn nowhere(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let (unknown, nil) = (Uuid::from_u128(7), Uuid::nil());
    for (query, code, message) in [
        ("code=ada", "bad_oauth_callback", "OAuth state parameter missing"),
        ("code=ada&state=", "bad_oauth_callback", "OAuth state parameter missing"),
        ("error=access_denied", "bad_oauth_callback", "OAuth state parameter missing"),
        ("code=ada&state=not-a-uuid", "bad_oauth_state", "OAuth state parameter is invalid"),
        (&format!("code=ada&state={unknown}"), "bad_oauth_state", "OAuth state not found or expired"),
        (&format!("code=ada&state={nil}"), "bad_oauth_state", "OAuth state not found or expired"),
        (
            &format!("error=x&error_description=y&state={unknown}"),
            "bad_oauth_state",
            "OAuth state not found or expired",
        ),
        (
            &format!("code=ada&state={unknown}&redirect_to=https%3A%2F%2Fapp.example.com%2Fcb"),
            "bad_oauth_state",
            "OAuth state not found or expired",
        ),
    ] {
        assert_eq!(lost(&project, query).await.error(), ["invalid_request", code, message], "{query}");
    }
    let form = project.ask(Method::POST, "/callback").header("content-type", "application/x-www-form-urlencoded");
    let answer = form.raw("code=ada").send().await.expect(303);
    assert_eq!(Landed::of(&answer).error()[2], "OAuth state parameter missing");
    assert_eq!(users(&project).await, 0);
    assert!(app.providers.returns().is_empty());
}

on_both!(a_state_is_good_once, a_state_is_good_once_on_postgres, once);
async fn once(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    for (query, code, message) in [
        ("", "bad_oauth_state", "OAuth state not found or expired"),
        (CHALLENGE, "flow_state_already_used", "State has already been used"),
    ] {
        let state = begin(&project, &format!("{query}{TO_APP}")).await;
        let landed = land(&project, &state, "ada").await;
        for code_again in ["ada", "other"] {
            let replayed = lost(&project, &format!("state={state}&code={code_again}")).await;
            assert_eq!(replayed.error(), ["invalid_request", code, message]);
        }
        // What it gave the first time is as good as before.
        match query {
            "" => drop(user(&project, landed.access_token()).await),
            _ => drop(exchange(&project, landed.code(), VERIFIER).await.expect(200)),
        }
    }
}

on_both!(a_state_lives_for_minutes, a_state_lives_for_minutes_on_postgres, minutes);
async fn minutes(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    for query in ["", CHALLENGE] {
        let (young, old) = (begin(&project, query).await, begin(&project, query).await);
        app.clock.advance(300);
        land(&project, &young, "ada").await;
        app.clock.advance(1);
        let refused = lost(&project, &format!("state={old}&code=ada")).await;
        assert_eq!(refused.error(), ["invalid_request", "bad_oauth_state", "OAuth state has expired"]);
    }
    // The time of the exchange counts from the start as well.
    let state = begin(&project, CHALLENGE).await;
    app.clock.advance(299);
    let landed = land(&project, &state, "ada").await;
    app.clock.advance(2);
    assert_eq!(exchange(&project, landed.code(), VERIFIER).await.expect(422).error_code(), "flow_state_expired");
}

/// Comes back in vain with a flow, and checks that query and fragment say the same. The query is put into the target's own.
async fn refused(project: &TestProject, state: &str, query: &str) -> Landed {
    let answer = project.get(&format!("/callback?state={state}{query}")).send().await.expect(302);
    let landed = Landed::of(&answer);
    assert_eq!((landed.target.as_str(), landed.query["keep"].as_str()), (APP, "1"), "{query}");
    for name in ["error", "error_code", "error_description"] {
        let told = landed.query.get(name).filter(|text| !text.is_empty()).cloned();
        // The fragment is encoded once more, as recorded.
        assert_eq!(told, landed.fragment.get(name).map(|text| plain(text)), "{name}");
    }
    assert_eq!(landed.fragment["sb"], "");
    landed
}

on_both!(errors_reach_the_app_and_use_nothing_up, errors_reach_the_app_on_postgres, to_the_app);
async fn to_the_app(app: TestApp) {
    let project = project(&app, json!({})).await;
    let grants: [(&str, Result<SignedIn, ProviderError>); 8] = [
        ("ada", Ok(person("1", "ada@example.com"))),
        ("nobody", Ok(person("", "ada@example.com"))),
        ("addressless", Ok(with_addresses("2", &[]))),
        ("unspoken", Ok(with_addresses("2", &[("", true)]))),
        ("profile", Err(ProviderError::Profile)),
        ("outage", Err(ProviderError::Unavailable)),
        ("host", Err(ProviderError::Host)),
        ("discovery", Err(ProviderError::Discovery("no metadata".to_owned()))),
    ];
    for (code, worth) in grants {
        app.providers.grant(code, worth);
    }
    let failure = "unexpected_failure";
    let outage = "Provider gitlab cannot be reached at the moment, please try again later";
    for flow in ["", CHALLENGE] {
        let state = begin(&project, &format!("{TO_APP}{flow}")).await;
        for (query, expected) in [
            ("", ["invalid_request", "bad_oauth_callback", "OAuth callback with missing authorization code missing"]),
            (
                "&code=",
                ["invalid_request", "bad_oauth_callback", "OAuth callback with missing authorization code missing"],
            ),
            ("&error=access_denied&error_description=The+user+denied", ["access_denied", "", "The user denied"]),
            ("&error=temporarily_unavailable&code=ada", ["temporarily_unavailable", "", ""]),
            ("&code=wrong-code", ["server_error", failure, "Unable to exchange external code: wron"]),
            ("&code=wr", ["server_error", failure, "Unable to exchange external code: wr"]),
            (
                "&code=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9",
                ["server_error", failure, "Unable to exchange external code: éééé"],
            ),
            ("&code=profile", ["server_error", failure, "Error getting user profile from external provider"]),
            ("&code=nobody", ["server_error", failure, "Error getting user profile from external provider"]),
            ("&code=addressless", ["server_error", failure, "Error getting user email from external provider"]),
            ("&code=unspoken", ["server_error", failure, "Error getting user email from external provider"]),
            ("&code=outage", ["temporarily_unavailable", "provider_unavailable", outage]),
            ("&code=host", ["temporarily_unavailable", "provider_unavailable", outage]),
            (
                "&code=discovery",
                ["invalid_request", "oauth_provider_not_supported", "Unsupported provider: no metadata"],
            ),
        ] {
            assert_eq!(refused(&project, &state, query).await.error(), expected, "{query}");
        }
        assert_eq!(users(&project).await, usize::from(!flow.is_empty()));
        // The sign-in itself has not happened yet.
        land(&project, &state, "ada").await;
    }
}

on_both!(an_answer_of_another_issuer_is_refused, foreign_issuers_on_postgres, issuers);
async fn issuers(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let foreign = ["invalid_request", "bad_oauth_callback", "OAuth callback was answered by another issuer"];
    for (provider, own, others) in [
        ("gitlab", "https://gitlab.com", ["https://id.example.com/realms/shop", "https://gitlab.com.evil.example"]),
        (
            "keycloak",
            "https://id.example.com/realms/shop",
            ["https://id.example.com/realms/other", "https://gitlab.com"],
        ),
        ("apple", "https://appleid.apple.com", ["https://accounts.google.com", "nonsense"]),
    ] {
        let state = begin_at(&project, provider, TO_APP).await;
        for iss in others {
            assert_eq!(refused(&project, &state, &format!("&code=ada&iss={iss}")).await.error(), foreign, "{iss}");
            let denied = refused(&project, &state, &format!("&error=access_denied&iss={iss}")).await;
            assert_eq!(denied.error(), foreign, "{iss}");
        }
        let answer = project.get(&format!("/callback?state={state}&code=ada&iss={own}")).send().await.expect(302);
        user(&project, Landed::of(&answer).access_token()).await;
    }
    assert_eq!(app.providers.returns().len(), 3);
}

on_both!(twitter_speaks_another_protocol, twitter_on_postgres, twitter);
async fn twitter(app: TestApp) {
    let config = json!({
        "external_twitter_enabled": true, "external_twitter_client_id": "t", "external_twitter_secret": "s",
    });
    let project = project(&app, config).await;
    app.providers.grant("verifier", Ok(person("1", "ada@example.com")));
    app.providers.grant("profile", Err(ProviderError::Profile));
    let state = begin_at(&project, "twitter", TO_APP).await;
    let no_token = ["server_error", "unexpected_failure", "Unable to retrieve access token"];
    for (query, expected) in [
        ("&denied=x", no_token),
        ("&code=verifier", no_token),
        ("&oauth_token=t&oauth_verifier=wrong", no_token),
        (
            "&oauth_token=t&oauth_verifier=profile",
            ["server_error", "unexpected_failure", "Error getting user email from external provider"],
        ),
    ] {
        assert_eq!(refused(&project, &state, query).await.error(), expected, "{query}");
    }
    let answer = project.get(&format!("/callback?state={state}&oauth_token=t&oauth_verifier=verifier")).send().await;
    user(&project, Landed::of(&answer.expect(302)).access_token()).await;
    let (_, back) = app.providers.returns().pop().unwrap();
    assert_eq!((back.oauth_token.as_str(), back.code.expose().as_str()), ("t", "verifier"));
}

// A sign-in that must be confirmed by mail has happened: its state is used up, and no second mail can be had with it.
on_both!(a_refusal_that_is_kept_uses_the_state_up, kept_refusals_on_postgres, kept);
async fn kept(app: TestApp) {
    let project = project(&app, json!({})).await;
    let mut unverified = with_addresses("1", &[("ada@example.com", false)]);
    unverified.tokens = ProviderTokens::default();
    app.providers.grant("ada", Ok(unverified));
    for flow in ["", CHALLENGE] {
        let state = begin(&project, &format!("{TO_APP}{flow}")).await;
        let landed = refused(&project, &state, "&code=ada").await;
        assert_eq!(landed.error()[..2], ["access_denied", "provider_email_needs_verification"]);
        let again = lost(&project, &format!("state={state}&code=ada")).await;
        assert_eq!(again.error()[2], "OAuth state not found or expired");
        app.clock.advance(120);
    }
    assert_eq!(users(&project).await, 1);
}

on_both!(other_methods_use_nothing_up, other_methods_use_nothing_up_on_postgres, other_methods);
async fn other_methods(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let state = begin(&project, "").await;
    for method in [Method::PUT, Method::DELETE] {
        project.ask(method.clone(), &format!("/callback?state={state}&code=ada")).send().await.expect(405);
        project.ask(method, "/callback?code=ada").send().await.expect(303);
    }
    land(&project, &state, "ada").await;
}

// A link of an account that was removed meanwhile ends where there is no flow.
on_both!(a_link_to_a_removed_account_is_none, a_link_to_a_removed_account_on_postgres, removed);
async fn removed(app: TestApp) {
    let project = project(&app, json!({})).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    let guest: Value = project.post("/signup", json!({})).send().await.expect(200).json();
    let ask = project.get("/user/identities/authorize?provider=gitlab");
    let begun = ask.bearer(guest["access_token"].as_str().unwrap()).send().await.expect(302);
    let path = format!("/admin/users/{}", guest["user"]["id"].as_str().unwrap());
    project.ask(Method::DELETE, &path).bearer(&project.service_role_key).send().await.expect(200);
    let refused = back(&project, &crate::oauth::state(&begun), "ada").send().await.expect(303);
    let landed = Landed::of(&refused);
    assert_eq!(landed.target, SITE);
    // With the account its flows may be gone as well.
    let told = landed.error();
    assert!(["user_not_found", "bad_oauth_state"].contains(&told[1]), "{told:?}");
    assert_eq!(users(&project).await, 0);
}
