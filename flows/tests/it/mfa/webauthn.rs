//! Security keys.

use serde_json::{Value, json};
use testkit::{Algorithm, Answer, Attestation, Authenticator, Lies, TestApp, TestProject};

use super::{ADDRESS, app_of, audit, challenge, enrolled, project, shielded, signed_in, text, user};
use crate::both::on_both;
use crate::hooks::claims;
use crate::letters::access;

const ORIGIN: &str = "http://localhost:3000";

async fn factor(project: &TestProject, session: &Value, name: &str) -> String {
    enrolled(project, session, json!({ "factor_type": "webauthn", "friendly_name": name })).await
}

/// A challenge and what the browser is asked.
async fn asked(project: &TestProject, session: &Value, factor: &str) -> (String, Value) {
    let asked = challenge(project, session, factor).send().await.expect(200).json();
    (text(&asked["id"]), asked["webauthn"].clone())
}

async fn answer(
    project: &TestProject,
    session: &Value,
    factor: &str,
    (challenge, ceremony): (&str, &str),
    credential: &Value,
) -> Answer {
    let webauthn = json!({ "type": ceremony, "rpId": "localhost", "credential_response": credential });
    let body = json!({ "challenge_id": challenge, "webauthn": webauthn });
    project.post(&format!("/factors/{factor}/verify"), body).bearer(access(session)).send().await
}

/// Enrols a factor with `key` as its credential. Gives its id and the raised session.
async fn proven(project: &TestProject, session: &Value, name: &str, key: &mut Authenticator) -> (String, Value) {
    let factor = factor(project, session, name).await;
    let (id, webauthn) = asked(project, session, &factor).await;
    let made = key.create(&webauthn["credential_options"]);
    let raised = answer(project, session, &factor, (&id, "create"), &made).await.expect(200).json();
    (factor, raised)
}

on_both!(a_key_raises_a_session, a_key_raises_a_session_on_postgres, raises);
async fn raises(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        let mut key = Authenticator::new(algorithm, ORIGIN);
        key.verifies_user = algorithm != Algorithm::EdDsa;
        if algorithm == Algorithm::Rs256 {
            key.attestation = Attestation::Packed;
        }
        let session = project.sign_up(&format!("{algorithm:?}@example.com")).await;
        let factor = factor(&project, &session, "key").await;
        let (id, webauthn) = asked(&project, &session, &factor).await;
        assert_eq!(webauthn["type"], "create");
        let options = &webauthn["credential_options"]["publicKey"];
        assert_eq!(
            (&options["rp"]["id"], options["pubKeyCredParams"].as_array().unwrap().len()),
            (&json!("localhost"), 10)
        );
        let made = key.create(options);
        let raised = answer(&project, &session, &factor, (&id, "create"), &made).await.expect(200).json();
        assert_eq!(claims(&app, &project, &raised)["aal"], "aal2");
        let shown = &raised["user"]["factors"][0];
        assert_eq!((&shown["status"], &shown["web_authn_aaguid"]), (&json!("verified"), &json!(uuid::Uuid::nil())));
        let last = &shown["last_webauthn_challenge_data"];
        assert_eq!((&last["type"], &last["challenge"]["challenge_id"]), (&json!("create"), &json!(id)));
        assert_eq!(last["challenge"]["web_authn_session_data"]["rpId"], "localhost");
        assert_eq!(last["credential_response"]["ID"], made["id"]);
        assert_eq!(&user(&project, &raised).await["factors"][0], shown);

        // The challenge is gone; the next one asks for the key.
        let again = answer(&project, &raised, &factor, (&id, "create"), &made).await.expect(422);
        assert_eq!(again.error_code(), "mfa_factor_not_found");
        let (id, webauthn) = asked(&project, &raised, &factor).await;
        assert_eq!(webauthn["type"], "request");
        let options = &webauthn["credential_options"]["publicKey"];
        assert_eq!((&options["rpId"], &options["allowCredentials"][0]["id"]), (&json!("localhost"), &made["id"]));
        let shown = key.get(options);
        let raised = answer(&project, &raised, &factor, (&id, "request"), &shown).await.expect(200).json();
        assert_eq!(raised["user"]["factors"][0]["last_webauthn_challenge_data"]["type"], "request");
        let methods = claims(&app, &project, &raised)["amr"].clone();
        assert!(methods.as_array().unwrap().iter().any(|entry| entry["method"] == "mfa/webauthn"), "{methods}");
    }
    drop(session);
}

