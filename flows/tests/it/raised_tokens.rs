//! A session's level rises only for tokens issued after it rose. Order tells which these are, not the clock: on two gateways,
//! refreshes and proofs of a second factor meet in all orders.

use futures::future::{join, join_all};
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::hooks::{claims, config, uri};
use crate::letters::access;
use crate::totp::{self, Totp};

/// Kinds of refresh tokens, and reuse intervals.
const SETTINGS: [(i64, i64); 4] = [(1, 0), (1, 10), (2, 0), (2, 10)];

fn settings(version: i64, interval: i64) -> Value {
    json!({
        "security_refresh_token_algorithm_version": version,
        "security_refresh_token_reuse_interval": interval,
        "mfa_totp_max_failures": 1000,
    })
}

fn aal(app: &TestApp, project: &TestProject, session: &Value) -> String {
    claims(app, project, session)["aal"].as_str().unwrap().to_owned()
}

async fn refreshed(project: &TestProject, session: &Value) -> Value {
    project.refresh(&session["refresh_token"]).send().await.expect(200).json()
}

/// All of `sessions` hold tokens from before the rise: refused on every gateway, and that is all.
async fn are_refused(gateways: [&TestProject; 2], sessions: &[&Value], what: &str) {
    for gateway in gateways {
        for session in sessions {
            let answer = gateway.refresh(&session["refresh_token"]).send().await;
            assert_eq!(answer.error_code(), "refresh_token_already_used", "{what}: {}", answer.text);
            assert_eq!(answer.header("sb-auth-refresh-token-rotated"), "", "{what}");
        }
    }
}

/// Asks for a challenge and answers it, later.
async fn proof(app: &TestApp, project: &TestProject, session: &Value, totp: &Totp) -> testkit::Ask {
    let path = format!("/factors/{}", totp.factor);
    let challenge = project.post(&format!("{path}/challenge"), json!({})).bearer(access(session)).send().await;
    let body = json!({ "challenge_id": challenge.expect(200).json()["id"], "code": totp.code(app) });
    project.post(&format!("{path}/verify"), body).bearer(access(session))
}

on_both!(
    what_is_issued_while_the_proof_waits_is_not_raised,
    what_is_issued_while_the_proof_waits_is_not_raised_on_postgres,
    waits
);
async fn waits(app: TestApp) {
    let sibling = app.sibling().await;
    let shaping = "custom_access_token";
    for gateway in [&app, &sibling] {
        gateway.hooks.reply_with(&uri(shaping), |told| Ok(json!({ "claims": told["claims"] })));
    }
    for (version, interval) in SETTINGS {
        // The one is asked before anything is written, the other between two runs of the same transaction.
        for point in ["mfa_verification_attempt", shaping] {
            let what = format!("{version} {interval} {point}");
            let name = format!("waits-{version}-{interval}-{}", point.len());
            let project = app.project(&name, config(&[point], settings(version, interval))).await;
            let elsewhere = sibling.through(&project);
            let gateways = [&project, &elsewhere];
            let first = project.sign_up("a@example.com").await;
            let (totp, old) = totp::enrolled(&app, &project, &first).await;
            let second = project.sign_in("a@example.com").await;
            app.clock.advance(30);
            let verify = proof(&app, &project, &second, &totp).await;
            app.hooks.take(&uri(point));
            app.hooks.hold(&uri(point));
            let verify = tokio::spawn(verify.send());
            while app.hooks.calls().iter().all(|(called, _)| *called != uri(point)) {
                tokio::task::yield_now().await;
            }
            // Later than the proof by the clock, earlier by order.
            app.clock.advance(1);
            let third = refreshed(&elsewhere, &second).await;
            app.clock.advance(1);
            let fourth = refreshed(&elsewhere, &third).await;
            assert_eq!(aal(&app, &project, &fourth), "aal1", "{what}");
            app.hooks.release(&uri(point));
            let raised = verify.await.unwrap().expect(200).json();
            assert_eq!(aal(&app, &project, &raised), "aal2", "{what}");

            let before = [&second, &third, &fourth];
            are_refused(gateways, &before, &what).await;
            let mut newest = raised.clone();
            for gateway in [&elsewhere, &project, &elsewhere] {
                newest = refreshed(gateway, &newest).await;
                assert_eq!(aal(&app, &project, &newest), "aal2", "{what}");
                are_refused(gateways, &before, &what).await;
                app.clock.advance(20);
                are_refused(gateways, &before, &what).await;
            }
            elsewhere.get("/user").bearer(access(&raised)).send().await.expect(200);
            // Another session of the user, raised before, is not concerned.
            assert_eq!(aal(&app, &project, &refreshed(&elsewhere, &old).await), "aal2", "{what}");
            refreshed(&project, &newest).await;
        }
    }
}

