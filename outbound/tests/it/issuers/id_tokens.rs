//! ID tokens: good ones, and every way in which one can be forged, stale or somebody else's.

use aws_lc_rs::hmac;
use domain::provider::IdToken;
use domain::secret::Secret;
use outbound::{IdTokenError, ProviderTransport};
use serde_json::{Value, json};

use super::{ISSUER, NOW, Signer, World, base64, claims, issuer, unsigned};
use crate::stand_in::reply;

const DISCOVERY: &str = "/.well-known/openid-configuration";

async fn judged(world: &World, token: &str) -> Result<IdToken, IdTokenError> {
    world.providers.id_token(&issuer(false), &Secret::new(token.to_owned()), None).await
}

async fn is_bad(world: &World, token: &str) -> bool {
    judged(world, token).await.is_err_and(|error| error == IdTokenError::Bad)
}

#[tokio::test]
async fn a_good_token_tells_who_and_for_whom() {
    let signer = Signer::new("RS256", "k1");
    let world = World::with(&[&signer]).await;
    let token = signer.token(&claims(&json!({"aud": ["client", "other"], "nonce": "n"})));
    let verified = judged(&world, &token).await.unwrap();
    assert_eq!(verified.issuer, ISSUER);
    assert_eq!(verified.audiences, ["client", "other"]);
    assert_eq!(verified.nonce.as_deref(), Some("n"));
    assert_eq!(verified.profile.subject, "s1");
    assert_eq!(verified.profile.emails[0].email, "a@example.com");
    assert!(verified.profile.emails[0].verified);
}

#[tokio::test]
async fn every_asymmetric_algorithm_that_is_advertised_is_taken_and_no_other() {
    let all = ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"];
    let signers = all.map(|algorithm| Signer::new(algorithm, algorithm));
    let world = World::with(&signers.each_ref()).await;
    for signer in &signers {
        let token = signer.token(&claims(&json!({})));
        assert!(judged(&world, &token).await.is_ok(), "{}", signer.algorithm);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let other = signed.replace(|c: char| c.is_ascii_digit(), "A");
        assert!(is_bad(&world, &format!("{other}.{signature}")).await, "{}", signer.algorithm);
    }

    let only_rs256 = World::with(&signers.each_ref()[..1]).await;
    only_rs256.served().keys = signers.iter().map(|signer| signer.jwk.clone()).collect();
    for signer in &signers[1..] {
        assert!(is_bad(&only_rs256, &signer.token(&claims(&json!({})))).await, "{}", signer.algorithm);
    }
    only_rs256.served().metadata.as_mut().unwrap()["id_token_signing_alg_values_supported"] = Value::Null;
    only_rs256.clock.advance(3_600);
    let later = json!({"exp": NOW + 9_000});
    assert!(judged(&only_rs256, &signers[0].token(&claims(&later))).await.is_ok());
    assert!(is_bad(&only_rs256, &signers[3].token(&claims(&later))).await);
}

