//! Codes by time.

use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use super::{ADDRESS, app_of, audit, challenge, challenged, enrolled, project, text, user, verify};
use crate::both::on_both;
use crate::hooks::claims;
use crate::letters::{access, wrong};
use crate::totp::{self, Totp};

on_both!(test_mfa_verify_returns_aal2, mfa_verify_returns_aal2_on_postgres, returns_aal2);
async fn returns_aal2(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let before = claims(&app, &project, &session);
    let totp = app_of(&project, &session, "app").await;
    app.clock.advance(60);
    let asked = challenge(&project, &session, &totp.factor).header("x-forwarded-for", "192.0.2.7");
    let asked = asked.send().await.expect(200).json();
    assert_eq!((asked["type"].as_str(), asked.get("webauthn")), (Some("totp"), None));
    let id = text(&asked["id"]);
    let answer = verify(&project, &session, &totp.factor, &id, &totp.code(&app));
    let answer = answer.header("x-forwarded-for", "192.0.2.7").send().await.expect(200);
    assert_eq!(answer.header("sb-auth-session-id"), "");
    assert_eq!(answer.header("cache-control"), "no-store");
    let raised = answer.json();
    assert_eq!(text(&raised["user"]["factors"][0]["status"]), "verified");

    let after = claims(&app, &project, &raised);
    assert_eq!((before["aal"].as_str(), after["aal"].as_str()), (Some("aal1"), Some("aal2")));
    assert_eq!(after["session_id"], before["session_id"]);
    let now = after["iat"].as_i64().unwrap();
    let amr = json!([{ "method": "totp", "timestamp": now }, { "method": "password", "timestamp": now - 60 }]);
    assert_eq!(after["amr"], amr);

    // It stays so.
    app.clock.advance(60);
    let refreshed = project.refresh(&raised["refresh_token"]).send().await.expect(200).json();
    let refreshed = claims(&app, &project, &refreshed);
    assert_eq!((refreshed["aal"].as_str(), &refreshed["amr"]), (Some("aal2"), &amr));

    let rows = audit(&project).await;
    let of = |action: &str| rows.iter().find(|(found, _)| found == action).map(|(_, row)| row.clone()).unwrap();
    let verified = of("verification_attempted");
    let traits = json!({ "factor_id": totp.factor, "challenge_id": id, "factor_type": "totp" });
    assert_eq!((&verified["payload"]["traits"], verified["ip_address"].as_str()), (&traits, Some("192.0.2.7")));
    let created = of("challenge_created");
    let traits = json!({ "factor_id": totp.factor, "factor_status": "unverified" });
    assert_eq!((&created["payload"]["traits"], created["payload"]["log_type"].as_str()), (&traits, Some("factor")));
}

on_both!(test_mfa_rejects_wrong_factor_owner, mfa_rejects_wrong_factor_owner_on_postgres, wrong_owner);
async fn wrong_owner(app: TestApp) {
    let project = project(&app, json!({})).await;
    let owner = project.sign_up(ADDRESS).await;
    let stranger = project.sign_up("b@example.com").await;
    let totp = app_of(&project, &owner, "app").await;
    let id = challenged(&project, &owner, &totp.factor).await;
    for answer in [
        challenge(&project, &stranger, &totp.factor).send().await,
        verify(&project, &stranger, &totp.factor, &id, &totp.code(&app)).send().await,
    ] {
        let answer = answer.expect(403);
        assert_eq!(answer.error_code(), "no_authorization");
        assert_eq!(answer.json()["msg"], "Factor belongs to another user");
    }
    let gone = super::unenroll(&project, &stranger, &totp.factor).send().await.expect(404);
    assert_eq!(gone.error_code(), "mfa_factor_not_found");

    // A factor of the stranger's own does not answer the owner's challenge.
    let own = app_of(&project, &stranger, "app").await;
    let refused = verify(&project, &stranger, &own.factor, &id, &own.code(&app)).send().await.expect(422);
    assert_eq!(refused.error_code(), "mfa_factor_not_found");

    // Another project does not know it.
    let elsewhere = app.project("elsewhere", json!({})).await;
    let other = elsewhere.sign_up(ADDRESS).await;
    for answer in [
        challenge(&elsewhere, &other, &totp.factor).send().await,
        verify(&elsewhere, &other, &totp.factor, &id, &totp.code(&app)).send().await,
        super::unenroll(&elsewhere, &other, &totp.factor).send().await,
    ] {
        assert_eq!(answer.expect(404).error_code(), "mfa_factor_not_found");
    }
    // All that has changed nothing.
    verify(&project, &owner, &totp.factor, &id, &totp.code(&app)).send().await.expect(200);
}

