//! Sign-ins with ID tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::provider::{IdToken, Profile, ProviderEmail};
use http::Method;
use outbound::providers::IdTokenError;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::hooks::claims;
use crate::letters::{access, admin, mail};
use crate::oauth;

const ADDRESS: &str = "ada@example.com";

/// Shows an ID token.
pub(crate) async fn show(project: &TestProject, body: Value) -> Answer {
    project.post("/token?grant_type=id_token", body).send().await
}

/// What a token of Keycloak says of `subject`, whose address is verified.
pub(crate) fn of(subject: &str, email: &str) -> IdToken {
    IdToken {
        issuer: "https://id.example.com/realms/shop".to_owned(),
        audiences: vec!["keycloak-client".to_owned()],
        nonce: None,
        profile: Profile {
            subject: subject.to_owned(),
            emails: vec![ProviderEmail { email: email.to_owned(), verified: true, primary: true }],
            claims: json!({ "iss": "https://id.example.com/realms/shop", "sub": subject, "name": "Ada Example" })
                .as_object()
                .cloned()
                .unwrap(),
        },
    }
}

/// A text that looks like a token of `issuer`, and is nothing else.
fn claiming(issuer: &str) -> String {
    let claims = URL_SAFE_NO_PAD.encode(json!({ "iss": issuer, "sub": "1" }).to_string());
    format!("e30.{claims}.c2ln")
}

/// The code and the text of a refusal, in either of its forms.
pub(crate) fn said(answer: &Answer) -> (String, String) {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let code = text("error").or_else(|| text("error_code")).unwrap();
    (code, text("error_description").or_else(|| text("msg")).unwrap())
}

