//! The end of a session against everything that would keep it alive, on two gateways.
//!
//! `TENANTRY_TEST_REVOKE_TRIES` says how often (30 unless told): with 10,000 and `--nocapture` the tests measure.

use std::collections::BTreeSet;
use std::env;

use futures::future::{join, join_all};
use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::letters::access;
use crate::totp;

fn tries() -> usize {
    env::var("TENANTRY_TEST_REVOKE_TRIES").map_or(30, |tries| tries.parse().unwrap())
}

/// Ways in which a session ends.
const WAYS: [&str; 4] = ["own", "logout", "all", "admin"];

/// Ends the session of `bearer`.
async fn end(project: &TestProject, way: &str, bearer: &Value, session: &str) -> Answer {
    let user = bearer["user"]["id"].as_str().unwrap();
    let ask = match way {
        "own" => project.ask(Method::DELETE, &format!("/sessions/{session}")).bearer(access(bearer)),
        "logout" => project.ask(Method::POST, "/logout?scope=local").bearer(access(bearer)),
        "all" => project.ask(Method::POST, "/logout").bearer(access(bearer)),
        _ => {
            let path = format!("/admin/users/{user}/sessions/{session}");
            project.ask(Method::DELETE, &path).bearer(&project.service_role_key)
        }
    };
    ask.send().await
}

async fn session_of(project: &TestProject, bearer: &Value) -> String {
    let listed = project.get("/sessions").bearer(access(bearer)).send().await.expect(200).json();
    listed["sessions"][0]["id"].as_str().unwrap().to_owned()
}

/// What the tokens of a session were good for while it ended.
#[derive(Default)]
struct Seen {
    won: usize,
    lost: usize,
    refresh: BTreeSet<String>,
    access: BTreeSet<String>,
}

impl Seen {
    fn note(&mut self, issued: &Value) {
        self.refresh.insert(issued["refresh_token"].as_str().unwrap().to_owned());
        self.access.insert(access(issued).to_owned());
    }

    fn count(&mut self, answer: &Answer) {
        if answer.status == 200 {
            self.won += 1;
            self.note(&answer.json());
        } else {
            assert!(answer.status.is_client_error(), "{} {}", answer.status, answer.text);
            self.lost += 1;
        }
    }

    /// Nothing that was ever issued for the session is good for anything on any gateway.
    async fn is_dead(&self, gateways: [&TestProject; 2], what: &str) {
        for gateway in gateways {
            let refreshed = join_all(self.refresh.iter().map(|token| gateway.refresh(&json!(token)).send())).await;
            let used = join_all(self.access.iter().map(|token| gateway.get("/user").bearer(token).send())).await;
            for answer in refreshed {
                assert_eq!(answer.error_code(), "refresh_token_not_found", "{what}: {}", answer.text);
            }
            for answer in used {
                assert_eq!(answer.error_code(), "session_not_found", "{what}: {}", answer.text);
            }
        }
    }
}

on_both!(no_refresh_wins_after_the_end, no_refresh_wins_after_the_end_on_postgres, refreshes);
async fn refreshes(app: TestApp) {
    let sibling = app.sibling().await;
    let config = json!({ "external_anonymous_users_enabled": true });
    let bound = app.project("bound", config.clone()).await;
    let mut config = config;
    config["security_refresh_token_algorithm_version"] = json!(1);
    let stored = app.project("stored", config).await;
    let (mut won, mut lost) = (0, 0);
    for number in 0..tries() {
        let project = if number % 5 == 4 { &stored } else { &bound };
        let elsewhere = sibling.through(project);
        let gateways = [project, &elsewhere];
        let way = WAYS[number % WAYS.len()];
        let mut seen = Seen::default();
        let mut newest = project.post("/signup", json!({})).send().await.expect(200).json();
        let session = session_of(project, &newest).await;
        // Sometimes one gateway's actor remembers the session, sometimes both, sometimes none.
        for gateway in &gateways[..number % 3] {
            newest = gateway.refresh(&newest["refresh_token"]).send().await.expect(200).json();
        }
        seen.note(&newest);
        let ending = async {
            for _ in 0..number % 40 {
                tokio::task::yield_now().await;
            }
            end(gateways[number / 2 % 2], way, &newest, &session).await.expect(204);
        };
        let refresh = |n: usize| gateways[n % 2].refresh(&newest["refresh_token"]).send();
        let ((), answers) = join(ending, join_all((0..4).map(refresh))).await;
        answers.iter().for_each(|answer| seen.count(answer));
        seen.is_dead(gateways, way).await;
        (won, lost) = (won + seen.won, lost + seen.lost);
    }
    println!("{} sessions ended; of the refreshes at the same time {won} came before, {lost} after", tries());
}

on_both!(no_second_factor_wins_after_the_end, no_second_factor_wins_after_the_end_on_postgres, factors);
async fn factors(app: TestApp) {
    let sibling = app.sibling().await;
    let project = app.project("race", json!({})).await;
    let elsewhere = sibling.through(&project);
    let gateways = [&project, &elsewhere];
    let first = project.sign_up("a@example.com").await;
    let (totp, _) = totp::enrolled(&app, &project, &first).await;
    let (mut won, mut lost) = (0, 0);
    // A sign-in takes a hash.
    for number in 0..tries().min(300) {
        let way = WAYS[number % WAYS.len()];
        let mut seen = Seen::default();
        let session = project.sign_in("a@example.com").await;
        let id = session_of(&project, &session).await;
        seen.note(&session);
        app.clock.advance(31);
        let path = format!("/factors/{}", totp.factor);
        let challenge = project.post(&format!("{path}/challenge"), json!({})).bearer(access(&session)).send().await;
        let body = json!({ "challenge_id": challenge.expect(200).json()["id"], "code": totp.code(&app) });
        let verify = gateways[number % 2].post(&format!("{path}/verify"), body).bearer(access(&session)).send();
        let ending = async {
            for _ in 0..number % 40 {
                tokio::task::yield_now().await;
            }
            end(gateways[number / 2 % 2], way, &session, &id).await
        };
        let (ended, raised) = join(ending, verify).await;
        ended.expect(204);
        seen.count(&raised);
        seen.is_dead(gateways, way).await;
        (won, lost) = (won + seen.won, lost + seen.lost);
    }
    println!("{} sessions ended; of the second factors at the same time {won} came before, {lost} after", won + lost);
}
