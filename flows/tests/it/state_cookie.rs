//! The cookie that binds a state to the browser it was given to (`security/advisor.md` §1.4).

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, Ask, Setup, TestApp, TestDatabase, TestProject};

use crate::oauth::{APP, CHALLENGE, Landed, SITE, back, begin, land, person, state, user};

/// A gateway that is reached at `external`, and a project there that binds states to browsers.
async fn bound(external: &str) -> (TestApp, TestProject) {
    let setup = Setup::new(Arc::new(TestDatabase::sqlite()));
    let app = TestApp::start(Setup { external: external.to_owned(), ..setup }).await;
    let config = crate::oauth::config(json!({ "security_oauth_state_cookie_enabled": true }));
    let project = app.project("bound", config).await;
    app.providers.grant("ada", Ok(person("1", "ada@example.com")));
    (app, project)
}

/// Leaves for a provider with the cookies that a browser has.
async fn leave(project: &TestProject, provider: &str, cookie: &str) -> Answer {
    let ask = project.get(&format!("/authorize?provider={provider}&redirect_to=https%3A%2F%2Fapp.example.com%2Fcb"));
    with(ask, cookie).send().await.expect(302)
}

fn with(ask: Ask, cookie: &str) -> Ask {
    if cookie.is_empty() { ask } else { ask.header("cookie", cookie) }
}

/// `name=value` of the cookie that a browser is given, and its attributes.
fn given(answer: &Answer) -> (&str, &str) {
    answer.header("set-cookie").split_once("; ").unwrap()
}

