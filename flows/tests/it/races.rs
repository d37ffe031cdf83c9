//! Many at once.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::letters::{confirmed, mail, project};

/// Refreshes `token` so many times at once, alternately through both gateways. Gives the distinct successors.
async fn race(gateways: [&TestProject; 2], token: &serde_json::Value, wide: usize) -> BTreeSet<String> {
    let asks = (0..wide).map(|n| gateways[n % 2].refresh(token).send());
    let answers = join_all(asks).await;
    let successor = |answer: testkit::Answer| answer.expect(200).json()["refresh_token"].as_str().unwrap().to_owned();
    answers.into_iter().map(successor).collect()
}

on_both!(parallel_refreshes_get_one_successor, parallel_refreshes_get_one_successor_on_postgres, one_gateway);
async fn one_gateway(app: TestApp) {
    let project = app.project("race", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let mut token = session["refresh_token"].clone();
    for wide in [64, 200] {
        let successors = race([&project, &project], &token, wide).await;
        assert_eq!(successors.len(), 1);
        token = json!(successors.into_iter().next());
    }
    project.refresh(&token).send().await.expect(200);
}

on_both!(two_gateways_give_one_successor, two_gateways_give_one_successor_on_postgres, two_gateways);
async fn two_gateways(app: TestApp) {
    let sibling = app.sibling().await;
    let project = app.project("race", json!({})).await;
    let elsewhere = sibling.through(&project);
    let session = project.sign_up("a@example.com").await;
    let mut token = session["refresh_token"].clone();
    for wide in [64, 200] {
        let successors = race([&project, &elsewhere], &token, wide).await;
        assert_eq!(successors.len(), 1);
        token = json!(successors.into_iter().next());
    }
    elsewhere.refresh(&token).send().await.expect(200);
}

on_both!(one_address_signs_up_once, one_address_signs_up_once_on_postgres, sign_up);
async fn sign_up(app: TestApp) {
    let project = app.project("race", json!({})).await;
    let body = json!({ "email": "a@example.com", "password": "correct horse" });
    let answers = join_all((0..16).map(|_| project.post("/signup", body.clone()).send())).await;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(made, 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.error_code() == "user_already_exists"));
}

on_both!(no_refresh_wins_after_a_logout, no_refresh_wins_after_a_logout_on_postgres, logout);
async fn logout(app: TestApp) {
    let project = app.project("race", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let next = project.refresh(&session["refresh_token"]).send().await.expect(200).json();
    let ended = project.ask(http::Method::POST, "/logout").bearer(next["access_token"].as_str().unwrap()).send();
    let refreshes = join_all((0..32).map(|_| project.refresh(&next["refresh_token"]).send()));
    let (ended, _) = futures::join!(ended, refreshes);
    ended.expect(204);
    project.refresh(&next["refresh_token"]).send().await.expect(400);
}

const ADDRESS: &str = "a@example.com";

/// Sends `ask` to both gateways in turn, a hundred times at once. Gives what was answered with status 200.
async fn stampede(gateways: [&TestProject; 2], path: &str, body: &serde_json::Value) -> Vec<serde_json::Value> {
    let asks = (0..100).map(|n| gateways[n % 2].post(path, body.clone()).send());
    let answers = join_all(asks).await;
    for answer in &answers {
        assert!([200, 403, 404].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text);
    }
    answers.iter().filter(|answer| answer.status == 200).map(testkit::Answer::json).collect()
}

on_both!(a_proof_is_good_for_one_session, a_proof_is_good_for_one_session_on_postgres, one_proof);
async fn one_proof(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    confirmed(&project, ADDRESS).await;
    for gateways in [[&project, &project], [&project, &elsewhere]] {
        for by_code in [true, false] {
            app.clock.advance(2);
            project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
            let letter = mail(&app, ADDRESS).await;
            let body = match by_code {
                true => json!({ "type": "email", "email": ADDRESS, "token": letter.code }),
                false => json!({ "type": "magiclink", "token_hash": letter.hash }),
            };
            assert_eq!(stampede(gateways, "/verify", &body).await.len(), 1, "by code: {by_code}");
        }
    }
}

on_both!(a_code_is_traded_once, a_code_is_traded_once_on_postgres, one_exchange);
async fn one_exchange(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    confirmed(&project, ADDRESS).await;
    let verifier = "v".repeat(43);
    for gateways in [[&project, &project], [&project, &elsewhere]] {
        app.clock.advance(2);
        let body = json!({ "email": ADDRESS, "code_challenge": verifier, "code_challenge_method": "plain" });
        project.post("/magiclink", body).send().await.expect(200);
        let letter = mail(&app, ADDRESS).await;
        let landing = project.get(&format!("/verify?type=magiclink&token={}", letter.hash)).send().await.expect(303);
        let code = landing.header("location").split_once("?code=").unwrap().1.to_owned();
        let body = json!({ "auth_code": code, "code_verifier": verifier });
        assert_eq!(stampede(gateways, "/token?grant_type=pkce", &body).await.len(), 1);
    }
}

on_both!(guesses_are_counted_however_many_come_at_once, guesses_are_counted_however_many_on_postgres, guesses);
async fn guesses(app: TestApp) {
    let sibling = app.sibling().await;
    let project = project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    confirmed(&project, ADDRESS).await;
    project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let wrong = if letter.code == "00000000" { "00000001" } else { "00000000" };
    let body = json!({ "type": "email", "email": ADDRESS, "token": wrong });
    assert!(stampede([&project, &elsewhere], "/verify", &body).await.is_empty());
    let right = json!({ "type": "email", "email": ADDRESS, "token": letter.code });
    project.post("/verify", right).send().await.expect(403);
}

on_both!(two_sides_at_once_change_an_address_once, two_sides_at_once_change_an_address_once_on_postgres, two_sides);
async fn two_sides(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    let change = project.ask(http::Method::PUT, "/user").bearer(session["access_token"].as_str().unwrap());
    change.json(&json!({ "email": "new@example.com" })).send().await.expect(200);
    let letters = [mail(&app, ADDRESS).await, mail(&app, "new@example.com").await];
    let body = |n: usize| json!({ "type": "email_change", "token_hash": letters[n % 2].hash });
    let answers = join_all((0..60).map(|n| project.post("/verify", body(n)).send())).await;
    let done = answers.iter().filter(|answer| answer.status == 200).map(testkit::Answer::json);
    let (sessions, halves): (Vec<_>, Vec<_>) = done.partition(|answer| answer.get("access_token").is_some());
    assert_eq!((sessions.len(), halves.len()), (1, 1));
    assert_eq!(sessions[0]["user"]["email"], "new@example.com");
}

on_both!(new_passwords_follow_one_another, new_passwords_follow_one_another_on_postgres, passwords);
async fn passwords(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    let change = |n: usize| {
        let ask = project.ask(http::Method::PUT, "/user").bearer(session["access_token"].as_str().unwrap());
        ask.json(&json!({ "password": format!("battery staple {n}") })).send()
    };
    let answers = join_all((0..20).map(change)).await;
    for answer in answers {
        answer.expect(200);
    }
    // As long as it is another one: two of these are the same.
    let answers = join_all([30, 30].map(change)).await;
    let mut seen: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    seen.sort_unstable();
    assert_eq!(seen, [200, 422]);
}