on_both!(a_challenge_is_answered_once, a_challenge_is_answered_once_on_postgres, once);
async fn once(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let id = challenged(&project, &session, &totp.factor).await;
    let code = totp.code(&app);
    let refused = verify(&project, &session, &totp.factor, &id, &wrong(&code)).send().await.expect(422);
    assert_eq!(refused.error_code(), "mfa_verification_failed");
    let empty = verify(&project, &session, &totp.factor, &id, "").send().await.expect(400);
    assert_eq!(empty.error_code(), "validation_failed");
    let unknown = uuid::Uuid::from_u128(7).to_string();
    let refused = verify(&project, &session, &totp.factor, &unknown, &code).send().await.expect(422);
    assert_eq!(refused.error_code(), "mfa_factor_not_found");
    let raised = verify(&project, &session, &totp.factor, &id, &format!(" {code} ")).send().await.expect(200).json();
    app.clock.advance(30);
    let refused = verify(&project, &raised, &totp.factor, &id, &totp.code(&app)).send().await.expect(422);
    assert_eq!(refused.error_code(), "mfa_ip_address_mismatch");
}

on_both!(a_code_is_good_once, a_code_is_good_once_on_postgres, one_step);
async fn one_step(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let code = totp.code(&app);
    app.clock.advance(30);
    let newer = totp.code(&app);
    let id = challenged(&project, &session, &totp.factor).await;
    let raised = verify(&project, &session, &totp.factor, &id, &newer).send().await.expect(200).json();
    // Neither it nor an older one opens another challenge.
    let id = challenged(&project, &raised, &totp.factor).await;
    for old in [&newer, &code] {
        let refused = verify(&project, &raised, &totp.factor, &id, old).send().await.expect(422);
        assert_eq!(refused.error_code(), "mfa_verification_failed");
    }
    app.clock.advance(30);
    verify(&project, &raised, &totp.factor, &id, &totp.code(&app)).send().await.expect(200);
}

on_both!(a_clock_may_be_off_by_one_step, a_clock_may_be_off_by_one_step_on_postgres, skew);
async fn skew(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let early = totp.code(&app);
    app.clock.advance(60);
    let id = challenged(&project, &session, &totp.factor).await;
    verify(&project, &session, &totp.factor, &id, &early).send().await.expect(422);
    let late = totp.code(&app);
    app.clock.advance(30);
    verify(&project, &session, &totp.factor, &id, &late).send().await.expect(200);
}

on_both!(
    a_challenge_lives_five_minutes_at_one_address,
    a_challenge_lives_five_minutes_at_one_address_on_postgres,
    life
);
async fn life(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let from = |ip: &'static str| move |ask: testkit::Ask| ask.header("x-forwarded-for", ip).send();
    let asked = from("192.0.2.7")(challenge(&project, &session, &totp.factor)).await.expect(200).json();
    let id = text(&asked["id"]);
    let answer = || verify(&project, &session, &totp.factor, &id, &totp.code(&app));
    let refused = from("192.0.2.8")(answer()).await.expect(422);
    assert_eq!(refused.error_code(), "mfa_ip_address_mismatch");
    assert_eq!(answer().send().await.expect(422).error_code(), "mfa_ip_address_mismatch");
    app.clock.advance(301);
    let refused = from("192.0.2.7")(answer()).await.expect(422);
    assert_eq!(refused.error_code(), "mfa_challenge_expired");
    // It went.
    let refused = from("192.0.2.7")(answer()).await.expect(422);
    assert_eq!(refused.error_code(), "mfa_factor_not_found");
    let asked = from("192.0.2.7")(challenge(&project, &session, &totp.factor)).await.expect(200).json();
    let id = text(&asked["id"]);
    app.clock.advance(300);
    from("192.0.2.7")(verify(&project, &session, &totp.factor, &id, &totp.code(&app))).await.expect(200);
}

