//! What issuers say and no database of texts can hold: U+0000, and subjects that name nobody.

use crypto::jwt::{Algorithm, KeySet, KeyUse, SigningKey};
use domain::provider::ProviderEmail;
use domain::secret::Secret;
use domain::user::Metadata;
use flows::management::NewThirdParty;
use serde_json::{Value, json};
use testkit::{Answer, SeededEntropy, TestApp, TestProject};

use crate::account::come;
use crate::both::on_both;
use crate::id_token::{of, pair, said, show};
use crate::oauth::{self, person, with_addresses};

const NOW: i64 = 1_800_000_000;

const ADDRESS: &str = "ada@example.com";

/// Claims with U+0000 wherever a text may stand.
fn tainted() -> Metadata {
    let claims = json!({
        "name": "A\0da", "picture": "\0", "na\0me": "Eve", "custom_claims": { "teams": ["x\0", { "a\0": 1, "b": "\0y" }] },
    });
    claims.as_object().cloned().unwrap()
}

/// An address with U+0000, beside another one.
fn tainted_address() -> ProviderEmail {
    ProviderEmail { email: "eve\0@example.com".to_owned(), verified: true, primary: false }
}

/// What is kept of [`tainted`], in the identity and in the account.
#[track_caller]
fn is_clean(user: &Value) {
    assert!(!user.to_string().contains("\\u0000"), "{user}");
    for kept in [&user["identities"][0]["identity_data"], &user["user_metadata"]] {
        assert_eq!((&kept["name"], &kept["picture"], &kept["email"]), (&json!("Ada"), &json!(""), &json!(ADDRESS)));
        assert_eq!(kept["custom_claims"], json!({ "teams": ["x", { "b": "y" }] }));
    }
}

on_both!(a_provider_tells_no_nul, a_provider_tells_no_nul_on_postgres, callback);
async fn callback(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let mut told = person("1", ADDRESS);
    told.profile.claims.extend(tainted());
    told.profile.emails.push(tainted_address());
    // As somebody new, and as somebody known.
    for _ in 0..2 {
        let landed = come(&app, &project, "gitlab", told.clone()).await;
        is_clean(&oauth::user(&project, landed.access_token()).await);
    }
    let landed = come(&app, &project, "gitlab", with_addresses("2", &[("eve\0@example.com", true)])).await;
    assert_eq!(landed.error()[1], "provider_email_needs_verification");
    for subject in ["3\0".to_owned(), "3".repeat(1025)] {
        let landed = come(&app, &project, "gitlab", person(&subject, "eve@example.com")).await;
        assert_eq!(landed.error()[2], "Error getting user profile from external provider");
    }
}

on_both!(an_id_token_tells_no_nul, an_id_token_tells_no_nul_on_postgres, id_token);
async fn id_token(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let by = |token: &str| json!({ "provider": "keycloak", "id_token": token });
    let mut token = of("1", ADDRESS);
    token.profile.claims.extend(tainted());
    token.profile.emails.push(tainted_address());
    app.providers.token("tainted", Ok(token));
    for _ in 0..2 {
        let session = show(&project, by("tainted")).await.expect(200).json();
        is_clean(&oauth::user(&project, session["access_token"].as_str().unwrap()).await);
    }
    for subject in ["2\0".to_owned(), "2".repeat(1025), "2".repeat(5000)] {
        app.providers.token("nobody", Ok(of(&subject, "eve@example.com")));
        let refused = show(&project, by("nobody")).await.expect(400);
        assert_eq!(said(&refused), pair("invalid request", "Bad ID token"));
    }
}

/// Whose key the project was given, and who is told what a token says.
async fn me(project: &TestProject, keys: &KeySet, claims: Value) -> Answer {
    let mut all = json!({ "iss": "https://id.example.com", "sub": "1", "iat": NOW, "exp": NOW + 3600 });
    all.as_object_mut().unwrap().extend(claims.as_object().cloned().unwrap());
    project.get("/user").bearer(&keys.sign(&all).unwrap().into_inner()).send().await
}

on_both!(a_token_of_another_issuer_tells_no_nul, a_token_of_another_issuer_tells_no_nul_on_postgres, third_party);
async fn third_party(app: TestApp) {
    let project = app.project("shop", json!({})).await;
    let key = SigningKey::generate(Algorithm::ES256, "k1", &SeededEntropy::new(7)).ok().unwrap();
    let keys = KeySet::new(Secret::default(), vec![(key, KeyUse::InUse)]);
    let given = NewThirdParty { custom_jwks: Some(keys.jwks()), ..NewThirdParty::default() };
    app.management.create_third_party(&project.project_ref, given).await.unwrap();

    let claims = json!({ "name": "A\0da", "email": "eve\0@example.com", "email_verified": true });
    for _ in 0..2 {
        let user = me(&project, &keys, claims.clone()).await.expect(200).json();
        assert!(!user.to_string().contains("\\u0000"), "{user}");
        assert_eq!((&user["user_metadata"]["name"], &user["email"]), (&json!("Ada"), &json!("")));
    }
    for (claim, value) in [
        ("sub", "2\0".to_owned()),
        ("sub", "2".repeat(1025)),
        ("iss", "https://id.example.com/\0".to_owned()),
        ("iss", "https://id\0.example.com".to_owned()),
    ] {
        assert_eq!(me(&project, &keys, json!({ claim: value })).await.expect(403).error_code(), "bad_jwt", "{claim}");
    }
}
