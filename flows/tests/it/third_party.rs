//! Tokens of other issuers on a project's own routes: whose they are, and what they never open.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jwt::{Algorithm, KeySet, KeyUse, SigningKey};
use domain::secret::Secret;
use domain::third_party::ThirdParty;
use flows::management::{Error, NewThirdParty};
use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, SeededEntropy, TestApp, TestProject};

use crate::both::on_both;
use crate::mails;
use crate::statements::undisturbed;

const NOW: i64 = 1_800_000_000;

/// An issuer with one key.
pub(crate) struct Issuer {
    url: &'static str,
    keys: KeySet,
}

impl Issuer {
    pub(crate) fn new(url: &'static str, kid: &str, seed: u64) -> Self {
        let key = SigningKey::generate(Algorithm::ES256, kid, &SeededEntropy::new(seed)).ok().unwrap();
        Self { url, keys: KeySet::new(Secret::default(), vec![(key, KeyUse::InUse)]) }
    }

    /// A token of `subject`; `claims` stand over what it says otherwise.
    fn token(&self, subject: &str, claims: Value) -> String {
        let mut all = json!({
            "iss": self.url, "sub": subject, "aud": "shop", "role": "authenticated", "iat": NOW, "exp": NOW + 3600,
        });
        all.as_object_mut().unwrap().extend(claims.as_object().cloned().unwrap());
        self.keys.sign(&all).unwrap().into_inner()
    }

    pub(crate) fn jwks(&self) -> Value {
        self.keys.jwks()
    }
}

pub(crate) fn auth0() -> Issuer {
    Issuer::new("https://tenant.auth0.com/", "a1", 11)
}

async fn trust(app: &TestApp, project: &TestProject, issuer: &Issuer) -> ThirdParty {
    app.providers.serve_keys_of(issuer.url, issuer.jwks());
    let new = NewThirdParty { oidc_issuer_url: Some(issuer.url.to_owned()), ..NewThirdParty::default() };
    app.management.create_third_party(&project.project_ref, new).await.unwrap()
}

pub(crate) async fn given(app: &TestApp, project: &TestProject, jwks: Value) -> Result<ThirdParty, Error> {
    let new = NewThirdParty { custom_jwks: Some(jwks), ..NewThirdParty::default() };
    app.management.create_third_party(&project.project_ref, new).await
}

/// What the bearer is told about himself.
async fn me(project: &TestProject, token: &str) -> Answer {
    project.get("/user").bearer(token).send().await
}

#[track_caller]
fn bad(answer: Answer) -> String {
    let answer = answer.expect(403);
    assert_eq!(answer.error_code(), "bad_jwt");
    answer.json()["msg"].as_str().unwrap().to_owned()
}

async fn accounts(project: &TestProject) -> Vec<Value> {
    let listed = project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(200).json();
    listed["users"].as_array().cloned().unwrap()
}

on_both!(a_token_is_its_subjects_account, a_token_is_its_subjects_account_on_postgres, account);
async fn account(app: TestApp) {
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    let token = issuer.token("auth0|1", json!({ "email": "A@example.com", "email_verified": true, "name": "Ada" }));
    assert!(bad(me(&project, &token).await).contains("no trusted key"), "off until somebody asks for it");

    let row = trust(&app, &project, &issuer).await;
    assert_eq!((row.kind(), row.resolved_jwks.as_ref()), ("auth0", Some(&issuer.jwks())));
    let user = me(&project, &token).await.expect(200).json();
    assert_eq!((&user["email"], &user["role"]), (&json!("a@example.com"), &json!("authenticated")));
    assert!(user["email_confirmed_at"].is_string());
    assert_eq!(user["identities"][0]["provider"], "https://tenant.auth0.com");
    assert_eq!(user["identities"][0]["id"], "auth0|1");
    assert_eq!(user["user_metadata"]["name"], "Ada");

    // The next token is the same account's, and writes nothing.
    let before = app.stored_text().await;
    let next = issuer
        .token("auth0|1", json!({ "exp": NOW + 60, "name": "Eve", "email": "b@example.com", "email_verified": true }));
    assert_eq!(me(&project, &next).await.expect(200).json()["id"], user["id"]);
    assert_eq!(app.stored_text().await, before);
    let other = me(&project, &issuer.token("auth0|2", json!({}))).await.expect(200).json();
    assert_ne!(other["id"], user["id"]);
    assert_eq!(accounts(&project).await.len(), 2);

    app.management.delete_third_party(&project.project_ref, row.id).await.unwrap();
    bad(me(&project, &token).await);
    assert_eq!(accounts(&project).await.len(), 2);
}

