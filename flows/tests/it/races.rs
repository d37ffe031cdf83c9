//! Many at once.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use testkit::{TestApp, TestProject};

use crate::both::on_both;

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