pub(crate) fn pair(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

fn keycloak(token: &str) -> Value {
    json!({ "provider": "keycloak", "id_token": token })
}

on_both!(a_token_makes_a_user_and_finds_him_again, a_token_makes_a_user_and_finds_him_again_on_postgres, found_again);
async fn found_again(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    app.providers.token("first", Ok(of("1", ADDRESS)));
    let session = show(&project, keycloak("first")).await.expect(200).json();
    let user = &session["user"];
    assert_eq!((&user["email"], user["email_confirmed_at"].is_string()), (&json!(ADDRESS), true));
    assert_eq!(user["app_metadata"], json!({ "provider": "keycloak", "providers": ["keycloak"] }));
    assert_eq!((&user["identities"][0]["id"], &user["identities"][0]["provider"]), (&json!("1"), &json!("keycloak")));
    assert_eq!((session.get("provider_token"), session.get("provider_refresh_token")), (None, None));
    assert_eq!(claims(&app, &project, &session)["amr"][0]["method"], "oauth");
    project.get("/user").bearer(access(&session)).send().await.expect(200);
    project.refresh(&session["refresh_token"]).send().await.expect(200);

    // The realm's address names the provider as well, and the address is no longer what he is known by.
    app.providers.token("second", Ok(of("1", "other@example.com")));
    let body = json!({ "issuer": "https://id.example.com/realms/shop", "client_id": "any", "id_token": "second" });
    let again = show(&project, body).await.expect(200).json();
    assert_eq!((&again["user"]["id"], &again["user"]["email"]), (&user["id"], &json!(ADDRESS)));
    app.providers.token("third", Ok(of("3", "third@example.com")));
    let other = show(&project, keycloak("third")).await.expect(200).json();
    assert_ne!(other["user"]["id"], user["id"]);
}

on_both!(what_is_asked_for_first, what_is_asked_for_first_on_postgres, order);
async fn order(app: TestApp) {
    let project = oauth::project(&app, json!({ "external_apple_enabled": false })).await;
    let raw =
        project.ask(Method::POST, "/token?grant_type=id_token").raw("{").header("content-type", "application/json");
    assert_eq!(raw.send().await.expect(400).error_code(), "bad_json");
    let issuer = "https://issuer.example.com";
    let apple = claiming("https://appleid.apple.com");
    let required = "provider or client_id and issuer required";
    for (body, code, message) in [
        (json!({ "link_identity": true }), "invalid request", "id_token required"),
        (json!({ "id_token": "x" }), "invalid request", required),
        (json!({ "id_token": "x", "client_id": "c" }), "invalid request", required),
        (json!({ "id_token": "x", "issuer": issuer }), "invalid request", required),
        (
            json!({ "id_token": "x", "provider": "nobody", "link_identity": true }),
            "invalid request",
            "Linking requires a valid user access token in Authorization",
        ),
        (
            json!({ "id_token": "x", "issuer": issuer, "client_id": "c" }),
            "validation_failed",
            "Custom OIDC provider \"\" not allowed",
        ),
        (
            json!({ "id_token": "x", "provider": "gitlab" }),
            "validation_failed",
            "Custom OIDC provider \"gitlab\" not allowed",
        ),
        (
            json!({ "id_token": "x", "provider": "Keycloak" }),
            "validation_failed",
            "Custom OIDC provider \"Keycloak\" not allowed",
        ),
        (
            json!({ "id_token": "x", "provider": "google" }),
            "provider_disabled",
            "Provider (issuer \"https://accounts.google.com\") is not enabled",
        ),
        (
            json!({ "id_token": "x", "provider": "apple" }),
            "validation_failed",
            "Unable to detect issuer in ID token for Apple provider",
        ),
        (
            json!({ "id_token": apple, "provider": "apple" }),
            "provider_disabled",
            "Provider (issuer \"https://appleid.apple.com\") is not enabled",
        ),
        (
            json!({ "id_token": apple, "provider": "apple", "issuer": issuer }),
            "validation_failed",
            "Provided issuer does not match ID token issuer",
        ),
        (keycloak("unknown"), "invalid request", "Bad ID token"),
    ] {
        assert_eq!(said(&show(&project, body.clone()).await.expect(400)), pair(code, message), "{body}");
    }
    app.providers.token("away", Err(IdTokenError::Issuer("no answer".to_owned())));
    let failed = show(&project, keycloak("away")).await.expect(500);
    assert!(!failed.text.contains("no answer"), "{}", failed.text);
}

on_both!(a_provider_that_is_off_is_told_by_its_issuer, a_provider_that_is_off_is_told_by_its_issuer_on_postgres, off);
async fn off(app: TestApp) {
    let project = oauth::project(&app, json!({ "external_keycloak_enabled": false })).await;
    let refused = show(&project, keycloak("x")).await.expect(400);
    let message = "Provider (issuer \"https://id.example.com/realms/shop\") is not enabled";
    assert_eq!(said(&refused), pair("provider_disabled", message));
    // By its address alone only a realm that is on is meant.
    let body = json!({ "id_token": "x", "client_id": "c", "issuer": "https://id.example.com/realms/shop" });
    let message = "Custom OIDC provider \"\" not allowed";
    assert_eq!(said(&show(&project, body).await.expect(400)), pair("validation_failed", message));
}

/// An attacker runs an issuer of his own and has it say whatever he likes (GHSA-9wqv-qrhh-87f4).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_foreign_issuers_are_not_looked_at() {
    let app = TestApp::sqlite().await;
    let azure = json!({ "external_azure_enabled": true, "external_azure_client_id": "azure-client", "external_azure_secret": "s" });
    let project = oauth::project(&app, azure).await;
    let victim = show_known(&app, &project).await;
    for (provider, title, issuer) in [
        ("apple", "Apple", "https://evil.example"),
        ("apple", "Apple", "https://appleid.apple.com.evil.example"),
        ("azure", "Azure", "https://evil.example/tenant/v2.0"),
        ("azure", "Azure", "https://login.microsoftonline.com.evil.example/tenant/v2.0"),
        ("azure", "Azure", "https://login.microsoftonline.com@evil.example/tenant/v2.0"),
    ] {
        let token = claiming(issuer);
        // It would be as good as any, were its issuer asked.
        let mut forged = of("1", ADDRESS);
        forged.issuer = issuer.to_owned();
        forged.audiences = vec![format!("{provider}-client")];
        app.providers.token(&token, Ok(forged));
        for named in ["", issuer] {
            let body = json!({ "provider": provider, "issuer": named, "client_id": "mine", "id_token": token });
            let refused = said(&show(&project, body).await.expect(400));
            let message = format!("Detected ID token issuer is not an {title} ID token issuer");
            assert_eq!(refused, pair("validation_failed", &message), "{issuer}");
        }
        let body = json!({ "issuer": issuer, "client_id": format!("{provider}-client"), "id_token": token });
        let refused = said(&show(&project, body).await.expect(400));
        assert_eq!(refused, pair("validation_failed", "Custom OIDC provider \"\" not allowed"), "{issuer}");
    }
    let listed = admin(&project, Method::GET, "/admin/users", json!({})).await.json();
    assert_eq!(listed["users"].as_array().unwrap().len(), 1);
    let path = format!("/admin/users/{}", victim["id"].as_str().unwrap());
    let read = admin(&project, Method::GET, &path, json!({})).await.expect(200).json();
    assert_eq!(read["identities"].as_array().unwrap().len(), 1);
}