on_both!(a_first_token_makes_one_account, a_first_token_makes_one_account_on_postgres, first);
async fn first(app: TestApp) {
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    trust(&app, &project, &issuer).await;
    let token = issuer.token("auth0|1", json!({ "email": "a@example.com", "email_verified": true }));
    let answers = futures::future::join_all((0..30).map(|_| me(&project, &token))).await;
    let ids: std::collections::BTreeSet<String> =
        answers.into_iter().map(|answer| answer.expect(200).json()["id"].to_string()).collect();
    assert_eq!((ids.len(), accounts(&project).await.len()), (1, 1));
}

on_both!(only_verified_addresses_lead_to_accounts, only_verified_addresses_lead_to_accounts_on_postgres, linking);
async fn linking(app: TestApp) {
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    trust(&app, &project, &issuer).await;
    let owner = project.sign_up("a@example.com").await;
    for (subject, claims) in [
        ("x1", json!({ "email": "a@example.com", "email_verified": false })),
        ("x2", json!({ "email": "a@example.com" })),
        ("x3", json!({ "email": "a@example.com", "email_verified": "true" })),
        // The Kelvin sign is no k.
        ("x4", json!({ "email": "a@example.com\u{212a}", "email_verified": false })),
    ] {
        let stranger = me(&project, &issuer.token(subject, claims)).await.expect(200).json();
        assert_ne!(stranger["id"], owner["user"]["id"], "{subject}");
        assert_eq!(stranger["email"], "", "{subject}");
    }
    let own = issuer.token("x5", json!({ "email": "A@Example.com", "email_verified": true }));
    let linked = me(&project, &own).await.expect(200).json();
    assert_eq!(linked["id"], owner["user"]["id"]);
    assert_eq!(linked["identities"].as_array().unwrap().len(), 2);
}

on_both!(who_waited_for_the_owner_is_thrown_out, who_waited_for_the_owner_is_thrown_out_on_postgres, waiting);
async fn waiting(app: TestApp) {
    let (project, issuer) = (app.project("shop", mails::confirming(json!({}))).await, auth0());
    trust(&app, &project, &issuer).await;
    // A stranger has signed up with the address and his own password, and waits for its owner.
    let body = json!({ "email": "a@example.com", "password": "the stranger's" });
    project.post("/signup", body.clone()).send().await.expect(200);
    let token = issuer.token("auth0|1", json!({ "email": "a@example.com", "email_verified": true }));
    let owner = me(&project, &token).await.expect(200).json();
    assert!(owner["email_confirmed_at"].is_string());
    let providers: Vec<&Value> = owner["identities"].as_array().unwrap().iter().map(|own| &own["provider"]).collect();
    assert_eq!(providers, ["https://tenant.auth0.com"]);
    let refused = project.post("/token?grant_type=password", body).send().await.expect(400);
    assert_eq!(refused.error_code(), "invalid_credentials");
}

