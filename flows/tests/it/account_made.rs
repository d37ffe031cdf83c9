//! Accounts that sign-ins at providers make: the hooks around that, and many at once.

use futures::future::join_all;
use serde_json::{Value, json};
use testkit::TestApp;

use crate::account::{ADDRESS, come, providers};
use crate::both::on_both;
use crate::hooks;
use crate::identities::link;
use crate::letters::access;
use crate::mails::{self, confirmed_user, count_users, show_hash};
use crate::oauth::{self, Landed, back, begin_at, config, person, user, with_addresses};

const POINTS: [&str; 2] = ["before_user_created", "after_user_created"];

on_both!(hooks_hear_of_new_accounts_only, hooks_hear_of_new_accounts_only_on_postgres, hear);
async fn hear(app: TestApp) {
    let project = app.project("hooks", config(hooks::config(&POINTS, json!({})))).await;
    let asked = || POINTS.map(|point| app.hooks.take(&hooks::uri(point)));
    let landed = come(&app, &project, "gitlab", person("1", ADDRESS)).await;
    let made = user(&project, landed.access_token()).await;
    let [before, after] = asked();
    assert_eq!((before.len(), after.len()), (1, 1));
    let unborn = &before[0]["user"];
    assert_eq!((&unborn["id"], &unborn["identities"], &unborn["role"]), (&made["id"], &json!([]), &json!("")));
    assert_eq!((&unborn["user_metadata"], &unborn["email"]), (&made["user_metadata"], &json!(ADDRESS)));
    assert_eq!(after[0]["user"]["id"], made["id"]);
    // An account that exists, by its identity or its address, or by a link.
    come(&app, &project, "gitlab", person("1", ADDRESS)).await.access_token();
    come(&app, &project, "keycloak", person("k", ADDRESS)).await.access_token();
    let session = json!({ "access_token": landed.access_token() });
    link(&app, &project, &session, "apple", person("a", ADDRESS)).await.access_token();
    assert_eq!(asked().map(|calls| calls.len()), [0, 0]);
    // One that waits for its confirmation was made too, and is not made twice.
    let landed = come(&app, &project, "gitlab", with_addresses("2", &[("bo@example.com", false)])).await;
    assert_eq!(landed.error()[1], "provider_email_needs_verification");
    let [before, after] = asked();
    assert_eq!(before[0]["user"]["id"], after[0]["user"]["id"]);
    let hash = mails::one(&app, "bo@example.com").await.hash;
    let session = show_hash(&project, "signup", &hash).await.expect(200).json();
    assert_eq!(session["user"]["id"], before[0]["user"]["id"]);
    assert_eq!(asked().map(|calls| calls.len()), [0, 0]);
}

on_both!(a_hook_keeps_people_out, a_hook_keeps_people_out_on_postgres, keeps);
async fn keeps(app: TestApp) {
    let project = app.project("hooks", config(hooks::config(&POINTS[..1], json!({})))).await;
    app.hooks.reply(&hooks::uri("before_user_created"), Ok(hooks::error(403, "Only invited people")));
    let landed = come(&app, &project, "gitlab", person("1", ADDRESS)).await;
    assert_eq!((landed.error()[0], landed.error()[2]), ("access_denied", "Only invited people"));
    assert_eq!(count_users(&project).await, 0);
    confirmed_user(&project, json!({ "email": ADDRESS })).await;
    come(&app, &project, "gitlab", person("1", ADDRESS)).await.access_token();
}