on_both!(what_does_not_hold_is_refused, what_does_not_hold_is_refused_on_postgres, refused);
async fn refused(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let mut key = Authenticator::new(Algorithm::Es256, ORIGIN);
    let (factor, raised) = proven(&project, &session, "key", &mut key).await;
    let (id, webauthn) = asked(&project, &raised, &factor).await;
    let lies = [
        Lies { origin: Some("https://evil.example".to_owned()), ..Lies::default() },
        Lies { rp_id: Some("evil.example".to_owned()), ..Lies::default() },
        Lies { challenge: Some("AAAA".to_owned()), ..Lies::default() },
        Lies { kind: Some("webauthn.create".to_owned()), ..Lies::default() },
        Lies { user_handle: Some(Some(b"somebody else".to_vec())), ..Lies::default() },
        Lies { credential_id: Some(vec![7; 32]), ..Lies::default() },
        Lies { absent: true, ..Lies::default() },
        Lies { tampered: true, ..Lies::default() },
    ];
    for lie in lies {
        key.lies = lie;
        let said = key.get(&webauthn["credential_options"]);
        let refused = answer(&project, &raised, &factor, (&id, "request"), &said).await.expect(422);
        assert_eq!(refused.error_code(), "mfa_verification_failed", "{:?}", key.lies);
    }
    key.lies = Lies::default();
    for (credential, status) in [(json!({}), 400), (json!({ "id": "%%%" }), 400), (json!("text"), 400)] {
        let refused = answer(&project, &raised, &factor, (&id, "request"), &credential).await.expect(status);
        assert_eq!(refused.error_code(), "validation_failed");
    }
    // The challenge is still there for the right answer.
    let said = key.get(&webauthn["credential_options"]);
    answer(&project, &raised, &factor, (&id, "request"), &said).await.expect(200);
    let replayed = answer(&project, &raised, &factor, (&id, "request"), &said).await.expect(422);
    assert_eq!(replayed.error_code(), "mfa_factor_not_found");
    // Nor does it answer a later one.
    let (id, _) = asked(&project, &raised, &factor).await;
    let replayed = answer(&project, &raised, &factor, (&id, "request"), &said).await.expect(422);
    assert_eq!(replayed.error_code(), "mfa_verification_failed");
}

on_both!(ceremony_factor_and_key_belong_together, ceremony_factor_and_key_belong_together_on_postgres, bound);
async fn bound(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let mut key = Authenticator::new(Algorithm::Es256, ORIGIN);
    let (first, raised) = proven(&project, &session, "first", &mut key).await;

    // The assertion of a proven key proves no other factor.
    let second = factor(&project, &raised, "second").await;
    let (create, to_create) = asked(&project, &raised, &second).await;
    let excluded = &to_create["credential_options"]["publicKey"]["excludeCredentials"];
    assert_eq!(excluded.as_array().map(Vec::len), Some(1));
    let mut options = to_create["credential_options"]["publicKey"].clone();
    options["rpId"] = json!("localhost");
    let said = key.get(&options);
    for ceremony in ["request", "create"] {
        let refused = answer(&project, &raised, &second, (&create, ceremony), &said).await;
        assert!([400, 422].contains(&refused.status.as_u16()), "{}", refused.text);
    }
    // Nor does the same key prove two factors.
    let said = key.create(&options);
    answer(&project, &raised, &second, (&create, "create"), &said).await.expect(422);
    let mut other = Authenticator::new(Algorithm::Es256, ORIGIN);
    let said = other.create(&options);
    let raised = answer(&project, &raised, &second, (&create, "create"), &said).await.expect(200).json();

    // Both are offered, each proves its own factor.
    let (id, webauthn) = asked(&project, &raised, &first).await;
    let offered = &webauthn["credential_options"]["publicKey"]["allowCredentials"];
    assert_eq!(offered.as_array().map(Vec::len), Some(2));
    let said = other.get(&webauthn["credential_options"]);
    answer(&project, &raised, &first, (&id, "request"), &said).await.expect(422);
    // A proven factor gets no second key.
    let said = other.create(&webauthn["credential_options"]);
    answer(&project, &raised, &first, (&id, "create"), &said).await.expect(422);
    let said = key.get(&webauthn["credential_options"]);
    answer(&project, &raised, &first, (&id, "request"), &said).await.expect(200);
}

