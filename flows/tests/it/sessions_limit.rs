//! At most so many sessions for each user (`sessions_max_per_user`).

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::letters::{access, confirmed, mail, project};

const ADDRESS: &str = "a@example.com";

async fn lives(project: &TestProject, session: &Value) -> bool {
    let answer = project.get("/user").bearer(access(session)).send().await;
    assert!([200, 403].contains(&answer.status.as_u16()), "{}", answer.text);
    answer.status == 200
}

async fn count(project: &TestProject, session: &Value) -> usize {
    let path = format!("/admin/users/{}/sessions", session["user"]["id"].as_str().unwrap());
    let listed = project.get(&path).bearer(&project.service_role_key).send().await.expect(200);
    listed.json()["sessions"].as_array().unwrap().len()
}

on_both!(the_session_used_longest_ago_makes_room, the_session_used_longest_ago_makes_room_on_postgres, room);
async fn room(app: TestApp) {
    let project = app.project("limit", json!({ "sessions_max_per_user": 2 })).await;
    let first = project.sign_up(ADDRESS).await;
    let stranger = project.sign_up("b@example.com").await;
    app.clock.advance(10);
    let second = project.sign_in(ADDRESS).await;
    app.clock.advance(10);
    // The older one is used: now the other one was used longest ago.
    let first = project.refresh(&first["refresh_token"]).send().await.expect(200).json();
    app.clock.advance(10);
    let third = project.sign_in(ADDRESS).await;
    assert_eq!((lives(&project, &first).await, lives(&project, &second).await), (true, false));
    assert!(lives(&project, &third).await && lives(&project, &stranger).await);
    let refused = project.refresh(&second["refresh_token"]).send().await.expect(400);
    assert_eq!(refused.error_code(), "refresh_token_not_found");
    project.refresh(&first["refresh_token"]).send().await.expect(200);

    // Without the setting nothing ends; with a smaller one the next sign-in makes it true.
    let patch = async |most: u32| {
        let change = json!({ "sessions_max_per_user": most });
        app.management.patch_config(&project.project_ref, change.as_object().unwrap()).await.unwrap();
    };
    patch(0).await;
    for _ in 0..3 {
        app.clock.advance(10);
        project.sign_in(ADDRESS).await;
    }
    assert_eq!(count(&project, &third).await, 5);
    patch(1).await;
    let last = project.sign_in(ADDRESS).await;
    assert_eq!(count(&project, &last).await, 1);
    assert!(lives(&project, &last).await);
}

on_both!(a_session_that_is_over_makes_room_first, a_session_that_is_over_makes_room_first_on_postgres, over);
async fn over(app: TestApp) {
    let config = json!({ "sessions_max_per_user": 2, "sessions_timebox": 1, "jwt_exp": 604_800 });
    let project = app.project("limit", config).await;
    let first = project.sign_up(ADDRESS).await;
    app.clock.advance(3000);
    let second = project.sign_in(ADDRESS).await;
    app.clock.advance(590);
    // Used later than the other, yet past its hour when the third comes.
    project.refresh(&first["refresh_token"]).send().await.expect(200);
    app.clock.advance(20);
    let third = project.sign_in(ADDRESS).await;
    assert!(lives(&project, &second).await && lives(&project, &third).await);
    assert!(!lives(&project, &first).await);
}

on_both!(parallel_sign_ins_leave_no_more, parallel_sign_ins_leave_no_more_on_postgres, parallel);
async fn parallel(app: TestApp) {
    let sibling = app.sibling().await;
    let project = app.project("limit", json!({ "sessions_max_per_user": 3 })).await;
    let elsewhere = sibling.through(&project);
    let first = project.sign_up(ADDRESS).await;
    let gateways = [&project, &elsewhere];
    let sign_in = async |n: usize| gateways[n % 2].sign_in(ADDRESS).await;
    let opened = join_all((0..12).map(sign_in)).await;
    assert_eq!(count(&project, &first).await, 3);
    let alive = join_all(opened.iter().map(|session| lives(&elsewhere, session))).await;
    assert_eq!(alive.into_iter().filter(|alive| *alive).count(), 3, "the last ones, not the first");
}

on_both!(every_way_in_counts, every_way_in_counts_on_postgres, ways);
async fn ways(app: TestApp) {
    let project = project(&app, json!({ "sessions_max_per_user": 1 })).await;
    confirmed(&project, ADDRESS).await;
    let mut before = project.sign_in(ADDRESS).await;
    for way in ["code", "link", "exchange", "password"] {
        app.clock.advance(5);
        let session = match way {
            "password" => project.sign_in(ADDRESS).await,
            "exchange" => {
                let verifier = "v".repeat(43);
                let body = json!({ "email": ADDRESS, "code_challenge": verifier, "code_challenge_method": "plain" });
                project.post("/magiclink", body).send().await.expect(200);
                let path = format!("/verify?type=magiclink&token={}", mail(&app, ADDRESS).await.hash);
                let landing = project.get(&path).send().await.expect(303);
                let code = landing.header("location").split_once("?code=").unwrap().1.to_owned();
                let body = json!({ "auth_code": code, "code_verifier": verifier });
                project.post("/token?grant_type=pkce", body).send().await.expect(200).json()
            }
            way => {
                project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
                let letter = mail(&app, ADDRESS).await;
                let body = match way {
                    "code" => json!({ "type": "email", "email": ADDRESS, "token": letter.code }),
                    _ => json!({ "type": "magiclink", "token_hash": letter.hash }),
                };
                project.post("/verify", body).send().await.expect(200).json()
            }
        };
        assert!(!lives(&project, &before).await && lives(&project, &session).await, "{way}");
        before = session;
    }
    project.ask(Method::POST, "/logout").bearer(access(&before)).send().await.expect(204);
}

on_both!(only_the_session_used_last_refreshes, only_the_session_used_last_refreshes_on_postgres, single);
async fn single(app: TestApp) {
    for version in [1, 2] {
        let config = json!({ "sessions_single_per_user": true, "security_refresh_token_algorithm_version": version });
        let project = app.project(&format!("single-{version}"), config).await;
        let first = project.sign_up(ADDRESS).await;
        project.sign_up("b@example.com").await;
        app.clock.advance(10);
        let first = project.refresh(&first["refresh_token"]).send().await.expect(200).json();
        app.clock.advance(10);
        let second = project.sign_in(ADDRESS).await;
        let refused = project.refresh(&first["refresh_token"]).send().await.expect(400);
        assert_eq!(refused.error_code(), "session_expired");
        let second = project.refresh(&second["refresh_token"]).send().await.expect(200).json();
        // Once the later one has ended, the earlier one is the last again.
        project.ask(Method::POST, "/logout?scope=local").bearer(access(&second)).send().await.expect(204);
        project.refresh(&first["refresh_token"]).send().await.expect(200);
    }
}
