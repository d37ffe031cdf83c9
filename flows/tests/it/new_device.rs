//! The notice of a sign-in from a device that was not seen before.

use futures::future::join_all;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::letters::{access, confirmed, mail, project};
use crate::mails;

const ADDRESS: &str = "a@example.com";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const NEWER_FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";
const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

async fn sign_in(project: &TestProject, agent: &str) -> Value {
    let body = json!({ "email": ADDRESS, "password": "correct horse" });
    let ask = project.post("/token?grant_type=password", body).header("user-agent", agent);
    ask.header("x-forwarded-for", "192.0.2.7").send().await.expect(200).json()
}

/// The notices that came since the last were read.
async fn told(app: &TestApp) -> Vec<String> {
    mails::take(app, ADDRESS).await.into_iter().map(|mail| mail.html).collect()
}

on_both!(a_new_device_is_told_once, a_new_device_is_told_once_on_postgres, once);
async fn once(app: TestApp) {
    let project = project(&app, json!({ "mailer_notifications_new_device_enabled": true })).await;
    confirmed(&project, ADDRESS).await;
    sign_in(&project, FIREFOX).await;
    assert!(told(&app).await.is_empty(), "an account's first session is no news");
    sign_in(&project, NEWER_FIREFOX).await;
    assert!(told(&app).await.is_empty(), "nor is a newer version");
    sign_in(&project, CHROME).await;
    let letters = told(&app).await;
    assert_eq!(letters.len(), 1);
    for said in ["Chrome on Windows 10", "192.0.2.7", "2027-01-15 08:00 UTC"] {
        assert!(letters[0].contains(said), "{said} is missing in {}", letters[0]);
    }
    sign_in(&project, CHROME).await;
    sign_in(&project, FIREFOX).await;
    assert!(told(&app).await.is_empty());

    // A code by mail is a sign-in as well. Its own mail comes first, from no device at all.
    app.clock.advance(5);
    project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let body = json!({ "type": "email", "email": ADDRESS, "token": letter.code });
    project.post("/verify", body).header("user-agent", "okhttp/4.12.0").send().await.expect(200);
    let letters = told(&app).await;
    assert!(letters.len() == 1 && letters[0].contains("okhttp"), "{letters:?}");
}

on_both!(a_new_device_is_known_although_its_room_is_needed, a_new_device_and_its_room_on_postgres, with_limit);
async fn with_limit(app: TestApp) {
    let config = json!({ "mailer_notifications_new_device_enabled": true, "sessions_max_per_user": 1 });
    let project = project(&app, config).await;
    confirmed(&project, ADDRESS).await;
    for _ in 0..3 {
        sign_in(&project, FIREFOX).await;
    }
    assert!(told(&app).await.is_empty(), "the session that made room was of the same device");
    sign_in(&project, CHROME).await;
    assert_eq!(told(&app).await.len(), 1);
}

on_both!(nobody_is_told_unless_the_project_wants_it, nobody_is_told_unless_wanted_on_postgres, off);
async fn off(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    for agent in [FIREFOX, CHROME] {
        sign_in(&project, agent).await;
    }
    assert!(told(&app).await.is_empty());
}

on_both!(the_hook_is_told_of_a_new_device, the_hook_is_told_of_a_new_device_on_postgres, hook);
async fn hook(app: TestApp) {
    let secret = "v1,whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==";
    let config = json!({
        "mailer_notifications_new_device_enabled": true, "hook_send_email_enabled": true,
        "hook_send_email_uri": "https://hook.example.com/", "hook_send_email_secrets": secret,
    });
    let project = project(&app, config).await;
    confirmed(&project, ADDRESS).await;
    for agent in [FIREFOX, CHROME] {
        sign_in(&project, agent).await;
    }
    let calls = app.hooks.calls();
    let data: Vec<&Value> = calls.iter().map(|(_, payload)| &payload["email_data"]).collect();
    assert_eq!(data.len(), 1, "{data:?}");
    assert_eq!(data[0]["email_action_type"], "new_device_notification");
    assert_eq!(data[0]["new_device"]["name"], "Chrome on Windows 10");
}

on_both!(a_sign_out_forgets_no_device, a_sign_out_forgets_no_device_on_postgres, signed_out);
async fn signed_out(app: TestApp) {
    let project = project(&app, json!({ "mailer_notifications_new_device_enabled": true })).await;
    confirmed(&project, ADDRESS).await;
    let sign_out = async |session: &Value| {
        project.post("/logout", json!({})).bearer(access(session)).send().await.expect(204);
    };
    for agent in [FIREFOX, NEWER_FIREFOX] {
        sign_out(&sign_in(&project, agent).await).await;
    }
    assert!(told(&app).await.is_empty(), "the only device there ever was");
    sign_out(&sign_in(&project, CHROME).await).await;
    assert_eq!(told(&app).await.len(), 1);
    for agent in [CHROME, FIREFOX, CHROME] {
        sign_out(&sign_in(&project, agent).await).await;
    }
    assert!(told(&app).await.is_empty());
    sign_in(&project, "curl/8.5.0").await;
    let letters = told(&app).await;
    assert!(letters.len() == 1 && letters[0].contains("curl") && !letters[0].contains("Library"), "{letters:?}");
}

on_both!(sessions_from_before_the_notice_are_known, sessions_from_before_the_notice_are_known_on_postgres, before);
async fn before(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let chrome = sign_in(&project, CHROME).await;
    sign_in(&project, FIREFOX).await;
    let config = json!({ "mailer_notifications_new_device_enabled": true });
    app.management.patch_config(&project.project_ref, config.as_object().unwrap()).await.unwrap();
    sign_in(&project, FIREFOX).await;
    let all = project.post("/logout", json!({})).bearer(access(&chrome));
    all.send().await.expect(204);
    for agent in [CHROME, FIREFOX] {
        sign_in(&project, agent).await;
    }
    assert!(told(&app).await.is_empty());
}

on_both!(sign_ins_at_once_tell_once, sign_ins_at_once_tell_once_on_postgres, at_once);
async fn at_once(app: TestApp) {
    let sibling = app.sibling().await;
    for (name, most) in [("free", 0), ("bounded", 3)] {
        let config = json!({ "mailer_notifications_new_device_enabled": true, "sessions_max_per_user": most });
        let project = app.project(name, mails::confirming(config)).await;
        let elsewhere = sibling.through(&project);
        confirmed(&project, ADDRESS).await;
        sign_in(&project, FIREFOX).await;
        assert!(told(&app).await.is_empty() && told(&sibling).await.is_empty());
        let gateways = [&project, &elsewhere];
        join_all((0..12).map(|number| sign_in(gateways[number % 2], CHROME))).await;
        let letters = told(&app).await.len() + told(&sibling).await.len();
        assert_eq!(letters, 1, "{name}");
    }
}