/// A user with an address and one identity.
async fn show_known(app: &TestApp, project: &TestProject) -> Value {
    app.providers.token("known", Ok(of("known", ADDRESS)));
    show(project, keycloak("known")).await.expect(200).json()["user"].clone()
}

on_both!(a_token_is_somebodys_and_for_us, a_token_is_somebodys_and_for_us_on_postgres, for_us);
async fn for_us(app: TestApp) {
    let project = oauth::project(&app, json!({ "external_keycloak_client_id": "keycloak-client,native" })).await;
    app.providers.token("nobody", Ok(of("", ADDRESS)));
    let refused = show(&project, keycloak("nobody")).await.expect(400);
    assert_eq!(said(&refused), pair("invalid request", "Missing sub claim in id_token"));
    for (audiences, message) in [
        (&["other"][..], "Unacceptable audience in id_token: [other]"),
        (&["one", "two"], "Unacceptable audience in id_token: [one two]"),
        (&[], "Unacceptable audience in id_token: []"),
    ] {
        let audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        app.providers.token("foreign", Ok(IdToken { audiences, ..of("1", ADDRESS) }));
        let mut body = keycloak("foreign");
        // What the request says about that does not count.
        body["client_id"] = json!("other");
        assert_eq!(said(&show(&project, body).await.expect(400)), pair("invalid request", message));
    }
    let audiences = vec!["other".to_owned(), "native".to_owned()];
    app.providers.token("native", Ok(IdToken { audiences, ..of("1", ADDRESS) }));
    show(&project, keycloak("native")).await.expect(200);
}

const NONCE: &str = "demo-nonce-123";
const DIGEST: &str = "bdedd5fce31480a9aa795ed844773e76e41c2e99de0247119eb2d2fc48bdfc60";

/// Shows a token with `repeated`, and the nonce `sent` with it.
async fn with_nonces(app: &TestApp, project: &TestProject, repeated: &str, sent: &str) -> Answer {
    let nonce = Some(repeated.to_owned()).filter(|nonce| !nonce.is_empty());
    app.providers.token("nonces", Ok(IdToken { nonce, ..of("1", ADDRESS) }));
    let mut body = keycloak("nonces");
    body["nonce"] = json!(sent);
    show(project, body).await
}