on_both!(other_sessions_of_one_factor_end, other_sessions_of_one_factor_end_on_postgres, others);
async fn others(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    let session = project.sign_up(ADDRESS).await;
    let other = elsewhere.sign_in(ADDRESS).await;
    let refreshed = elsewhere.refresh(&other["refresh_token"]).send().await.expect(200).json();
    let (totp, raised) = totp::enrolled(&app, &project, &session).await;
    for gateway in [&project, &elsewhere] {
        let gone = gateway.get("/user").bearer(access(&refreshed)).send().await.expect(403);
        assert_eq!(gone.error_code(), "session_not_found");
        gateway.refresh(&refreshed["refresh_token"]).send().await.expect(400);
    }
    // Later sign-ins begin at the first level and leave this one alone; so does another that is raised.
    let later = project.sign_in(ADDRESS).await;
    assert_eq!(claims(&app, &project, &later)["aal"], "aal1");
    user(&project, &raised).await;
    let second = totp.raise(&app, &project, &later).await.expect(200).json();
    user(&project, &raised).await;
    user(&project, &second).await;
}

/// Raises a session of `project` and shows its old refresh token: it is refused, and the session lives.
async fn old_token(app: &TestApp, project: &TestProject) {
    let session = project.sign_up(ADDRESS).await;
    let (_, raised) = totp::enrolled(app, project, &session).await;
    let refused = project.refresh(&session["refresh_token"]).send().await.expect(400);
    assert_eq!(refused.error_code(), "refresh_token_already_used");
    let refreshed = project.refresh(&raised["refresh_token"]).send().await;
    assert_eq!(claims(app, project, &refreshed.expect(200).json())["aal"], "aal2");
}

on_both!(older_refresh_tokens_are_not_raised, older_refresh_tokens_are_not_raised_on_postgres, bound);
async fn bound(app: TestApp) {
    old_token(&app, &project(&app, json!({})).await).await;
}

on_both!(older_stored_tokens_are_not_raised, older_stored_tokens_are_not_raised_on_postgres, stored);
async fn stored(app: TestApp) {
    let project = project(&app, json!({ "security_refresh_token_algorithm_version": 1 })).await;
    old_token(&app, &project).await;
    assert!(audit(&project).await.iter().any(|(action, _)| action == "token_revoked"));
}

on_both!(a_refresh_after_the_factor_is_raised, a_refresh_after_the_factor_is_raised_on_postgres, warm);
async fn warm(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    // The session's actor remembers the session as it was.
    let session = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    let (totp, raised) = totp::enrolled(&app, &project, &session).await;
    let next = project.refresh(&raised["refresh_token"]).send().await.expect(200).json();
    assert_eq!(claims(&app, &project, &next)["aal"], "aal2");
    totp.unenroll(&project, &next).await.expect(200);
    let next = project.refresh(&next["refresh_token"]).send().await.expect(200).json();
    assert_eq!(claims(&app, &project, &next)["aal"], "aal1");
}

on_both!(a_proof_clears_leftovers_of_its_kind, a_proof_clears_leftovers_of_its_kind_on_postgres, leftovers);
async fn leftovers(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let kept = app_of(&project, &session, "kept").await;
    let dropped = app_of(&project, &session, "dropped").await;
    let key = enrolled(&project, &session, json!({ "factor_type": "webauthn", "friendly_name": "key" })).await;
    let raised = kept.raise(&app, &project, &session).await.expect(200).json();
    let shown = user(&project, &raised).await["factors"].clone();
    let ids: Vec<_> = shown.as_array().unwrap().iter().map(|factor| text(&factor["id"])).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&kept.factor) && ids.contains(&key), "{shown}");
    challenge(&project, &raised, &dropped.factor).send().await.expect(404);
}

on_both!(ids_may_be_spelled_in_any_way, ids_may_be_spelled_in_any_way_on_postgres, spellings);
async fn spellings(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let factor = app_of(&project, &session, "app").await.factor;
    for spelled in
        [factor.to_uppercase(), factor.replace('-', ""), format!("%7B{factor}%7D"), format!("urn:uuid:{factor}")]
    {
        challenge(&project, &session, &spelled).send().await.expect(200);
    }
    for nonsense in ["nonsense", &factor[1..]] {
        let refused = challenge(&project, &session, nonsense).send().await.expect(404);
        assert_eq!(
            (refused.error_code().as_str(), &refused.json()["msg"]),
            ("validation_failed", &json!("factor_id must be an UUID"))
        );
    }
}