on_both!(what_is_no_token_of_the_issuer_is_refused, what_is_no_token_of_the_issuer_is_refused_on_postgres, attacks);
async fn attacks(app: TestApp) {
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    let neighbour = app.project("other", json!({})).await;
    trust(&app, &project, &issuer).await;
    let stranger = Issuer::new(issuer.url, "a1", 12);
    let elsewhere = Issuer::new("https://other.auth0.com/", "b1", 13);
    trust(&app, &neighbour, &elsewhere).await;
    let says = |claims: Value| issuer.token("auth0|1", claims);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let good = says(json!({}));
    let [_, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    // The public key is no secret to be signed with.
    let public = issuer.jwks()["keys"][0].clone();
    let as_secret = KeySet::new(Secret::new(public.to_string()), vec![]);
    let forged = as_secret.sign(&json!({ "iss": issuer.url, "sub": "auth0|1", "exp": NOW + 60 })).unwrap().into_inner();
    let forged = forged.split_once('.').unwrap().1;
    let own_issuer = format!("http://127.0.0.1:8000/p/{}/auth/v1", project.project_ref);
    for (what, token) in [
        ("another key of the same name", stranger.token("auth0|1", json!({}))),
        ("another issuer with the key", says(json!({ "iss": "https://other.auth0.com/" }))),
        ("no issuer with the key", says(json!({ "iss": null }))),
        ("an issuer of the neighbour's", elsewhere.token("auth0|1", json!({}))),
        ("our own issuer", says(json!({ "iss": own_issuer }))),
        ("hmac with the public key", format!("{}.{forged}", part(&json!({ "alg": "HS256", "kid": "a1" })))),
        ("no signature", format!("{}.{payload}.", part(&json!({ "alg": "none", "kid": "a1" })))),
        ("no algorithm, old signature", format!("{}.{payload}.{signature}", part(&json!({ "alg": "none" })))),
        (
            "a key that it brings along",
            format!("{}.{payload}.{signature}", part(&json!({ "alg": "ES256", "jwk": public }))),
        ),
        (
            "other claims",
            format!(
                "{}.{}.{signature}",
                good.split('.').next().unwrap(),
                part(&json!({ "iss": issuer.url, "sub": "x", "exp": NOW + 60 }))
            ),
        ),
        ("expired", says(json!({ "exp": NOW }))),
        ("without end", says(json!({ "exp": null }))),
        ("not yet", says(json!({ "nbf": NOW + 60 }))),
        ("a machine's role", says(json!({ "role": "service_role" }))),
        ("nobody's role", says(json!({ "role": "anon" }))),
        ("a logout token", says(json!({ "events": {} }))),
        ("nobody", says(json!({ "sub": "" }))),
    ] {
        let answer = me(&project, &token).await;
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (403, "bad_jwt"), "{what}: {}", answer.text);
    }
    assert!(accounts(&project).await.is_empty());
    me(&project, &says(json!({ "role": null }))).await.expect(200);
    // An issuer is one project's.
    bad(me(&neighbour, &good).await);
    me(&neighbour, &elsewhere.token("b", json!({}))).await.expect(200);
}

