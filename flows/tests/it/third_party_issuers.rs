//! Which issuers a project takes on: how many, and which never.

use crypto::jwt::{Algorithm, SigningKey};
use flows::management::{Error, NewThirdParty};
use serde_json::{Value, json};
use testkit::{SeededEntropy, TestApp};

use crate::both::on_both;
use crate::third_party::{Issuer, auth0, given};

on_both!(parallel_calls_keep_to_the_most_issuers, parallel_calls_keep_to_the_most_issuers_on_postgres, most);
async fn most(app: TestApp) {
    let project = app.project("shop", json!({})).await;
    let issuers = (0..30).map(|n| Issuer::new("https://given.example.com", "g1", 100 + n / 3 * 3).jwks());
    let all = (0..30).map(|n| Issuer::new("https://given.example.com", "g1", 200 + n).jwks());
    let made = async |jwks: Vec<Value>| {
        let made = futures::future::join_all(jwks.into_iter().map(|jwks| given(&app, &project, jwks))).await;
        made.into_iter().filter(Result::is_ok).count()
    };
    assert_eq!(made(issuers.collect()).await, 10, "one of each three alike");
    assert_eq!(made(all.collect()).await, 10);
    assert_eq!(app.management.third_parties(&project.project_ref).await.unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issuers_that_cannot_be_trusted_are_refused() {
    let app = TestApp::sqlite().await;
    let project = app.project("shop", json!({})).await;
    let good = auth0().jwks();
    let private = SigningKey::generate(Algorithm::ES256, "p", &SeededEntropy::new(1)).ok().unwrap().to_private_jwk();
    let url = |url: &str| Some(url.to_owned());
    app.providers.host("lan.example.com", vec!["10.0.0.1".parse().unwrap()]);
    let issuer = |name: &str| NewThirdParty { oidc_issuer_url: url(name), ..NewThirdParty::default() };
    let keys = |keys: Value| NewThirdParty { custom_jwks: Some(json!({ "keys": keys })), ..NewThirdParty::default() };
    for (new, part) in [
        (NewThirdParty::default(), "exactly one"),
        (NewThirdParty { jwks_url: url("https://a.example"), ..keys(good.clone()) }, "exactly one"),
        (issuer("http://tenant.auth0.com"), "must use HTTPS"),
        (issuer("https://lan.example.com"), "private network"),
        (issuer("https://127.0.0.1:8000/p/other/auth/v1"), "loopback"),
        (issuer("https://accounts.google.com"), "everybody's apps"),
        (issuer("https://silent.example.com"), "cannot be had"),
        (keys(json!([private.expose()])), "public keys alone"),
        (keys(json!([{ "kty": "oct", "kid": "s", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ" }])), "public keys alone"),
        (keys(json!([{ "kid": "\u{0}" }])), "NUL characters"),
        (keys(json!([])), "at least one public key"),
        // RSA of 1024 bits.
        (keys(json!([{ "kty": "RSA", "kid": "r", "n": "wcHB".repeat(42) + "wcE", "e": "AQAB" }])), "2048 bits"),
    ] {
        let refused = app.management.create_third_party(&project.project_ref, new).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid(why) if why.contains(part)), "{refused:?}");
    }
    assert!(app.management.third_parties(&project.project_ref).await.unwrap().is_empty());

    let row = given(&app, &project, good.clone()).await.unwrap();
    assert!(matches!(given(&app, &project, good).await.unwrap_err(), Error::Conflict(_)));
    assert_eq!(app.management.third_party(&project.project_ref, row.id).await.unwrap(), row);
    app.management.delete_third_party(&project.project_ref, row.id).await.unwrap();
    let gone = app.management.delete_third_party(&project.project_ref, row.id).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound));
}
