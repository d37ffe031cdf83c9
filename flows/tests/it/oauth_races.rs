//! One state, many callbacks at once.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::callback::users;
use crate::oauth::{CHALLENGE, Landed, VERIFIER, back, begin, config, exchange, person, user};

const WIDE: usize = 50;

/// Two gateways of one project; every code is worth the same person on both.
async fn gateways(app: &TestApp) -> (TestApp, [TestProject; 2]) {
    let sibling = app.sibling().await;
    let project = app.project("race", config(json!({}))).await;
    let there = sibling.through(&project);
    for gateway in [app, &sibling] {
        for n in 0..WIDE {
            gateway.providers.grant(&format!("code-{n}"), Ok(person("1", "ada@example.com")));
        }
    }
    (sibling, [project, there])
}

/// Comes back with `state` from both gateways, each time with another code. Gives where the browsers land.
async fn stampede(gateways: &[TestProject; 2], state: &str) -> Vec<Landed> {
    let asks = (0..WIDE).map(|n| back(&gateways[n % 2], state, &format!("code-{n}")).send());
    let answers = join_all(asks).await;
    for answer in &answers {
        assert!([302, 303].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text);
    }
    answers.iter().map(Landed::of).collect()
}

on_both!(one_state_opens_one_session, one_state_opens_one_session_on_postgres, sessions);
async fn sessions(app: TestApp) {
    let (_sibling, gateways) = gateways(&app).await;
    // The first round makes the account, the second finds it.
    for round in 1..=2 {
        let state = begin(&gateways[0], "").await;
        let landed = stampede(&gateways, &state).await;
        let (opened, refused): (Vec<_>, Vec<_>) =
            landed.iter().partition(|landed| landed.fragment.contains_key("access_token"));
        assert_eq!(opened.len(), 1);
        for landed in refused {
            assert_eq!(landed.error()[2], "OAuth state not found or expired");
        }
        let access = opened[0].access_token();
        user(&gateways[1], access).await;
        let listed = gateways[0].get("/sessions").bearer(access).send().await.expect(200).json();
        assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(round));
    }
    assert_eq!(users(&gateways[0]).await, 1);
}

on_both!(one_state_gives_one_code, one_state_gives_one_code_on_postgres, codes);
async fn codes(app: TestApp) {
    let (_sibling, gateways) = gateways(&app).await;
    for _ in 0..2 {
        let state = begin(&gateways[0], CHALLENGE).await;
        let landed = stampede(&gateways, &state).await;
        let codes: BTreeSet<&str> =
            landed.iter().filter_map(|landed| landed.query.get("code")).map(String::as_str).collect();
        assert_eq!(codes.len(), 1);
        let told = landed.iter().filter(|landed| landed.error()[2] == "State has already been used").count();
        assert_eq!(told, WIDE - 1);

        let code = codes.into_iter().next().unwrap();
        let trades = join_all((0..WIDE).map(|n| exchange(&gateways[n % 2], code, VERIFIER))).await;
        let mut statuses: Vec<u16> = trades.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!((statuses[0], &statuses[1..]), (200, &[404; WIDE - 1][..]));
    }
    assert_eq!(users(&gateways[0]).await, 1);
}

// One person comes back in many tabs for the first time.
on_both!(many_first_sign_ins_make_one_account, many_first_sign_ins_on_postgres, first);
async fn first(app: TestApp) {
    let (_sibling, gateways) = gateways(&app).await;
    let states = join_all((0..16).map(|n| begin(&gateways[n % 2], ""))).await;
    let asks = states.iter().enumerate().map(|(n, state)| back(&gateways[n % 2], state, &format!("code-{n}")).send());
    for answer in join_all(asks).await {
        user(&gateways[0], Landed::of(&answer.expect(302)).access_token()).await;
    }
    assert_eq!(users(&gateways[0]).await, 1);
}