on_both!(a_hook_sends_the_confirmation, a_hook_sends_the_confirmation_on_postgres, sends);
async fn sends(app: TestApp) {
    let project = app.project("hooks", config(hooks::config(&["send_email"], json!({})))).await;
    let landed = come(&app, &project, "gitlab", with_addresses("1", &[(ADDRESS, false)])).await;
    assert_eq!(landed.error()[1], "provider_email_needs_verification");
    let mails = app.hooks.take(&hooks::uri("send_email"));
    assert_eq!((mails.len(), &mails[0]["email_data"]["email_action_type"]), (1, &json!("signup")));
    let hash = mails[0]["email_data"]["token_hash"].as_str().unwrap();
    let session = show_hash(&project, "signup", hash).await.expect(200).json();
    assert_eq!(session["user"]["id"], mails[0]["user"]["id"]);
    // Where it cannot be sent, nothing is left behind.
    app.hooks.reply(&hooks::uri("send_email"), Ok(hooks::error(500, "no mail today")));
    come(&app, &project, "gitlab", with_addresses("2", &[("bo@example.com", false)])).await;
    assert_eq!(count_users(&project).await, 1);
}

on_both!(a_hook_shapes_the_token, a_hook_shapes_the_token_on_postgres, shapes);
async fn shapes(app: TestApp) {
    let project = app.project("hooks", config(hooks::config(&["custom_access_token"], json!({})))).await;
    app.hooks.reply_with(&hooks::uri("custom_access_token"), |asked| {
        let mut claims = asked["claims"].clone();
        claims["plan"] = json!("gold");
        Ok(json!({ "claims": claims }))
    });
    let landed = come(&app, &project, "gitlab", person("1", ADDRESS)).await;
    let answer = json!({ "access_token": landed.access_token() });
    assert_eq!(hooks::claims(&app, &project, &answer)["plan"], "gold");
    // A refusal leaves nobody behind, not even the account.
    app.hooks.reply(&hooks::uri("custom_access_token"), Ok(hooks::error(403, "no")));
    come(&app, &project, "gitlab", person("2", "bo@example.com")).await;
    assert_eq!(count_users(&project).await, 1);
}

on_both!(two_providers_at_once_make_one_account, two_providers_at_once_make_one_account_on_postgres, at_once);
async fn at_once(app: TestApp) {
    let sibling = app.sibling().await;
    let project = oauth::project(&app, json!({})).await;
    let there = sibling.through(&project);
    let people = [("gitlab", "g"), ("keycloak", "k"), ("apple", "a"), ("gitlab", "g2")];
    let mut flows = Vec::new();
    for round in 0..3 {
        for (provider, subject) in people {
            let code = format!("{provider}-{subject}");
            for gateway in [&app, &sibling] {
                gateway.providers.grant(&code, Ok(person(subject, ADDRESS)));
            }
            let gateway = if round % 2 == 0 { &project } else { &there };
            flows.push((gateway, begin_at(gateway, provider, "").await, code));
        }
    }
    let answers = join_all(flows.iter().map(|(gateway, state, code)| back(gateway, state, code).send())).await;
    let mut ids: Vec<Value> = Vec::new();
    for answer in answers {
        ids.push(user(&project, Landed::of(&answer.expect(302)).access_token()).await["id"].clone());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(count_users(&project).await, 1);
    let made = mails::read_user(&project, &ids[0]).await;
    assert_eq!(providers(&made), ["apple", "gitlab", "gitlab", "keycloak"]);
}

on_both!(sessions_are_told_to_end, sessions_are_told_to_end_on_postgres, told);
async fn told(app: TestApp) {
    // On every gateway, also where the session was just looked at.
    let others = json!({ "mailer_allow_unverified_email_sign_ins": true });
    let project = oauth::project(&app, others).await;
    let sibling = app.sibling().await;
    let there = sibling.through(&project);
    let landed = come(&app, &project, "keycloak", with_addresses("evil", &[(ADDRESS, false)])).await;
    let attacker = json!({ "access_token": landed.access_token(), "refresh_token": landed.fragment["refresh_token"] });
    there.get("/user").bearer(access(&attacker)).send().await.expect(200);
    come(&app, &project, "gitlab", person("1", ADDRESS)).await.access_token();
    for gateway in [&project, &there] {
        gateway.get("/user").bearer(access(&attacker)).send().await.expect(403);
        gateway.refresh(&attacker["refresh_token"]).send().await.expect(400);
    }
}