#[tokio::test]
async fn unsigned_tokens_are_refused_even_if_the_issuer_advertises_them() {
    let signer = Signer::new("RS256", "k1");
    let world = World::with(&[&signer]).await;
    let named = json!(["none", "HS256", "RS256"]);
    world.served().metadata.as_mut().unwrap()["id_token_signing_alg_values_supported"] = named;
    for alg in ["none", "None", "NONE", ""] {
        let unsigned = unsigned(&json!({"alg": alg, "kid": "k1"}), &claims(&json!({})));
        let signature = signer.token(&claims(&json!({}))).rsplit_once('.').unwrap().1.to_owned();
        for token in [format!("{unsigned}."), unsigned.clone(), format!("{unsigned}.{signature}")] {
            assert!(is_bad(&world, &token).await, "{alg}");
        }
    }
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let signer = Signer::new("RS256", "k1");
    let world = World::with(&[&signer]).await;
    world.served().metadata.as_mut().unwrap()["id_token_signing_alg_values_supported"] = json!(["RS256", "HS256"]);
    let shared = json!({"kty": "oct", "kid": "shared", "k": base64(b"everybody knows it")});
    world.served().keys.push(shared);
    let published = signer.jwk["n"].as_str().unwrap().to_owned();
    for (kid, secret) in [
        ("k1", published.clone().into_bytes()),
        ("k1", signer.jwk.to_string().into_bytes()),
        ("shared", b"everybody knows it".to_vec()),
    ] {
        let signed = unsigned(&json!({"alg": "HS256", "kid": kid}), &claims(&json!({})));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let signature = hmac::sign(&key, signed.as_bytes());
        assert!(is_bad(&world, &format!("{signed}.{}", base64(signature.as_ref()))).await, "{kid}");
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_count_for_nothing() {
    let (signer, mallory) = (Signer::new("RS256", "k1"), Signer::new("RS256", "k1"));
    let world = World::with(&[&signer]).await;
    let jku = format!("{}/mallory", world.server.url(""));
    for header in [
        json!({"alg": "RS256", "kid": "k1"}),
        json!({"alg": "RS256"}),
        json!({"alg": "RS256", "kid": "k1", "jwk": mallory.jwk}),
        json!({"alg": "RS256", "kid": "k1", "jku": jku, "x5u": jku}),
    ] {
        assert!(is_bad(&world, &mallory.token_with(&header, &claims(&json!({})))).await, "{header}");
    }
    assert_eq!(world.asked("/mallory"), 0);
}

#[tokio::test]
async fn issuer_and_times_must_hold_and_are_judged_before_anybody_is_asked() {
    let signer = Signer::new("ES256", "k1");
    let world = World::with(&[&signer]).await;
    for changes in [
        json!({"iss": "https://idp.test/"}),
        json!({"iss": "https://mallory.test"}),
        json!({"iss": null}),
        json!({"iss": ["https://idp.test"]}),
        json!({"exp": NOW}),
        json!({"exp": NOW - 1}),
        json!({"exp": null}),
        json!({"exp": "2100-01-01"}),
        json!({"nbf": NOW + 301}),
    ] {
        assert!(is_bad(&world, &signer.token(&claims(&changes))).await, "{changes}");
    }
    assert!(world.server.requests().is_empty());
    for changes in [json!({"nbf": NOW + 300}), json!({"iat": null}), json!({"iat": NOW + 900}), json!({"exp": NOW + 1})]
    {
        assert!(judged(&world, &signer.token(&claims(&changes))).await.is_ok(), "{changes}");
    }
}

#[tokio::test]
async fn a_token_belongs_to_its_access_token() {
    // The left half of SHA-256 of `access-1`.
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"access-1");
    let hash = base64(&digest.as_ref()[..16]);
    let signer = Signer::new("RS256", "k1");
    let world = World::with(&[&signer]).await;
    let token = Secret::new(signer.token(&claims(&json!({"at_hash": hash}))));
    let without = Secret::new(signer.token(&claims(&json!({}))));
    let judge = async |token: &Secret<String>, access: Option<&str>| {
        let access = access.map(|access| Secret::new(access.to_owned()));
        world.providers.id_token(&issuer(false), token, access.as_ref()).await.map(|verified| verified.profile.subject)
    };
    assert_eq!(judge(&token, Some("access-1")).await.as_deref(), Ok("s1"));
    assert_eq!(judge(&token, Some("access-2")).await, Err(IdTokenError::Bad));
    assert_eq!(judge(&token, None).await.as_deref(), Ok("s1"));
    assert_eq!(judge(&without, Some("access-2")).await.as_deref(), Ok("s1"));
}

#[tokio::test]
async fn a_new_key_is_looked_for_at_most_once_a_minute() {
    let (old, new) = (Signer::new("ES256", "old"), Signer::new("ES256", "new"));
    let world = World::with(&[&old]).await;
    assert!(judged(&world, &old.token(&claims(&json!({})))).await.is_ok());
    world.served().keys = vec![new.jwk.clone()];
    let token = new.token(&claims(&json!({})));
    for _ in 0..3 {
        assert!(is_bad(&world, &token).await);
    }
    assert_eq!(world.asked("/jwks"), 1);

    world.clock.advance(60);
    assert!(judged(&world, &token).await.is_ok());
    // What the issuer has withdrawn is good no more.
    assert!(is_bad(&world, &old.token(&claims(&json!({})))).await);
    assert_eq!((world.asked("/jwks"), world.asked(DISCOVERY)), (2, 1));
}

#[tokio::test]
async fn a_hundred_tokens_ask_the_issuer_once() {
    let signer = Signer::new("ES256", "k1");
    let world = World::with(&[&signer]).await;
    let token = signer.token(&claims(&json!({})));
    let judged = futures::future::join_all((0..100).map(|_| judged(&world, &token))).await;
    assert!(judged.iter().all(Result::is_ok));
    assert_eq!((world.asked(DISCOVERY), world.asked("/jwks")), (1, 1));
}

#[tokio::test]
async fn an_issuer_that_is_away_is_asked_again_after_a_moment_and_its_old_keys_serve() {
    let signer = Signer::new("ES256", "k1");
    let world = World::with(&[&signer]).await;
    let token = signer.token(&claims(&json!({"exp": NOW + 200_000})));
    world.served().instead = Some(reply(503, &[], b""));
    for _ in 0..3 {
        let error = judged(&world, &token).await.unwrap_err();
        assert!(matches!(error, IdTokenError::Issuer(text) if text.contains("status 503")));
    }
    assert_eq!(world.asked(DISCOVERY), 1);

    world.served().instead = None;
    world.clock.advance(10);
    assert!(judged(&world, &token).await.is_ok());

    world.served().instead = Some(reply(503, &[], b""));
    world.clock.advance(3_600);
    assert!(judged(&world, &token).await.is_ok());
    world.clock.advance(24 * 3_600);
    assert!(matches!(judged(&world, &token).await, Err(IdTokenError::Issuer(_))));
}