on_both!(a_challenge_to_create_is_spent_by_the_first, a_challenge_to_create_is_spent_by_the_first_on_postgres, stale);
async fn stale(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let factor = factor(&project, &session, "key").await;
    let (first, options) = asked(&project, &session, &factor).await;
    let (second, others) = asked(&project, &session, &factor).await;
    let mut key = Authenticator::new(Algorithm::Es256, ORIGIN);
    let said = key.create(&options["credential_options"]);
    let raised = answer(&project, &session, &factor, (&first, "create"), &said).await.expect(200).json();
    // The other challenge neither replaces the key nor takes an assertion that names none.
    let mut attacker = Authenticator::new(Algorithm::Es256, ORIGIN);
    let said = attacker.create(&others["credential_options"]);
    answer(&project, &raised, &factor, (&second, "create"), &said).await.expect(422);
    let said = key.get(&others["credential_options"]);
    answer(&project, &raised, &factor, (&second, "request"), &said).await.expect(422);
}

/// Lets the count of a key go back.
async fn count_back(project: &TestProject) -> Answer {
    let session = signed_in(project).await;
    let mut key = Authenticator::new(Algorithm::Es256, ORIGIN);
    let (factor, mut session) = proven(project, &session, "key", &mut key).await;
    for count in [8, 8] {
        key.sign_count = count;
        let (id, webauthn) = asked(project, &session, &factor).await;
        let said = key.get(&webauthn["credential_options"]);
        let answer = answer(project, &session, &factor, (&id, "request"), &said).await;
        if answer.status != 200 {
            return answer;
        }
        session = answer.json();
    }
    key.sign_count = 2;
    let (id, webauthn) = asked(project, &session, &factor).await;
    let said = key.get(&webauthn["credential_options"]);
    answer(project, &session, &factor, (&id, "request"), &said).await
}

on_both!(a_count_that_goes_back_is_told_or_refused, a_count_that_goes_back_is_told_or_refused_on_postgres, counts);
async fn counts(app: TestApp) {
    let compat = project(&app, json!({})).await;
    count_back(&compat).await.expect(200);
    let rows = audit(&compat).await;
    let last = rows.iter().find(|(action, _)| action == "verification_attempted").unwrap();
    assert_eq!(last.1["payload"]["traits"]["counter_regressed"], true);
    let shield = shielded(&app, json!({})).await;
    let refused = count_back(&shield).await.expect(422);
    assert_eq!(refused.error_code(), "mfa_verification_failed");
}

on_both!(failed_ceremonies_are_counted, failed_ceremonies_are_counted_on_postgres, counted);
async fn counted(app: TestApp) {
    let project = project(&app, json!({ "rate_limit_mfa_verify_per_session": 2 })).await;
    let session = project.sign_up(ADDRESS).await;
    let factor = factor(&project, &session, "key").await;
    let (id, webauthn) = asked(&project, &session, &factor).await;
    for _ in 0..3 {
        answer(&project, &session, &factor, (&id, "create"), &json!({})).await.expect(400);
    }
    let mut key = Authenticator::new(Algorithm::Es256, ORIGIN);
    key.lies.origin = Some("https://evil.example".to_owned());
    for status in [422, 422, 429] {
        let said = key.create(&webauthn["credential_options"]);
        answer(&project, &session, &factor, (&id, "create"), &said).await.expect(status);
    }
}

on_both!(keys_need_a_relying_party, keys_need_a_relying_party_on_postgres, nowhere);
async fn nowhere(app: TestApp) {
    let project = project(&app, json!({ "webauthn_rp_origins": "" })).await;
    let session = project.sign_up(ADDRESS).await;
    let factor = factor(&project, &session, "key").await;
    challenge(&project, &session, &factor).send().await.expect(500);
}

on_both!(
    what_was_left_unverified_is_no_way_around_a_factor,
    what_was_left_unverified_is_no_way_around_a_factor_on_postgres,
    around
);
async fn around(app: TestApp) {
    let project = project(&app, json!({})).await;
    let owner = signed_in(&project).await;
    let thief = project.sign_in(ADDRESS).await;
    let planted = factor(&project, &thief, "planted").await;
    let own = app_of(&project, &owner, "own").await;
    own.raise(&app, &project, &owner).await.expect(200);

    let again = project.sign_in(ADDRESS).await;
    let mut key = Authenticator::new(Algorithm::Es256, ORIGIN);
    let (id, webauthn) = asked(&project, &again, &planted).await;
    let made = key.create(&webauthn["credential_options"]);
    let refused = answer(&project, &again, &planted, (&id, "create"), &made).await.expect(403);
    assert_eq!(refused.error_code(), "insufficient_aal");
    assert_eq!(claims(&app, &project, &again)["aal"], "aal1");

    let raised = own.raise(&app, &project, &again).await.expect(200).json();
    answer(&project, &raised, &planted, (&id, "create"), &made).await.expect(200);
}
