//! Many at once.

use futures::future::join_all;
use serde_json::{Value, json};
use testkit::{Algorithm, Answer, Authenticator, TestApp, TestProject};

use super::{ADDRESS, app_of, challenge, challenged, enrolled, project, text, unenroll, user, verify, with_factors};
use crate::both::on_both;
use crate::letters::{access, sms_code};
use crate::totp::{self, Totp};

/// How many of `answers` are right; all others were refused as they should be.
fn won(answers: &[Answer]) -> usize {
    for answer in answers {
        assert!([200, 403, 404, 422].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text);
    }
    answers.iter().filter(|answer| answer.status == 200).count()
}

/// A user's session with a factor that waits for its proof, new for each round.
async fn round(project: &TestProject, number: usize) -> (Value, Totp) {
    let session = project.sign_up(&format!("{number}@example.com")).await;
    let totp = app_of(project, &session, "app").await;
    (session, totp)
}

on_both!(one_challenge_is_won_once, one_challenge_is_won_once_on_postgres, one_challenge);
async fn one_challenge(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    for (number, gateways) in [[&project, &project], [&project, &elsewhere]].into_iter().enumerate() {
        let (session, totp) = round(&project, number).await;
        let id = challenged(&project, &session, &totp.factor).await;
        let code = totp.code(&app);
        let asks = (0..20).map(|n| verify(gateways[n % 2], &session, &totp.factor, &id, &code).send());
        let answers = join_all(asks).await;
        assert_eq!(won(&answers), 1);
        let raised = answers.iter().find(|answer| answer.status == 200).unwrap().json();
        elsewhere.refresh(&raised["refresh_token"]).send().await.expect(200);
    }
}

on_both!(one_code_is_won_once, one_code_is_won_once_on_postgres, one_code);
async fn one_code(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({ "mfa_totp_max_failures": 1000 })).await;
    let elsewhere = sibling.through(&project);
    for (number, gateways) in [[&project, &project], [&project, &elsewhere]].into_iter().enumerate() {
        let (session, totp) = round(&project, number).await;
        // In sessions of their own, so that no lane orders them; proven before, so that these do not end.
        let raised = totp.raise(&app, &project, &session).await.expect(200).json();
        app.clock.advance(30);
        let mut asks = Vec::new();
        for n in 0..20 {
            let id = challenged(gateways[n % 2], &raised, &totp.factor).await;
            let session = project.sign_in(&format!("{number}@example.com")).await;
            asks.push(verify(gateways[n % 2], &session, &totp.factor, &id, &totp.code(&app)).send());
        }
        assert_eq!(won(&join_all(asks).await), 1);
    }
}

on_both!(one_message_is_won_once, one_message_is_won_once_on_postgres, one_message);
async fn one_message(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({ "security_otp_max_attempts": 20 })).await;
    let elsewhere = sibling.through(&project);
    let session = project.sign_up(ADDRESS).await;
    let factor = enrolled(&project, &session, json!({ "factor_type": "phone", "phone": "15550000001" })).await;
    let id = challenged(&project, &session, &factor).await;
    let code = sms_code(&app);
    let gateways = [&project, &elsewhere];
    let asks = (0..20).map(|n| verify(gateways[n % 2], &session, &factor, &id, &code).send());
    assert_eq!(won(&join_all(asks).await), 1);
}

on_both!(one_assertion_is_won_once, one_assertion_is_won_once_on_postgres, one_assertion);
async fn one_assertion(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let gateways = [&project, &sibling.through(&project)];
    let mut session = project.sign_up(ADDRESS).await;
    let factor = enrolled(&project, &session, json!({ "factor_type": "webauthn" })).await;
    let mut key = Authenticator::new(Algorithm::Es256, "http://localhost:3000");
    for ceremony in ["create", "request"] {
        let asked = challenge(&project, &session, &factor).send().await.expect(200).json();
        let options = &asked["webauthn"]["credential_options"];
        let said = if ceremony == "create" { key.create(options) } else { key.get(options) };
        let webauthn = json!({ "type": ceremony, "credential_response": said });
        let body = json!({ "challenge_id": asked["id"], "webauthn": webauthn });
        let path = format!("/factors/{factor}/verify");
        let asks = (0..20).map(|n| gateways[n % 2].post(&path, body.clone()).bearer(access(&session)).send());
        let answers = join_all(asks).await;
        assert_eq!(won(&answers), 1);
        session = answers.iter().find(|answer| answer.status == 200).unwrap().json();
    }
}

