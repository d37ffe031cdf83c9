//! A token is one project's, whoever signed it; a proof and an id are one project's too.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jwt::{Algorithm, KeySet, KeyUse, SigningKey, mint_legacy_api_key};
use domain::secret::Secret;
use flows::management::NewThirdParty;
use http::Method;
use serde_json::{Value, json};
use testkit::{SeededEntropy, TestApp, TestProject};

use super::person::{Person, settings};
use crate::both::on_both;
use crate::letters::access;

/// The claims of a token, unchecked.
fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// Signed with the project's own secret.
fn signed(project: &TestProject, claims: &Value) -> String {
    KeySet::new(Secret::new(project.jwt_secret.clone()), Vec::new()).sign(claims).unwrap().into_inner()
}

fn base(project: &TestProject) -> String {
    format!("http://127.0.0.1:8000/p/{}/auth/v1", project.project_ref)
}

on_both!(a_key_that_two_projects_hold_opens_one, a_key_that_two_projects_hold_opens_one_on_postgres, shared);
async fn shared(app: TestApp) {
    let (own, other) = (app.project("own", json!({})).await, app.project("other", json!({})).await);
    let session = own.sign_up("a@example.com").await;
    let said = claims(access(&session));
    let with_issuer = |issuer: &str| {
        let mut claims = said.clone();
        claims["iss"] = json!(issuer);
        signed(&own, &claims)
    };
    for (issuer, status) in [
        (base(&own), 200),
        (base(&other), 403),
        // Nobody has it, and it is still not this one.
        ("http://127.0.0.1:8000/p/third/auth/v1".to_owned(), 403),
        // Projects come from elsewhere with their keys, and what they signed there goes on.
        ("https://elsewhere.example.com/p/third/auth/v1".to_owned(), 200),
    ] {
        let token = with_issuer(&issuer);
        let answer = own.get("/user").bearer(&token).send().await.expect(status);
        if status == 403 {
            assert_eq!(answer.error_code(), "bad_jwt");
        }
        // What says of a token whether it is good says the same.
        let told = own.post("/admin/introspect", json!({ "token": token })).bearer(&own.service_role_key);
        assert_eq!(told.send().await.expect(200).json()["active"], json!(status == 200), "{issuer}");
    }
    let secret = Secret::new(own.jwt_secret.clone());
    for (project, status) in [("own", 200), ("other", 403)] {
        let until = claims(&own.service_role_key)["exp"].as_i64().unwrap();
        let key = mint_legacy_api_key(&secret, "service_role", project, 1_700_000_000, until).unwrap().into_inner();
        let answer = own.get("/admin/users").bearer(&key).send().await.expect(status);
        assert_eq!(answer.status == 403, answer.text.contains("bad_jwt"), "{}", answer.text);
    }
}

on_both!(a_neighbour_is_no_third_party, a_neighbour_is_no_third_party_on_postgres, neighbour);
async fn neighbour(app: TestApp) {
    let (own, other) = (app.project("own", json!({})).await, app.project("other", json!({})).await);
    let key = SigningKey::generate(Algorithm::ES256, "n1", &SeededEntropy::new(5)).ok().unwrap();
    let keys = KeySet::new(Secret::default(), vec![(key, KeyUse::InUse)]);
    let new = NewThirdParty { custom_jwks: Some(keys.jwks()), ..NewThirdParty::default() };
    app.management.create_third_party(&own.project_ref, new).await.unwrap();
    for (issuer, status) in [("https://issuer.example.com".to_owned(), 200), (base(&other), 403), (base(&own), 403)] {
        let claims = json!({
            "iss": issuer, "sub": "x1", "aud": "x", "role": "authenticated", "iat": 1_800_000_000, "exp": 1_800_003_600,
        });
        let token = keys.sign(&claims).unwrap().into_inner();
        own.get("/user").bearer(&token).send().await.expect(status);
        other.get("/user").bearer(&token).send().await.expect(403);
    }
}

on_both!(proofs_and_ids_are_one_projects, proofs_and_ids_are_one_projects_on_postgres, proofs);
async fn proofs(app: TestApp) {
    let (own, other) = (app.project("own", settings()).await, app.project("other", settings()).await);
    let mut owner = Person::new(&app, &other, "other").await;
    let mut person = Person::new(&app, &own, "own").await;
    app.clock.advance(86_401);
    let theirs = owner.nonce().await;
    let mine = person.nonce().await;
    let token = person.handle("aal2").await;
    for (nonce, status) in [(theirs, 422), (mine, 200)] {
        let body = json!({ "password": "paper clip 42", "nonce": nonce });
        own.ask(Method::PUT, "/user").json(&body).bearer(&token).send().await.expect(status);
    }

    // An administrator may choose the id of a user, among those that are free in the database: tables of apps refer to the id
    // alone. Whose it is is not told: it is refused as one of his own users' is, and stays whose it was.
    let (taken, held) = (owner.handle("user").await, person.handle("user").await);
    let create = async |id: &str| {
        let body = json!({ "id": id, "email": "b@example.com" });
        let answer = own.post("/admin/users", body).bearer(&own.service_role_key).send().await;
        let mut told = answer.json();
        told["error_id"] = Value::Null;
        (answer.status.as_u16(), told)
    };
    assert_eq!(create(&taken).await, create(&held).await);
    assert_eq!(create("7d9c7d4e-6a0b-4f0e-9a55-0d5b8a5c2a11").await.0, 200);
    for (project, status) in [(&own, 404), (&other, 200)] {
        let path = format!("/admin/users/{taken}");
        project.get(&path).bearer(&project.service_role_key).send().await.expect(status);
    }
}
