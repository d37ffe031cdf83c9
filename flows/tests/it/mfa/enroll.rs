//! Enrolling factors.

use serde_json::json;
use testkit::TestApp;

use super::{ADDRESS, app_of, audit, challenged, enroll, enrolled, project, shielded, signed_in, text, user};
use crate::both::on_both;

on_both!(an_app_is_shown_its_secret_once, an_app_is_shown_its_secret_once_on_postgres, totp);
async fn totp(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let body = json!({ "factor_type": "totp", "friendly_name": "my app", "issuer": "Example App&secret=AAAA" });
    let made = enroll(&project, &session, body).await.expect(200).json();
    assert_eq!((made["type"].as_str(), made["friendly_name"].as_str()), (Some("totp"), Some("my app")));
    let secret = text(&made["totp"]["secret"]);
    let issuer = "Example%20App%26secret%3DAAAA";
    assert_eq!(
        text(&made["totp"]["uri"]),
        format!("otpauth://totp/{issuer}:{ADDRESS}?algorithm=SHA1&digits=6&issuer={issuer}&period=30&secret={secret}")
    );
    assert!(text(&made["totp"]["qr_code"]).starts_with("<?xml"));

    let factors = user(&project, &session).await["factors"].clone();
    let id = text(&made["id"]);
    assert_eq!(factors.as_array().map(Vec::len), Some(1));
    assert_eq!((text(&factors[0]["id"]), text(&factors[0]["status"])), (id.clone(), "unverified".to_owned()));
    assert!(factors[0].get("secret").is_none());
    assert!(!app.stored_text().await.contains(&secret), "a secret lies in the database");
    let (action, row) = audit(&project).await.remove(0);
    assert_eq!((action.as_str(), row["payload"]["traits"].clone()), ("factor_in_progress", json!({ "factor_id": id })));
}

on_both!(whoever_has_only_a_number_has_an_app_too, whoever_has_only_a_number_has_an_app_too_on_postgres, by_phone);
async fn by_phone(app: TestApp) {
    let project = project(&app, json!({ "external_phone_enabled": true, "sms_autoconfirm": true })).await;
    let body = json!({ "phone": "15550000001", "password": "correct horse" });
    let session = project.post("/signup", body).send().await.expect(200).json();
    let made = enroll(&project, &session, json!({ "factor_type": "totp" })).await.expect(200).json();
    assert!(text(&made["totp"]["uri"]).starts_with("otpauth://totp/localhost:3000:15550000001?"));
}

on_both!(texts_that_are_too_long_are_refused, texts_that_are_too_long_are_refused_on_postgres, long);
async fn long(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    for body in [
        json!({ "factor_type": "totp", "friendly_name": "x".repeat(256) }),
        json!({ "factor_type": "totp", "issuer": "x".repeat(256) }),
        json!({ "factor_type": "totp", "issuer": "\u{1F600}".repeat(255) }),
        json!({ "factor_type": "webauthn", "friendly_name": "a\u{0}b" }),
    ] {
        let answer = enroll(&project, &session, body).await.expect(400);
        assert_eq!(answer.error_code(), "validation_failed");
    }
    assert!(user(&project, &session).await.get("factors").is_none());
}

on_both!(names_and_numbers_are_unique, names_and_numbers_are_unique_on_postgres, unique);
async fn unique(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    app_of(&project, &session, "one").await;
    let again = enroll(&project, &session, json!({ "factor_type": "webauthn", "friendly_name": "one" })).await;
    assert_eq!(again.expect(422).error_code(), "mfa_factor_name_conflict");
    // The empty name is one, too.
    enroll(&project, &session, json!({ "factor_type": "webauthn" })).await.expect(200);
    let again = enroll(&project, &session, json!({ "factor_type": "totp" })).await.expect(422);
    assert_eq!(again.error_code(), "mfa_factor_name_conflict");

    // A number that was not proven makes room, even for a factor that is refused.
    let phone = |name: &str| json!({ "factor_type": "phone", "friendly_name": name, "phone": "+1 555 0000001" });
    let first = enrolled(&project, &session, phone("phone")).await;
    let second = enrolled(&project, &session, phone("phone")).await;
    assert_ne!(first, second);
    enroll(&project, &session, phone("one")).await.expect(422);
    let factors = user(&project, &session).await["factors"].clone();
    assert!(factors.as_array().unwrap().iter().all(|factor| factor["factor_type"] != "phone"), "{factors}");
}