on_both!(whoever_is_banned_is_not_raised, whoever_is_banned_is_not_raised_on_postgres, banned);
async fn banned(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let id = challenged(&project, &session, &totp.factor).await;
    let path = format!("/admin/users/{}", text(&session["user"]["id"]));
    crate::letters::admin(&project, http::Method::PUT, &path, json!({ "ban_duration": "1h" })).await.expect(200);
    let refused = verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(403);
    assert_eq!(refused.error_code(), "user_banned");
}

on_both!(a_token_without_session_is_not_raised, a_token_without_session_is_not_raised_on_postgres, sessionless);
async fn sessionless(app: TestApp) {
    use domain::time::Clock;
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let id = challenged(&project, &session, &totp.factor).await;
    let mut claims = claims(&app, &project, &session);
    claims.remove("session_id");
    let keys = crypto::jwt::KeySet::new(project.jwt_secret.clone().into(), Vec::new());
    let token = keys.sign(&claims).unwrap();
    assert!(keys.verify(token.expose(), app.clock.now()).is_ok());
    let bare = json!({ "access_token": token.expose() });
    verify(&project, &bare, &totp.factor, &id, &totp.code(&app)).send().await.expect(500);
    super::unenroll(&project, &bare, &totp.factor).send().await.expect(500);
    let body = json!({ "factor_type": "totp", "friendly_name": "x" });
    super::enroll(&project, &bare, body).await.expect(500);
    verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(200);
}

/// The reference keeps secrets as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn a_secret_of_another_server_works_on_postgres() {
    let app = TestApp::postgres().await;
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let made = app_of(&project, &session, "app").await;
    let totp = Totp { secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".to_owned(), ..made };
    let sql = format!("update auth.mfa_factors set secret = '{}' where id = '{}'", totp.secret, totp.factor);
    app.placement().execute(&sql).await;
    let raised = totp.raise(&app, &project, &session).await.expect(200).json();
    assert_eq!(claims(&app, &project, &raised)["aal"], "aal2");
}

/// What [`challenge`] gives is stored with id, factor, time and address (mission row 10).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_is_a_row() {
    let app = TestApp::sqlite().await;
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    let asked = challenge(&project, &session, &totp.factor).header("x-forwarded-for", "192.0.2.77").send().await;
    let asked: Value = asked.expect(200).json();
    let stored = app.stored_text().await;
    assert!(stored.contains("192.0.2.77"));
    assert_eq!(asked["expires_at"].as_i64(), Some(claims(&app, &project, &session)["iat"].as_i64().unwrap() + 300));
}

on_both!(a_secret_in_the_open_is_sealed_by_its_first_use, a_secret_in_the_open_is_sealed_on_postgres, sealed);
async fn sealed(app: TestApp) {
    let project = project(&app, json!({})).await;
    let session = project.sign_up(ADDRESS).await;
    let totp = app_of(&project, &session, "app").await;
    // As another server of the schema has it.
    let plain = format!("update auth.mfa_factors set secret = '{}'", totp.secret);
    app.placement().execute_each(&plain, &plain.replace("auth.", "")).await;
    let id = challenged(&project, &session, &totp.factor).await;
    verify(&project, &session, &totp.factor, &id, &wrong(&totp.code(&app))).send().await.expect(422);
    let instance = app.management.project(&project.project_ref).await.unwrap().project.instance;
    let store = storage::TenantStore::new(app.database.clone(), instance);
    let factor = domain::ids::FactorId(totp.factor.parse().unwrap());
    let stored = async || store.read_factor(factor).await.unwrap().unwrap().secret.unwrap().expose().clone();
    assert_eq!(stored().await, totp.secret, "a wrong code changes nothing");
    let raised = verify(&project, &session, &totp.factor, &id, &totp.code(&app)).send().await.expect(200).json();
    assert!(!stored().await.contains(&totp.secret), "the secret still lies in the open");
    totp.raise(&app, &project, &raised).await.expect(200);
}
