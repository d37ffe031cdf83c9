//! ID tokens that clients bring (`contract/mfa-passkeys-oauth.md` §4.3, §5), by issuer.

use domain::provider::{IdToken, Issuer};
use domain::secret::Secret;
use outbound::{IdTokenError, ProviderTransport};
use serde_json::{Value, json};

use super::idp::{ACCESS, Idp, NOW, Registered, access_token_hash};
use super::providers;

fn issuer(name: &str) -> Issuer {
    Issuer { issuer: name.to_owned(), discovery_url: None, foreign: false }
}

/// What a token with these claims, which `name` has signed, says.
async fn read(name: &str, claims: Value) -> Result<IdToken, IdTokenError> {
    let idp = Idp::start(Registered { issuer: name.to_owned(), ..Registered::default() }).await;
    let token = Secret::new(idp.sign(&claims));
    providers(&idp).id_token(&issuer(name), &token, None).await
}

/// Subject, first address with its proof, and claims besides those of the protocol.
async fn said(name: &str, mut claims: Value) -> (String, Option<(String, bool)>, Value) {
    for (claim, value) in [("iss", json!(name)), ("aud", json!("app")), ("iat", json!(NOW)), ("exp", json!(NOW + 60))] {
        claims[claim] = value;
    }
    let token = read(name, claims).await.unwrap();
    assert_eq!((token.issuer.as_str(), token.audiences), (name, vec!["app".to_owned()]));
    let email = token.profile.emails.first().map(|email| (email.email.clone(), email.verified));
    let mut kept = token.profile.claims;
    for claim in ["iss", "sub", "aud", "iat", "exp"] {
        kept.remove(claim);
    }
    (token.profile.subject, email, Value::Object(kept))
}

#[tokio::test]
async fn each_issuer_says_who_in_its_own_way() {
    let ada =
        || json!({ "sub": "s1", "email": "ada@example.test", "name": "Ada", "picture": "https://img.test/a.png" });
    let with = |changes: Value| {
        let mut claims = ada();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    };
    for (issuer, claims, verified, kept) in [
        (
            "https://www.facebook.com",
            with(json!({ "given_name": "Ada" })),
            true,
            json!({ "name": "Ada", "picture": "https://img.test/a.png" }),
        ),
        (
            "https://kauth.kakao.com",
            with(json!({ "nickname": "ada", "name": "x" })),
            true,
            json!({
                "name": "ada", "preferred_username": "ada", "picture": "https://img.test/a.png", "provider_id": "s1",
            }),
        ),
        (
            "https://accounts.snapchat.com/accounts/oauth2/token",
            with(json!({ "email_verified": false })),
            true,
            json!({ "name": "Ada", "picture": "https://img.test/a.png" }),
        ),
        (
            "https://accounts.google.com",
            with(json!({ "email_verified": true })),
            true,
            json!({
                "name": "Ada", "full_name": "Ada", "picture": "https://img.test/a.png",
                "avatar_url": "https://img.test/a.png", "provider_id": "s1",
            }),
        ),
        (
            "https://appleid.apple.com",
            with(json!({ "is_private_email": "true" })),
            true,
            json!({ "provider_id": "s1", "custom_claims": { "is_private_email": true } }),
        ),
        (
            "https://login.microsoftonline.com/t1/v2.0",
            with(json!({ "tid": "t1", "xms_edov": false })),
            false,
            json!({
                "full_name": "Ada", "provider_id": "s1", "custom_claims": {
                    "email": "ada@example.test", "picture": "https://img.test/a.png", "tid": "t1", "xms_edov": false,
                },
            }),
        ),
        (
            "https://sts.windows.net/t1/",
            with(json!({ "tid": "t1" })),
            false,
            json!({ "name": "Ada", "picture": "https://img.test/a.png" }),
        ),
        (
            "https://idp.test/realm",
            with(json!({ "email_verified": true, "groups": ["/staff"], "locale": "en", "gender": "" })),
            true,
            json!({ "name": "Ada", "picture": "https://img.test/a.png", "locale": "en" }),
        ),
        ("https://idp.test", ada(), false, json!({ "name": "Ada", "picture": "https://img.test/a.png" })),
    ] {
        let expected = ("s1".to_owned(), Some(("ada@example.test".to_owned(), verified)), kept);
        assert_eq!(said(issuer, claims).await, expected, "{issuer}");
    }
}

#[tokio::test]
async fn audiences_and_times_of_a_token_of_any_issuer_are_kept() {
    let claims = json!({
        "iss": "https://idp.test", "sub": "s1", "aud": "app", "iat": NOW, "exp": NOW + 60, "nonce": "n",
        "updated_at": "2026-01-02T03:04:05Z",
    });
    let token = read("https://idp.test", claims).await.unwrap();
    assert_eq!(token.nonce.as_deref(), Some("n"));
    let kept = json!({
        "iss": "https://idp.test", "sub": "s1", "aud": ["app"], "iat": NOW, "exp": NOW + 60,
        "updated_at": "2026-01-02T03:04:05Z",
    });
    assert_eq!(Value::Object(token.profile.claims), kept);
}

#[tokio::test]
async fn a_claim_of_another_type_makes_a_bad_token() {
    for wrong in [
        json!({ "email_verified": "true" }),
        json!({ "sub": 7 }),
        json!({ "name": {} }),
        json!({ "updated_at": true }),
        json!({ "aud": 7 }),
    ] {
        let mut claims = json!({ "iss": "https://idp.test", "sub": "s1", "aud": "app", "iat": NOW, "exp": NOW + 60 });
        claims.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let token = read("https://idp.test", claims).await;
        assert_eq!(token.err(), Some(IdTokenError::Bad), "{wrong}");
    }
}

#[tokio::test]
async fn a_token_belongs_to_its_access_token() {
    let name = "https://idp.test";
    let idp = Idp::start(Registered { issuer: name.to_owned(), ..Registered::default() }).await;
    let claims = |hash: &str| json!({ "iss": name, "sub": "s1", "aud": "app", "exp": NOW + 60, "at_hash": hash });
    let providers = providers(&idp);
    let right = access_token_hash();
    for (hash, access, taken) in [
        (right.as_str(), Some(ACCESS), true),
        (right.as_str(), Some("another"), false),
        (right.as_str(), None, true),
        ("AAAA", Some(ACCESS), false),
    ] {
        let token = Secret::new(idp.sign(&claims(hash)));
        let access = access.map(|access| Secret::new(access.to_owned()));
        let read = providers.id_token(&issuer(name), &token, access.as_ref()).await;
        assert_eq!(read.is_ok(), taken, "{hash} {access:?}");
    }
}
