//! Signing keys: rotated, scheduled, and the JWT secret among them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flows::management::{Error, NewSigningKeyRequest, RotateSigningKey};
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use super::log_of;
use crate::both::on_both;

/// The `alg` and the `kid` of a token.
fn head(session: &Value) -> (String, Value) {
    let token = session["access_token"].as_str().unwrap();
    let head = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    (head["alg"].as_str().unwrap().to_owned(), head["kid"].clone())
}

async fn works(project: &TestProject, session: &Value, status: u16) {
    project.get("/user").bearer(session["access_token"].as_str().unwrap()).send().await.expect(status);
}

async fn published(project: &TestProject) -> Vec<Value> {
    let jwks = project.get("/.well-known/jwks.json").send().await.expect(200).json();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

on_both!(a_rotation_keeps_old_tokens, a_rotation_keeps_old_tokens_on_postgres, rotated);
async fn rotated(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    let first = project.sign_up("a@example.com").await;
    assert_eq!(head(&first).0, "HS256");

    let key = manage.rotate_signing_key(&project.project_ref, RotateSigningKey::default()).await.unwrap();
    assert_eq!((key.algorithm.as_str(), key.status), ("ES256", "in_use"));
    let second = project.sign_in("a@example.com").await;
    assert_eq!(head(&second), ("ES256".to_owned(), json!(key.id)));
    let next = manage.rotate_signing_key(&project.project_ref, RotateSigningKey::default()).await.unwrap();
    let third = project.sign_in("a@example.com").await;
    assert_eq!(head(&third).1, json!(next.id));
    for session in [&first, &second, &third] {
        works(&project, session, 200).await;
        project.refresh(&session["refresh_token"]).send().await.expect(200);
    }
    assert_eq!(published(&project).await, [json!(next.id), json!(key.id)]);
    assert_eq!(manage.signing_key(&project.project_ref, key.id).await.unwrap().status, "previously_used");

    manage.set_signing_key_status(&project.project_ref, key.id, "revoked").await.unwrap();
    works(&project, &second, 403).await;
    works(&project, &third, 200).await;
    assert_eq!(published(&project).await, [json!(next.id)]);
}

on_both!(a_key_waits_until_its_time, a_key_waits_until_its_time_on_postgres, scheduled);
async fn scheduled(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await);
    let wish = RotateSigningKey { algorithm: Some("RS256".to_owned()), standby_seconds: Some(1200) };
    let key = manage.rotate_signing_key(&project.project_ref, wish).await.unwrap();
    assert_eq!((key.algorithm.as_str(), key.status), ("RS256", "standby"));
    assert!(key.promote_at.is_some());
    assert_eq!(published(&project).await, [json!(key.id)], "published before it signs");
    let id = manage.project_id(&project.project_ref).await.unwrap();
    manage.promote_scheduled(id, key.id).await.unwrap();
    assert_eq!(manage.signing_key(&project.project_ref, key.id).await.unwrap().status, "standby", "not yet");

    app.clock.advance(1200);
    manage.promote_scheduled(id, key.id).await.unwrap();
    manage.promote_scheduled(id, key.id).await.unwrap();
    assert_eq!(head(&project.sign_up("a@example.com").await), ("RS256".to_owned(), json!(key.id)));
    assert_eq!(manage.signing_key(&project.project_ref, key.id).await.unwrap().promote_at, None);
}

on_both!(what_waits_is_taken_first, what_waits_is_taken_first_on_postgres, waiting);
async fn waiting(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await.project_ref);
    let make =
        |algorithm: &str| NewSigningKeyRequest { algorithm: algorithm.to_owned(), status: None, private_jwk: None };
    let eddsa = manage.create_signing_key(&project, make("EdDSA")).await.unwrap();
    let asked = RotateSigningKey { algorithm: Some("ES256".to_owned()), standby_seconds: None };
    let made = manage.rotate_signing_key(&project, asked).await.unwrap();
    assert_eq!((made.algorithm.as_str(), made.status), ("ES256", "in_use"), "another one was asked for");
    let taken = manage.rotate_signing_key(&project, RotateSigningKey::default()).await.unwrap();
    assert_eq!((taken.id, taken.status), (eddsa.id, "in_use"));
    manage.create_signing_key(&project, make("HS256")).await.unwrap();
    let next = manage.rotate_signing_key(&project, RotateSigningKey::default()).await.unwrap();
    assert_eq!(next.algorithm, "EdDSA", "a shared secret takes over only where it is asked for");
    let wrong = RotateSigningKey { algorithm: Some("none".to_owned()), standby_seconds: None };
    assert!(matches!(manage.rotate_signing_key(&project, wrong).await, Err(Error::Invalid(_))));
}

on_both!(a_gateway_that_is_behind_is_waited_for, a_gateway_that_is_behind_is_waited_for_on_postgres, behind);
async fn behind(app: TestApp) {
    use domain::time::Clock;
    let (manage, project) = (&app.management, app.project("one", json!({})).await.project_ref);
    let stuck = storage::control::Gateway {
        id: uuid::Uuid::from_u128(9),
        name: "stuck".to_owned(),
        version: "1".to_owned(),
        started_at: app.clock.now(),
        seen_at: app.clock.now(),
        seq: 0,
    };
    manage.control.gateways().beat(&stuck).await.unwrap();
    let refused = manage.rotate_signing_key(&project, RotateSigningKey::default()).await.err();
    let text = refused.expect("a gateway would refuse the new tokens").to_string();
    assert!(text.contains("stuck"), "{text}");
    let keys = manage.signing_keys(&project).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.status).collect::<Vec<_>>(), ["standby"]);
    manage.control.gateways().leave(stuck.id).await.unwrap();
    let key = manage.rotate_signing_key(&project, RotateSigningKey::default()).await.unwrap();
    assert_eq!((key.id, key.status), (keys[0].id, "in_use"), "the one that waits");
}