on_both!(tokens_since_the_rise_know_the_usual_rules, tokens_since_the_rise_know_the_usual_rules_on_postgres, since);
async fn since(app: TestApp) {
    let sibling = app.sibling().await;
    for (version, interval) in SETTINGS {
        let what = format!("{version} {interval}");
        let project = app.project(&format!("since-{version}-{interval}"), settings(version, interval)).await;
        let elsewhere = sibling.through(&project);
        let first = project.sign_up("a@example.com").await;
        let before = refreshed(&elsewhere, &first).await;
        let (_, raised) = totp::enrolled(&app, &project, &before).await;
        // The next token, and the same again for a lost answer.
        let next = refreshed(&elsewhere, &raised).await;
        app.clock.advance(100);
        assert_eq!(refreshed(&project, &raised).await["refresh_token"], next["refresh_token"], "{what}");
        let newest = refreshed(&project, &next).await;
        are_refused([&project, &elsewhere], &[&first, &before], &what).await;
        if interval > 0 && version == 2 {
            let again = elsewhere.refresh(&raised["refresh_token"]).send().await.expect(200);
            assert_eq!(again.header("sb-auth-refresh-token-reuse-cause"), "concurrent-refresh", "{what}");
            assert_eq!(again.json()["refresh_token"], newest["refresh_token"], "{what}");
            assert_eq!(aal(&app, &project, &again.json()), "aal2", "{what}");
        }
        app.clock.advance(interval + 1);
        are_refused([&project, &elsewhere], &[&first, &before], &what).await;
        let last = refreshed(&elsewhere, &newest).await;
        app.clock.advance(interval + 1);
        // Theft is still seen.
        let stolen = project.refresh(&raised["refresh_token"]).send().await.expect(400);
        assert_eq!(stolen.error_code(), "refresh_token_already_used", "{what}");
        elsewhere.refresh(&last["refresh_token"]).send().await.expect(400);
    }
}

on_both!(a_second_rise_starts_anew, a_second_rise_starts_anew_on_postgres, again);
async fn again(app: TestApp) {
    for (version, interval) in SETTINGS {
        let project = app.project(&format!("again-{version}-{interval}"), settings(version, interval)).await;
        let first = project.sign_up("a@example.com").await;
        let (totp, raised) = totp::enrolled(&app, &project, &first).await;
        let twice = totp.raise(&app, &project, &raised).await.expect(200).json();
        are_refused([&project, &project], &[&first, &raised], "raised twice").await;
        // When the factor goes, what came before does not come back.
        totp.unenroll(&project, &twice).await.expect(200);
        let lowered = refreshed(&project, &twice).await;
        assert_eq!(aal(&app, &project, &lowered), "aal1");
        are_refused([&project, &project], &[&first, &raised], "lowered").await;
        refreshed(&project, &lowered).await;
    }
}

on_both!(
    sessions_that_another_server_raised_go_by_the_clock,
    sessions_that_another_server_raised_go_by_the_clock_on_postgres,
    adopted
);
async fn adopted(app: TestApp) {
    for (version, interval) in SETTINGS {
        let project = app.project(&format!("adopted-{version}-{interval}"), settings(version, interval)).await;
        let first = project.sign_up("a@example.com").await;
        let (_, raised) = totp::enrolled(&app, &project, &first).await;
        let forget = ["update auth.sessions set raised_from = null", "update sessions set raised_from = null"];
        app.placement().execute_each(forget[0], forget[1]).await;
        are_refused([&project, &project], &[&first], "adopted").await;
        app.clock.advance(100);
        are_refused([&project, &project], &[&first], "adopted").await;
        assert_eq!(aal(&app, &project, &refreshed(&project, &raised).await), "aal2");
    }
}

/// Refreshes with what it got last, as long as that goes well.
async fn chain(project: TestProject, session: Value, start: usize) -> Vec<Answer> {
    for _ in 0..start {
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    let mut newest = session;
    for _ in 0..4 {
        let answer = project.refresh(&newest["refresh_token"]).send().await;
        if answer.status == 200 {
            newest = answer.json();
        }
        answers.push(answer);
    }
    answers
}

on_both!(no_refresh_is_raised_by_chance, no_refresh_is_raised_by_chance_on_postgres, hammer);
async fn hammer(app: TestApp) {
    let sibling = app.sibling().await;
    for version in [1, 2] {
        let project = app.project(&format!("hammer-{version}"), settings(version, 10)).await;
        let elsewhere = sibling.through(&project);
        let gateways = [&project, &elsewhere];
        let first = project.sign_up("a@example.com").await;
        let (totp, _) = totp::enrolled(&app, &project, &first).await;
        let (mut won, mut lost) = (0, 0);
        for number in 0..50 {
            let session = gateways[number % 2].sign_in("a@example.com").await;
            app.clock.advance(31);
            let verify = proof(&app, gateways[number / 2 % 2], &session, &totp).await;
            let verify = async {
                for _ in 0..number * 3 {
                    tokio::task::yield_now().await;
                }
                verify.send().await
            };
            let chains = (0..4).map(|n| tokio::spawn(chain(gateways[n % 2].clone(), session.clone(), n * number)));
            let (verified, chains) = join(verify, join_all(chains)).await;
            let raised = verified.expect(200).json();
            assert_eq!(aal(&app, &project, &raised), "aal2");
            let mut before = vec![session];
            for answer in chains.into_iter().flat_map(Result::unwrap) {
                if answer.status == 200 {
                    won += 1;
                    let issued = answer.json();
                    assert_eq!(aal(&app, &project, &issued), "aal1", "{version} {number}");
                    before.push(issued);
                } else {
                    lost += 1;
                    assert_eq!(answer.error_code(), "refresh_token_already_used", "{version}: {}", answer.text);
                }
            }
            let before: Vec<_> = before.iter().collect();
            are_refused(gateways, &before, "hammer").await;
            assert_eq!(aal(&app, &project, &refreshed(gateways[number % 2], &raised).await), "aal2");
        }
        println!("tokens of kind {version}: {won} refreshes came before the rise, {lost} after");
        assert!(won > 0 && lost > 0, "no race: {won} {lost}");
    }
}