on_both!(nonces_match_or_are_missing_on_both_sides, nonces_match_or_are_missing_on_both_sides_on_postgres, nonces);
async fn nonces(app: TestApp) {
    let missing = pair("invalid request", "Passed nonce and nonce in id_token should either both exist or not.");
    let mismatch = pair("invalid nonce", "Nonces mismatch");
    let project = oauth::project(&app, json!({})).await;
    let skips = app.project("skips", oauth::config(json!({ "external_keycloak_skip_nonce_check": true }))).await;
    let demands = app.project("demands", oauth::config(json!({ "security_oauth_nonce_required": true }))).await;
    for (repeated, sent, refused) in [
        (DIGEST, "", Some(&missing)),
        ("", NONCE, Some(&missing)),
        (NONCE, NONCE, Some(&mismatch)),
        (DIGEST, "another", Some(&mismatch)),
        (DIGEST, NONCE, None),
    ] {
        for project in [&project, &demands] {
            let answer = with_nonces(&app, project, repeated, sent).await;
            match refused {
                Some(refused) => assert_eq!(&said(&answer.expect(400)), refused, "{repeated} {sent}"),
                None => drop(answer.expect(200)),
            }
        }
        with_nonces(&app, &skips, repeated, sent).await.expect(200);
    }
    with_nonces(&app, &project, "", "").await.expect(200);
    assert_eq!(said(&with_nonces(&app, &demands, "", "").await.expect(400)), missing);
}

on_both!(
    an_unverified_address_waits_for_its_confirmation,
    an_unverified_address_waits_for_its_confirmation_on_postgres,
    unverified
);
async fn unverified(app: TestApp) {
    let project = oauth::project(&app, json!({ "smtp_max_frequency": 1 })).await;
    let mut token = of("1", ADDRESS);
    token.profile.emails[0].verified = false;
    app.providers.token("unverified", Ok(token));
    let refused = show(&project, keycloak("unverified")).await.expect(422);
    let message = "Unverified email with keycloak. A confirmation email has been sent to your keycloak email";
    assert_eq!(said(&refused), pair("provider_email_needs_verification", message));
    assert_eq!(mail(&app, ADDRESS).await.kind, "confirmation");
}

on_both!(
    whoever_has_no_address_needs_a_provider_that_allows_it,
    whoever_has_no_address_needs_a_provider_that_allows_it_on_postgres,
    without_address
);
async fn without_address(app: TestApp) {
    let strict = oauth::project(&app, json!({})).await;
    let lenient = app.project("lenient", oauth::config(json!({ "external_keycloak_email_optional": true }))).await;
    let mut token = of("1", ADDRESS);
    token.profile.emails.clear();
    app.providers.token("without", Ok(token));
    let refused = show(&strict, keycloak("without")).await.expect(422);
    let message = "Unverified email with keycloak. Verify the email with keycloak in order to sign in";
    assert_eq!(said(&refused), pair("provider_email_needs_verification", message));
    let session = show(&lenient, keycloak("without")).await.expect(200).json();
    assert_eq!(session["user"]["email"], "");
}

on_both!(closed_doors_are_closed_for_tokens, closed_doors_are_closed_for_tokens_on_postgres, closed);
async fn closed(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let shut = app.project("shut", oauth::config(json!({ "disable_signup": true }))).await;
    app.providers.token("one", Ok(of("1", ADDRESS)));
    let refused = show(&shut, keycloak("one")).await.expect(422);
    assert_eq!(said(&refused), pair("signup_disabled", "Signups not allowed for this instance"));
    let session = show(&project, keycloak("one")).await.expect(200).json();
    let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    admin(&project, Method::PUT, &path, json!({ "ban_duration": "24h" })).await.expect(200);
    assert_eq!(said(&show(&project, keycloak("one")).await.expect(403)), pair("user_banned", "User is banned"));
}

on_both!(further_issuers_are_named_by_the_operator, further_issuers_are_named_by_the_operator_on_postgres, further);
async fn further(app: TestApp) {
    let issuer = "https://issuer.example.com";
    let entries = json!({ "external_id_token_issuers": "https://issuer.example.com,https://bound.example.com=native" });
    let project = oauth::project(&app, entries).await;
    app.providers.token("further", Ok(IdToken { audiences: vec!["mine".to_owned()], ..of("1", ADDRESS) }));
    let body =
        |issuer: &str, client_id: &str| json!({ "issuer": issuer, "client_id": client_id, "id_token": "further" });
    let session = show(&project, body(issuer, "mine")).await.expect(200).json();
    assert_eq!(session["user"]["identities"][0]["provider"], issuer);
    let foreign = pair("invalid request", "Unacceptable audience in id_token: [mine]");
    assert_eq!(said(&show(&project, body(issuer, "other")).await.expect(400)), foreign);
    // One that is bound to an audience is not talked out of it.
    assert_eq!(said(&show(&project, body("https://bound.example.com", "mine")).await.expect(400)), foreign);
    app.providers.token("further", Ok(IdToken { audiences: vec!["native".to_owned()], ..of("2", "b@example.com") }));
    show(&project, body("https://bound.example.com", "mine")).await.expect(200);
    let unknown = pair("validation_failed", "Custom OIDC provider \"\" not allowed");
    assert_eq!(said(&show(&project, body("https://issuer.example.com/", "mine")).await.expect(400)), unknown);
}