on_both!(a_factor_that_goes_raises_nothing, a_factor_that_goes_raises_nothing_on_postgres, removal);
async fn removal(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    for number in 0..8 {
        let (session, totp) = round(&project, number).await;
        let raised = totp.raise(&app, &project, &session).await.expect(200).json();
        let other = elsewhere.sign_in(&format!("{number}@example.com")).await;
        app.clock.advance(30);
        let id = challenged(&elsewhere, &other, &totp.factor).await;
        let gone = unenroll(&project, &raised, &totp.factor).send();
        let verified = verify(&elsewhere, &other, &totp.factor, &id, &totp.code(&app)).send();
        let (gone, verified) = futures::join!(gone, verified);
        gone.expect(200);
        assert!([200, 404, 422].contains(&verified.status.as_u16()), "{} {}", verified.status, verified.text);
        // Whoever came first: the factor is gone, and no session is raised by it.
        let token = if verified.status == 200 { verified.json() } else { other };
        let refreshed = elsewhere.refresh(&token["refresh_token"]).send().await.expect(200).json();
        let claims = crate::hooks::claims(&app, &project, &refreshed);
        assert_eq!(claims["aal"], "aal1", "verify answered {}", verified_status(&token, &refreshed));
        assert!(user(&project, &refreshed).await.get("factors").is_none());
    }
}

fn verified_status(token: &Value, refreshed: &Value) -> String {
    format!("{} then {}", token["user"]["factors"], refreshed["user"]["factors"])
}

on_both!(proofs_of_many_sessions_end_none_of_them, proofs_of_many_sessions_end_none_of_them_on_postgres, many);
async fn many(app: TestApp) {
    let sibling = app.sibling().await;
    for version in [1, 2] {
        let config = json!({ "mfa_totp_max_failures": 1000, "security_refresh_token_algorithm_version": version });
        let project = app.project(&format!("many-{version}"), with_factors(config)).await;
        let gateways = [&project, &sibling.through(&project)];
        let session = project.sign_up(ADDRESS).await;
        let (totp, raised) = totp::enrolled(&app, &project, &session).await;
        // Refreshes of many sessions, and proofs that end some of them, meet in all orders of locks.
        let mut sessions = Vec::new();
        for n in 0..10 {
            sessions.push(gateways[n % 2].sign_in(ADDRESS).await);
        }
        app.clock.advance(30);
        let mut proofs = Vec::new();
        for (n, session) in sessions.iter().enumerate() {
            let id = challenged(gateways[n % 2], session, &totp.factor).await;
            proofs.push(verify(gateways[n % 2], session, &totp.factor, &id, &totp.code(&app)).send());
        }
        let refresh = |(n, session): (usize, &Value)| gateways[n % 2].refresh(&session["refresh_token"]).send();
        let refreshes = sessions.iter().enumerate().map(refresh);
        let (proofs, refreshed) = futures::join!(join_all(proofs), join_all(refreshes));
        assert_eq!(won(&proofs), 1);
        assert!(refreshed.iter().all(|answer| [200, 400].contains(&answer.status.as_u16())));
        user(&project, &raised).await;
    }
}

on_both!(
    factors_enrolled_at_once_stay_within_limits,
    factors_enrolled_at_once_stay_within_limits_on_postgres,
    enrolments
);
async fn enrolments(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({ "mfa_max_enrolled_factors": 3 })).await;
    let gateways = [&project, &sibling.through(&project)];
    let session = project.sign_up(ADDRESS).await;
    let body = |n: usize| json!({ "factor_type": "webauthn", "friendly_name": (n / 2).to_string() });
    let asks = (0..20).map(|n| gateways[n % 2].post("/factors", body(n)).bearer(access(&session)).send());
    assert_eq!(won(&join_all(asks).await), 3);
    let factors = user(&project, &session).await["factors"].clone();
    let mut names: Vec<_> = factors.as_array().unwrap().iter().map(|factor| text(&factor["friendly_name"])).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3);
}