on_both!(the_secret_can_be_revoked, the_secret_can_be_revoked_on_postgres, legacy);
async fn legacy(app: TestApp) {
    let project = app.project("one", json!({})).await;
    let (manage, named) = (&app.management, &project.project_ref);
    assert!(matches!(manage.legacy_signing_key(named).await, Err(Error::NotFound)));
    let old = project.sign_up("a@example.com").await;
    let secret = manage.import_legacy_signing_key(named).await.unwrap();
    assert_eq!((secret.algorithm.as_str(), secret.status), ("HS256", "in_use"));
    assert_eq!(manage.legacy_signing_key(named).await.unwrap().id, secret.id);
    assert!(matches!(manage.import_legacy_signing_key(named).await, Err(Error::Conflict(_))));
    assert!(published(&project).await.is_empty(), "a shared secret is never published");
    let imported = project.sign_in("a@example.com").await;
    assert_eq!(head(&imported), ("HS256".to_owned(), json!(secret.id)));

    let in_use = manage.set_signing_key_status(named, secret.id, "revoked").await;
    assert!(matches!(in_use, Err(Error::Invalid(_))), "it signs");
    manage.rotate_signing_key(named, RotateSigningKey::default()).await.unwrap();
    let refused = manage.set_signing_key_status(named, secret.id, "revoked").await.err();
    let text = refused.expect("anon and service_role hang on it").to_string();
    assert!(text.contains("disable the legacy API keys"), "{text}");
    works(&project, &old, 200).await;
    works(&project, &imported, 200).await;

    manage.set_legacy_keys_enabled(named, false).await.unwrap();
    manage.set_signing_key_status(named, secret.id, "revoked").await.unwrap();
    works(&project, &old, 403).await;
    works(&project, &imported, 403).await;
    works(&project, &project.sign_in("a@example.com").await, 200).await;
    assert!(matches!(manage.delete_signing_key(named, secret.id).await, Err(Error::Invalid(_))));
    assert!(matches!(manage.set_legacy_keys_enabled(named, true).await, Err(Error::Invalid(_))));
    manage.set_signing_key_status(named, secret.id, "standby").await.unwrap();
    works(&project, &old, 200).await;
}

on_both!(a_late_import_does_not_sign, a_late_import_does_not_sign_on_postgres, late);
async fn late(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await.project_ref);
    let used = manage.rotate_signing_key(&project, RotateSigningKey::default()).await.unwrap();
    assert_eq!(manage.import_legacy_signing_key(&project).await.unwrap().status, "previously_used");
    assert_eq!(manage.signing_key(&project, used.id).await.unwrap().status, "in_use");
}

on_both!(moves_that_make_no_sense_are_refused, moves_that_make_no_sense_are_refused_on_postgres, moves);
async fn moves(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await.project_ref);
    let key = manage.rotate_signing_key(&project, RotateSigningKey::default()).await.unwrap();
    for status in ["standby", "previously_used", "revoked", "gone"] {
        let refused = manage.set_signing_key_status(&project, key.id, status).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{status}");
    }
    assert!(matches!(manage.delete_signing_key(&project, key.id).await, Err(Error::Invalid(_))));
    let public = manage.signing_key(&project, key.id).await.unwrap().public_jwk.unwrap();
    let mut other = public;
    other["kid"] = json!("c9b4b3a0-0000-4000-8000-000000000001");
    let again = NewSigningKeyRequest { algorithm: "ES256".to_owned(), status: None, private_jwk: Some(other) };
    assert!(matches!(manage.create_signing_key(&project, again).await, Err(Error::Invalid(_))), "the same key");
    let log = log_of(manage, &project).await;
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["signing_key.moved", "signing_key.created", "project.created"]);
}

on_both!(a_key_with_extra_members_is_refused, a_key_with_extra_members_is_refused_on_postgres, extra_members);
async fn extra_members(app: TestApp) {
    let (manage, project) = (&app.management, app.project("one", json!({})).await.project_ref);
    let import = async |extra: &str, value: Value| {
        let mut jwk = json!({
            "kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode("a secret of thirty-two bytes, yes"),
            "kid": "01234567-89ab-4def-8123-456789abcdef", "alg": "HS256", "use": "sig", "key_ops": ["sign", "verify"],
        });
        jwk[extra] = value;
        let (algorithm, private_jwk) = ("HS256".to_owned(), Some(jwk));
        manage.create_signing_key(&project, NewSigningKeyRequest { algorithm, status: None, private_jwk }).await
    };
    for extra in ["extra", "x5c", "crv", "d"] {
        let refused = import(extra, json!("x")).await;
        assert!(matches!(&refused, Err(Error::Invalid(text)) if text.contains(&format!("`{extra}`"))), "{refused:?}");
    }
    assert!(manage.signing_keys(&project).await.unwrap().is_empty());
    import("ext", json!(true)).await.unwrap();
}