on_both!(custom_providers_are_trusted_as_set_up, custom_providers_are_trusted_as_set_up_on_postgres, custom);
async fn custom(app: TestApp) {
    let without = oauth::project(&app, json!({})).await;
    let project = app.project("custom", oauth::config(json!({ "custom_oauth_enabled": true }))).await;
    let body = |identifier: &str| json!({ "provider": identifier, "id_token": "custom" });
    let refused = show(&without, body("custom:acme")).await.expect(400);
    assert_eq!(said(&refused), pair("validation_failed", "Custom OAuth providers are disabled"));
    let unknown = pair("validation_failed", "Custom provider \"custom:acme\" not found");
    assert_eq!(said(&show(&project, body("custom:acme")).await.expect(400)), unknown);

    let oidc = json!({
        "provider_type": "oidc", "identifier": "custom:acme", "name": "Acme", "client_id": "acme-client",
        "client_secret": "acme-secret", "issuer": "https://acme.example.com", "acceptable_client_ids": ["acme-native"],
    });
    admin(&project, Method::POST, "/admin/custom-providers", oidc).await.expect(201);
    let oauth2 = json!({
        "provider_type": "oauth2", "identifier": "custom:plain", "name": "Plain", "client_id": "c", "client_secret": "s",
        "authorization_url": "https://plain.example.com/a", "token_url": "https://plain.example.com/t",
        "userinfo_url": "https://plain.example.com/u",
    });
    admin(&project, Method::POST, "/admin/custom-providers", oauth2).await.expect(201);
    let refused = show(&project, body("custom:plain")).await.expect(400);
    assert_eq!(said(&refused), pair("validation_failed", "Provider \"custom:plain\" is not an OIDC provider"));

    app.providers.token("custom", Ok(of("1", ADDRESS)));
    let foreign = pair("invalid request", "Unacceptable audience in id_token: [keycloak-client]");
    assert_eq!(said(&show(&project, body("custom:acme")).await.expect(400)), foreign);
    app.providers.token("custom", Ok(IdToken { audiences: vec!["acme-native".to_owned()], ..of("1", ADDRESS) }));
    let session = show(&project, body("custom:acme")).await.expect(200).json();
    assert_eq!(session["user"]["identities"][0]["provider"], "custom:acme");
    admin(&project, Method::PUT, "/admin/custom-providers/custom:acme", json!({ "enabled": false })).await.expect(200);
    let refused = show(&project, body("custom:acme")).await.expect(400);
    assert_eq!(said(&refused), pair("provider_disabled", "Custom provider \"custom:acme\" is disabled"));
}

on_both!(tokens_share_the_bucket_of_other_grants, tokens_share_the_bucket_of_other_grants_on_postgres, bucket);
async fn bucket(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let ask = |grant: &str| {
        let path = format!("/token?grant_type={grant}");
        project.post(&path, json!({})).header("x-forwarded-for", "192.0.2.7").send()
    };
    for _ in 0..30 {
        ask("id_token").await.expect(400);
    }
    ask("id_token").await.expect(429);
    ask("pkce").await.expect(429);
    let raw =
        project.ask(Method::POST, "/token?grant_type=id_token").raw("{").header("content-type", "application/json");
    raw.header("x-forwarded-for", "192.0.2.7").send().await.expect(429);
}