on_both!(a_token_opens_nothing_else, a_token_opens_nothing_else_on_postgres, reach);
async fn reach(app: TestApp) {
    let config = json!({
        "mfa_recovery_codes_enroll_enabled": true, "passkey_enabled": true, "webauthn_rp_id": "localhost", "webauthn_rp_display_name": "Shop",
        "mfa_totp_enroll_enabled": true, "security_manual_linking_enabled": true,
        "external_gitlab_enabled": true, "external_gitlab_client_id": "c", "external_gitlab_secret": "s",
    });
    let (project, issuer) = (app.project("shop", config).await, auth0());
    trust(&app, &project, &issuer).await;
    let victim = project.sign_up("v@example.com").await;
    let claims: Value = {
        let token = victim["access_token"].as_str().unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
    };
    let token = issuer.token("auth0|1", json!({
        "session_id": claims["session_id"], "aal": "aal2", "amr": claims["amr"], "app_metadata": { "role": "service_role" },
        "user_metadata": { "x": 1 }, "is_anonymous": true, "email": "v@example.com", "aud": "other",
    }));
    let user = me(&project, &token).await.expect(200).json();
    assert_ne!(user["id"], victim["user"]["id"]);
    assert_eq!((&user["is_anonymous"], &user["app_metadata"].get("role")), (&json!(false), &None));

    // Whatever his account may be: a stranger's issuer makes no administrators.
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    let raised =
        project.ask(Method::PUT, &path).json(&json!({ "role": "service_role" })).bearer(&project.service_role_key);
    raised.send().await.expect(200);
    me(&project, &token).await.expect(200);
    bad(project.get("/admin/users").bearer(&token).send().await);

    // It gives the account no way in that outlives the token, and takes none away.
    let change = async |body: Value| project.ask(Method::PUT, "/user").json(&body).bearer(&token).send().await;
    change(json!({ "data": { "color": "red" } })).await.expect(200);
    for body in [
        json!({ "password": "another password" }),
        json!({ "email": "new@example.com" }),
        json!({ "phone": "+15550001111" }),
        json!({ "app_metadata": { "x": 1 }, "data": { "x": 1 } }),
    ] {
        assert_eq!(change(body.clone()).await.expect(403).error_code(), "no_authorization", "{body}");
    }
    // Nor has it a session: it sees, raises and ends none, and no route asks for one in vain.
    let id = "5f0c9a52-7a34-4b5d-9c6a-2f4c7d1e8b90";
    for (method, path) in [
        (Method::GET, "/reauthenticate"),
        (Method::DELETE, "/user"),
        (Method::GET, "/user/identities/authorize?provider=gitlab&skip_http_redirect=true"),
        (Method::DELETE, &format!("/user/identities/{id}")),
        (Method::POST, "/logout?scope=local"),
        (Method::POST, "/logout?scope=nonsense"),
        (Method::GET, "/sessions"),
        (Method::DELETE, &format!("/sessions/{id}")),
        (Method::DELETE, "/sessions/nonsense"),
        (Method::POST, "/factors"),
        (Method::DELETE, &format!("/factors/{id}")),
        (Method::POST, &format!("/factors/{id}/challenge")),
        (Method::POST, &format!("/factors/{id}/verify")),
        (Method::GET, "/factors/recovery-codes"),
        (Method::POST, "/factors/recovery-codes"),
        (Method::DELETE, "/factors/recovery-codes"),
        (Method::POST, "/factors/recovery-codes/verify"),
        (Method::POST, "/factors/recovery-codes/regenerate"),
        (Method::GET, "/passkeys"),
        (Method::PATCH, &format!("/passkeys/{id}")),
        (Method::DELETE, &format!("/passkeys/{id}")),
        (Method::POST, "/passkeys/registration/options"),
        (Method::POST, "/passkeys/registration/verify"),
    ] {
        let body = json!({ "factor_type": "totp", "friendly_name": "x", "code": "123456" });
        let refused = project.ask(method.clone(), path).json(&body).bearer(&token).send().await;
        assert_eq!(refused.status, 403, "{method} {path}: {}", refused.text);
        assert_eq!(refused.error_code(), "no_authorization", "{method} {path}");
    }
    let body = json!({ "provider": "google", "id_token": "x", "link_identity": true });
    let linked = project.post("/token?grant_type=id_token", body).bearer(&token).send().await;
    assert_eq!(linked.expect(403).error_code(), "no_authorization");
    project.refresh(&victim["refresh_token"]).send().await.expect(200);

    let banned =
        project.ask(Method::PUT, &path).json(&json!({ "ban_duration": "1h" })).bearer(&project.service_role_key);
    banned.send().await.expect(200);
    assert_eq!(me(&project, &token).await.expect(403).error_code(), "user_banned");
    let gone = project.ask(Method::DELETE, &path).json(&json!({})).bearer(&project.service_role_key);
    gone.send().await.expect(200);
    assert_ne!(me(&project, &token).await.expect(200).json()["id"], user["id"]);
}