fn is_refused(answer: Answer) {
    let landed = Landed::of(&answer.expect(303));
    assert_eq!(landed.target, SITE);
    assert_eq!(landed.error(), ["invalid_request", "bad_oauth_state", "OAuth state parameter is invalid"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_browser_that_left_comes_back() {
    let (_app, project) = bound("https://id.example.net").await;
    let left = leave(&project, "gitlab", "").await;
    let (cookie, attributes) = given(&left);
    assert!(cookie.starts_with("__Host-tn-state-bound="));
    assert_eq!(attributes, "Path=/; Max-Age=300; Secure; HttpOnly; SameSite=Lax");
    let mine = state(&left);
    assert!(!cookie.contains(&mine) && !cookie.contains(&mine.replace('-', "")));

    // No cookie, one of nothing, one of another flow, one that was made of the state.
    let other = leave(&project, "gitlab", "").await;
    for foreign in ["", "__Host-tn-state-bound=", given(&other).0, &format!("__Host-tn-state-bound={mine}")] {
        is_refused(with(back(&project, &mine, "ada"), foreign).send().await);
        is_refused(with(project.get(&format!("/callback?state={mine}&error=denied")), foreign).send().await);
    }
    let landed = Landed::of(&with(back(&project, &mine, "ada"), cookie).send().await.expect(302));
    assert_eq!(landed.target, APP);
    user(&project, landed.access_token()).await;
    // The mark is no second state.
    with(back(&project, &mine, "ada"), cookie).send().await.expect(303);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_tabs_can_be_on_their_way() {
    let (_app, project) = bound("https://id.example.net").await;
    let mut cookie = String::new();
    let mut states = Vec::new();
    for _ in 0..6 {
        let left = leave(&project, "gitlab", &cookie).await;
        cookie = given(&left).0.to_owned();
        states.push(state(&left));
    }
    is_refused(with(back(&project, &states[0], "ada"), &cookie).send().await);
    for state in &states[1..] {
        let answer = with(back(&project, state, "ada"), &cookie).send().await.expect(302);
        // What is left of the cookie serves the other tabs.
        let kept = answer.header("set-cookie");
        assert!(kept.is_empty() || given(&answer).0 == cookie, "{kept}");
        user(&project, Landed::of(&answer).access_token()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_browser_makes_up_is_not_kept() {
    let (_app, project) = bound("https://id.example.net").await;
    for planted in ["x; y", "a.b.c", &"s".repeat(33), &format!("s{}", "F".repeat(32)), &"0".repeat(4000)] {
        let left = leave(&project, "gitlab", &format!("__Host-tn-state-bound={planted}")).await;
        let value = given(&left).0.split_once('=').unwrap().1;
        assert_eq!(value.len(), 33, "{planted}");
    }
    // A name of another project's cookie says nothing here.
    let left = leave(&project, "gitlab", "").await;
    let elsewhere = given(&left).0.replace("state-bound", "state-other");
    is_refused(with(back(&project, &state(&left), "ada"), &elsewhere).send().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_of_another_site_brings_the_cookie_along() {
    let (_app, project) = bound("https://id.example.net").await;
    let first = leave(&project, "apple", "").await;
    assert!(given(&first).1.ends_with("SameSite=None"), "{}", given(&first).1);
    // As long as such a flow is under way the cookie stays so.
    let second = leave(&project, "gitlab", given(&first).0).await;
    let (cookie, attributes) = given(&second);
    assert!(attributes.ends_with("SameSite=None"), "{attributes}");
    let form = project.ask(Method::POST, "/callback").header("content-type", "application/x-www-form-urlencoded");
    let form = with(form, cookie).raw(format!("state={}&code=ada", state(&first)));
    user(&project, Landed::of(&form.send().await.expect(302)).access_token()).await;
    let landed = Landed::of(&with(back(&project, &state(&second), "ada"), cookie).send().await.expect(302));
    user(&project, landed.access_token()).await;
}

/// A link begins in a script, whose answer sets no cookie; whose account it is for is known already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_are_bound_to_the_account() {
    let (_app, project) = bound("https://id.example.net").await;
    let guest: Value = project.post("/signup", json!({})).send().await.expect(200).json();
    for query in ["", "&skip_http_redirect=true"] {
        let ask = project.get(&format!("/user/identities/authorize?provider=gitlab{query}"));
        let answer = ask.bearer(guest["access_token"].as_str().unwrap()).send().await;
        assert_eq!(answer.header("set-cookie"), "");
        if query.is_empty() {
            let landed = land(&project, &state(&answer.expect(302)), "ada").await;
            assert_eq!(user(&project, landed.access_token()).await["id"], guest["user"]["id"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_encryption_on_this_machine_there_is_no_cookie() {
    for external in ["http://127.0.0.1:8000", "http://localhost:8000"] {
        let (_app, project) = bound(external).await;
        let left = leave(&project, "gitlab", "").await;
        assert_eq!(left.header("set-cookie"), "");
        user(&project, land(&project, &state(&left), "ada").await.access_token()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_choose_whether_to_bind() {
    let (app, _) = bound("https://id.example.net").await;
    let unbound = app.project("unbound", crate::oauth::config(json!({}))).await;
    let left = leave(&unbound, "gitlab", "").await;
    assert_eq!(left.header("set-cookie"), "");
    land(&unbound, &state(&left), "ada").await;
    // And the shield binds.
    let shielded = app.project("shielded", shield()).await;
    let begun = shielded.get(&format!("/authorize?provider=gitlab{CHALLENGE}")).send().await.expect(302);
    is_refused(back(&shielded, &state(&begun), "ada").send().await);
    let landed = with(back(&shielded, &state(&begun), "ada"), given(&begun).0).send().await.expect(302);
    Landed::of(&landed).code();
    assert_ne!(begin(&shielded, CHALLENGE).await, state(&begun));
}

// What was under way when the project changed its mind ends as it began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_stays_bound_or_free() {
    let (app, project) = bound("https://id.example.net").await;
    let bind = async |on: bool| {
        let change = json!({ "security_oauth_state_cookie_enabled": on });
        app.management.patch_config(&project.project_ref, change.as_object().unwrap()).await.unwrap();
    };
    let left = leave(&project, "gitlab", "").await;
    bind(false).await;
    is_refused(back(&project, &state(&left), "ada").send().await);
    with(back(&project, &state(&left), "ada"), given(&left).0).send().await.expect(302);
    let free = begin(&project, "").await;
    bind(true).await;
    user(&project, land(&project, &free, "ada").await.access_token()).await;
    // No state is made free by hand.
    let left = leave(&project, "gitlab", "").await;
    let text = state(&left);
    let (head, last) = text.split_at(text.len() - 1);
    let freed = u8::from_str_radix(last, 16).unwrap() & 0b1101;
    back(&project, &format!("{head}{freed:x}"), "ada").send().await.expect(303);
    with(back(&project, &text, "ada"), given(&left).0).send().await.expect(302);
}

fn shield() -> Value {
    let mut config = crate::oauth::config(json!({}));
    let locked = ["security_manual_linking_enabled", "external_anonymous_users_enabled", "uri_allow_list"];
    config.as_object_mut().unwrap().retain(|name, _| !locked.contains(&name.as_str()));
    config["security_profile"] = json!("shield");
    config
}