on_both!(factors_are_limited, factors_are_limited_on_postgres, limited);
async fn limited(app: TestApp) {
    let project = project(&app, json!({ "mfa_max_enrolled_factors": 2 })).await;
    let session = project.sign_up(ADDRESS).await;
    let first = app_of(&project, &session, "0").await;
    app_of(&project, &session, "1").await;
    let more = json!({ "factor_type": "totp", "friendly_name": "2" });
    let refused = enroll(&project, &session, more.clone()).await.expect(422);
    assert_eq!(refused.error_code(), "too_many_enrolled_mfa_factors");
    // What nobody tried for five minutes goes, what was challenged stays.
    challenged(&project, &session, &first.factor).await;
    app.clock.advance(301);
    enroll(&project, &session, more).await.expect(200);
    let factors = user(&project, &session).await["factors"].clone();
    let names: Vec<_> = factors.as_array().unwrap().iter().map(|factor| text(&factor["friendly_name"])).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"0".to_owned()) && names.contains(&"2".to_owned()), "{names:?}");
}

on_both!(a_second_factor_needs_the_first, a_second_factor_needs_the_first_on_postgres, second);
async fn second(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let (_, raised) = crate::totp::enrolled(&app, &project, &session).await;
    let low = project.sign_in(ADDRESS).await;
    let body = json!({ "factor_type": "webauthn", "friendly_name": "key" });
    let refused = enroll(&project, &low, body.clone()).await.expect(403);
    assert_eq!(refused.error_code(), "insufficient_aal");
    enroll(&project, &raised, body).await.expect(200);
}

on_both!(guests_and_machines_have_no_factors, guests_and_machines_have_no_factors_on_postgres, guests);
async fn guests(app: TestApp) {
    let project = project(&app, json!({ "external_anonymous_users_enabled": true })).await;
    let guest = project.post("/signup", json!({})).send().await.expect(200).json();
    let body = json!({ "factor_type": "totp" });
    let refused = enroll(&project, &guest, body.clone()).await.expect(403);
    assert_eq!(refused.error_code(), "no_authorization");
    project.post("/factors", body).bearer(&project.service_role_key).send().await.expect(403);
}

on_both!(kinds_can_be_switched_off, kinds_can_be_switched_off_on_postgres, off);
async fn off(app: TestApp) {
    let offered = shielded(&app, json!({ "mfa_phone_enroll_enabled": false, "mfa_phone_verify_enabled": false })).await;
    let session = signed_in(&offered).await;
    let body = json!({ "factor_type": "phone", "phone": "15550000001" });
    let refused = enroll(&offered, &session, body).await.expect(422);
    assert_eq!(refused.error_code(), "mfa_phone_enroll_not_enabled");

    let closed = project(&app, json!({ "mfa_totp_verify_enabled": false })).await;
    let session = closed.sign_up(ADDRESS).await;
    let factor = app_of(&closed, &session, "app").await.factor;
    let refused = super::challenge(&closed, &session, &factor).send().await.expect(422);
    assert_eq!(refused.error_code(), "mfa_totp_verify_not_enabled");
    let unknown = uuid::Uuid::from_u128(7).to_string();
    let refused = super::verify(&closed, &session, &factor, &unknown, "123456").send().await.expect(422);
    assert_eq!(refused.error_code(), "mfa_totp_verify_not_enabled");
}