on_both!(introspection_reads_it_as_the_project_does, introspection_reads_it_as_the_project_does_on_postgres, told);
async fn told(app: TestApp) {
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    trust(&app, &project, &issuer).await;
    let token = issuer.token("auth0|1", json!({ "session_id": "x", "app_metadata": { "role": "admin" } }));
    let ask = async || {
        let ask = project.post("/admin/introspect", json!({ "token": token })).bearer(&project.service_role_key);
        ask.send().await.expect(200).json()
    };
    let active = ask().await;
    let user = me(&project, &token).await.expect(200).json();
    assert_eq!((&active["active"], &active["sub"], &active["iss"]), (&json!(true), &user["id"], &json!(issuer.url)));
    assert_eq!((&active["exp"], active.get("session_id")), (&json!(NOW + 3600), None));
    app.clock.advance(3600);
    assert_eq!(ask().await, json!({ "active": false }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_known_subject_costs_one_statement() {
    let app = undisturbed().await;
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    trust(&app, &project, &issuer).await;
    let token = issuer.token("auth0|1", json!({}));
    for _ in 0..2 {
        me(&project, &token).await.expect(200);
    }
    let spent = async |token: String| {
        let before = app.database.statements();
        (me(&project, &token).await.status.as_u16(), app.database.statements() - before)
    };
    assert_eq!(spent(token).await, (200, 1));
    assert_eq!(spent(issuer.token("auth0|1", json!({ "exp": NOW }))).await, (403, 0));
    assert_eq!(spent(Issuer::new(issuer.url, "a1", 12).token("auth0|1", json!({}))).await, (403, 0));
}

/// Anybody can write a `kid`: the issuer is asked once for all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_unknown_keys_asks_once_a_minute() {
    let app = TestApp::sqlite().await;
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    trust(&app, &project, &issuer).await;
    let asked = app.providers.asked_for_keys().len();
    for round in 1..=3 {
        let strangers: Vec<Issuer> = (0..8).map(|kid| Issuer::new(issuer.url, "unknown", 100 + kid)).collect();
        let tokens: Vec<String> = (0..40).map(|n| strangers[n % 8].token("x", json!({}))).collect();
        for answer in futures::future::join_all(tokens.iter().map(|token| me(&project, token))).await {
            assert!(bad(answer).contains("no trusted key"));
        }
        assert_eq!(app.providers.asked_for_keys().len(), asked + round);
        me(&project, &issuer.token("auth0|1", json!({}))).await.expect(200);
        app.clock.advance(60);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_an_issuer_come_and_go() {
    let app = TestApp::sqlite().await;
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    trust(&app, &project, &issuer).await;
    let next = Issuer::new(issuer.url, "a2", 12);
    bad(me(&project, &next.token("auth0|1", json!({}))).await);
    app.clock.advance(60);
    // A new key is known with its first token.
    app.providers.serve_keys_of(issuer.url, next.jwks());
    me(&project, &next.token("auth0|1", json!({}))).await.expect(200);
    bad(me(&project, &issuer.token("auth0|1", json!({}))).await);

    // A key that was taken back is trusted for ten minutes at most.
    let last = Issuer::new(issuer.url, "a3", 13);
    app.providers.serve_keys_of(issuer.url, last.jwks());
    me(&project, &next.token("auth0|1", json!({}))).await.expect(200);
    app.clock.advance(600);
    bad(me(&project, &next.token("auth0|1", json!({}))).await);

    // Whoever shows no keys keeps those he had.
    app.providers.serve_keys_of(issuer.url, json!({ "keys": [] }));
    app.clock.advance(1000);
    me(&project, &last.token("auth0|1", json!({}))).await.expect(200);
}

on_both!(every_gateway_knows_the_issuer, every_gateway_knows_the_issuer_on_postgres, gateways);
async fn gateways(app: TestApp) {
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    let sibling = app.sibling().await;
    let there = sibling.through(&project);
    let token = issuer.token("auth0|1", json!({}));
    bad(me(&there, &token).await);
    let row = trust(&app, &project, &issuer).await;
    let until = async |status: u16| {
        while me(&there, &token).await.status.as_u16() != status {
            tokio::task::yield_now().await;
        }
    };
    until(200).await;
    app.management.delete_third_party(&project.project_ref, row.id).await.unwrap();
    until(403).await;
}

on_both!(keys_alone_speak_for_themselves, keys_alone_speak_for_themselves_on_postgres, keys_alone);
async fn keys_alone(app: TestApp) {
    let config =
        json!({ "external_id_token_issuers": "https://further.example.com=app,https://keys.example.com/other" });
    let (project, oidc) = (app.project("shop", config).await, auth0());
    trust(&app, &project, &oidc).await;
    let held = Issuer::new("https://given.example.com", "g1", 21);
    given(&app, &project, held.jwks()).await.unwrap();
    let at = Issuer::new("https://keys.example.com/jwks", "u1", 22);
    app.providers.serve_keys_of(at.url, at.jwks());
    let new = NewThirdParty { jwks_url: Some(at.url.to_owned()), ..NewThirdParty::default() };
    app.management.create_third_party(&project.project_ref, new).await.unwrap();

    let owner = me(&project, &oidc.token("same", json!({}))).await.expect(200).json();
    let by_keys = me(&project, &held.token("same", json!({}))).await.expect(200).json();
    let by_url = me(&project, &at.token("same", json!({ "iss": "google" }))).await.expect(200).json();
    assert!(owner["id"] != by_keys["id"] && owner["id"] != by_url["id"] && by_keys["id"] != by_url["id"]);
    assert_eq!(by_keys["identities"][0]["provider"], "https://given.example.com");
    // Under whatever name: a place of keys is a place of keys.
    assert_eq!(by_url["identities"][0]["provider"], at.url);
    let further = ["https://further.example.com", "https://further.example.com/", "https://accounts.google.com"];
    for issuer in [oidc.url, "https://tenant.auth0.com", at.url, "google", "email", ""].into_iter().chain(further) {
        bad(me(&project, &held.token("same", json!({ "iss": issuer }))).await);
    }
    bad(me(&project, &at.token("same", json!({ "iss": oidc.url }))).await);
}

on_both!(what_is_wrong_with_a_signed_token_is_told, what_is_wrong_with_a_signed_token_is_told_on_postgres, said);
async fn said(app: TestApp) {
    let (project, oidc) = (app.project("shop", json!({})).await, auth0());
    trust(&app, &project, &oidc).await;
    let held = Issuer::new("https://given.example.com", "g1", 21);
    // Of two issuers that do not tell their names, the one that knows the key speaks.
    for jwks in [Issuer::new("https://x.example.com", "x1", 23).jwks(), held.jwks()] {
        given(&app, &project, jwks).await.unwrap();
    }
    for issuer in [&oidc, &held] {
        for (claims, detail) in [
            (json!({ "exp": NOW }), "token has invalid claims: token is expired"),
            (json!({ "nbf": NOW + 60 }), "token has invalid claims: token is not valid yet"),
            (json!({ "exp": null }), "token has invalid claims: token never expires"),
        ] {
            let told = bad(me(&project, &issuer.token("a", claims)).await);
            assert!(told.ends_with(detail), "{told}");
        }
        let forged = Issuer::new(issuer.url, "unknown", 24).token("a", json!({ "exp": NOW }));
        assert!(bad(me(&project, &forged).await).contains("no trusted key"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_known_five_seconds_after_a_question() {
    let app = TestApp::sqlite().await;
    let (project, issuer) = (app.project("shop", json!({})).await, auth0());
    trust(&app, &project, &issuer).await;
    app.clock.advance(600);
    me(&project, &issuer.token("auth0|1", json!({}))).await.expect(200);
    let next = Issuer::new(issuer.url, "a2", 12);
    app.providers.serve_keys_of(issuer.url, next.jwks());
    app.clock.advance(4);
    bad(me(&project, &next.token("auth0|1", json!({}))).await);
    app.clock.advance(1);
    me(&project, &next.token("auth0|1", json!({}))).await.expect(200);
}

on_both!(sign_up_can_be_closed_to_them, sign_up_can_be_closed_to_them_on_postgres, closed);
async fn closed(app: TestApp) {
    let (project, issuer) = (app.project("shop", json!({ "disable_signup": true })).await, auth0());
    trust(&app, &project, &issuer).await;
    let refused = me(&project, &issuer.token("auth0|1", json!({}))).await.expect(422);
    assert_eq!(refused.error_code(), "signup_disabled");
    assert!(accounts(&project).await.is_empty());
}
