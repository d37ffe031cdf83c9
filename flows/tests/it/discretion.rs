//! Projects that do not tell whether an account exists.

use http::Method;
use outbound::mailbox::{Page, Scope};
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::mails::{confirming, count_users, one, settled, take, type_code};

const CONFIRMED: &str = "confirmed@example.com";
const UNCONFIRMED: &str = "waiting@example.com";
const BANNED: &str = "banned@example.com";
const UNKNOWN: &str = "unknown@example.com";
const SECRET: &str = "v1,whsec_dGhlIGtleSBvZiB0aGUgaG9va3Mgb2YgdGhpcyB0ZXN0ISE=";
const EVERYBODY: [&str; 4] = [CONFIRMED, UNCONFIRMED, BANNED, UNKNOWN];

/// A project with an account of each sort, long after anything was sent to them.
async fn discreet(app: &TestApp, others: Value) -> TestProject {
    let project = app.project("discreet", confirming(json!({ "security_enumeration_protection_enabled": true }))).await;
    let key = project.service_role_key.clone();
    for (email, more) in [
        (CONFIRMED, json!({ "email_confirm": true })),
        (UNCONFIRMED, json!({ "data": {} })),
        (BANNED, json!({ "email_confirm": true, "ban_duration": "24h" })),
    ] {
        let mut body = json!({ "email": email, "password": "correct horse" });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        project.post("/admin/users", body).bearer(&key).send().await.expect(200);
    }
    if others != json!({}) {
        let config = others.as_object().cloned().unwrap();
        app.management.patch_config(&project.project_ref, &config).await.unwrap();
    }
    project
}

/// The body of a request about an address.
type Body = fn(&str) -> Value;

/// What of an answer a client can compare: the id and the times of it are its own.
fn shape(answer: &Answer, email: &str) -> (u16, String) {
    let mut text = answer.text.replace(email, "<email>");
    if let Some(id) = serde_json::from_str::<Value>(&text).ok().and_then(|body| body["id"].as_str().map(str::to_owned))
    {
        text = text.replace(&id, "<id>");
    }
    if let Ok(body) = serde_json::from_str::<Value>(&text)
        && let Some(identity) = body["identities"][0]["identity_id"].as_str()
    {
        text = text.replace(identity, "<identity>");
    }
    (answer.status.as_u16(), text)
}

async fn same_for_everybody(project: &TestProject, path: &str, body: impl Fn(&str) -> Value) -> (u16, String) {
    let mut shapes = Vec::new();
    for email in EVERYBODY {
        shapes.push(shape(&project.post(path, body(email)).send().await, email));
    }
    for (email, seen) in EVERYBODY.iter().zip(&shapes) {
        assert_eq!(seen, &shapes[0], "{path} {email}");
    }
    shapes.remove(0)
}

on_both!(answers_do_not_tell, answers_do_not_tell_on_postgres, answers);
async fn answers(app: TestApp) {
    let project = discreet(&app, json!({})).await;
    let asks: [(&str, Body); 5] = [
        ("/signup", |email| json!({ "email": email, "password": "another one", "data": { "plan": "x" } })),
        ("/recover", |email| json!({ "email": email })),
        ("/resend", |email| json!({ "email": email, "type": "signup" })),
        ("/otp", |email| json!({ "email": email, "create_user": false })),
        ("/magiclink", |email| json!({ "email": email })),
    ];
    for (path, body) in asks {
        app.clock.advance(3600);
        let (status, _) = same_for_everybody(&project, path, body).await;
        assert_eq!(status, 200, "{path}");
        // Whoever asks again at once is refused, known or not.
        app.clock.advance(10);
        let (status, text) = same_for_everybody(&project, path, body).await;
        assert_eq!(status, 429, "{path}");
        assert!(text.contains("only request this after 50 seconds"), "{text}");
    }
}

on_both!(closed_sign_ups_do_not_tell, closed_sign_ups_do_not_tell_on_postgres, closed);
async fn closed(app: TestApp) {
    let project = discreet(&app, json!({ "disable_signup": true })).await;
    let users = count_users(&project).await;
    let (status, _) = same_for_everybody(&project, "/otp", |email| json!({ "email": email })).await;
    assert_eq!((status, count_users(&project).await), (200, users));
    assert_eq!(one(&app, CONFIRMED).await.kind, "magic_link");
    assert!(take(&app, UNKNOWN).await.is_empty());
}

on_both!(the_owner_of_an_address_is_told, the_owner_of_an_address_is_told_on_postgres, owner);
async fn owner(app: TestApp) {
    let project = discreet(&app, json!({})).await;
    let sign_up = |email: &str| {
        let body = json!({ "email": email, "password": "another one" });
        project.post("/signup", body).send()
    };
    for email in [CONFIRMED, UNCONFIRMED, UNKNOWN] {
        sign_up(email).await.expect(200);
    }
    settled(&app).await;
    let listing = app.mailbox.search(Scope::All, &format!("to:{CONFIRMED}"), Page::default());
    assert_eq!(listing.messages[0].subject, "You already have an account at localhost:3000");
    let notice = one(&app, CONFIRMED).await;
    assert!(notice.html.contains(CONFIRMED) && notice.html.contains("http://localhost:3000"));
    for email in [UNCONFIRMED, UNKNOWN] {
        assert_eq!(one(&app, email).await.kind, "confirmation", "{email}");
    }
    // A new account has another id than the answer said.
    app.clock.advance(3600);
    let shown = sign_up("new@example.com").await.expect(200).json();
    let code = one(&app, "new@example.com").await.code;
    let session = type_code(&project, "signup", "new@example.com", &code).await.expect(200).json();
    assert_ne!(session["user"]["id"], shown["id"]);
    app.clock.advance(3600);
    assert_eq!(sign_up("new@example.com").await.expect(200).json()["id"], shown["id"]);
}

on_both!(an_accounts_own_cool_down_is_kept_quiet, an_accounts_own_cool_down_is_quiet_on_postgres, quiet);
async fn quiet(app: TestApp) {
    let project = discreet(&app, json!({})).await;
    // The administrator's link starts the account's cool-down, which nobody else knows of.
    let body = json!({ "type": "recovery", "email": CONFIRMED });
    project.post("/admin/generate_link", body).bearer(&project.service_role_key).send().await.expect(200);
    let (status, _) = same_for_everybody(&project, "/recover", |email| json!({ "email": email })).await;
    assert_eq!(status, 200);
    assert!(take(&app, CONFIRMED).await.is_empty());
}

on_both!(unknown_addresses_get_nothing, unknown_addresses_get_nothing_on_postgres, nothing);
async fn nothing(app: TestApp) {
    let project = discreet(&app, json!({})).await;
    let users = count_users(&project).await;
    for path in ["/recover", "/otp"] {
        app.clock.advance(3600);
        let body = json!({ "email": UNKNOWN, "create_user": false });
        project.ask(Method::POST, path).json(&body).send().await.expect(200);
    }
    settled(&app).await;
    assert!(take(&app, UNKNOWN).await.is_empty());
    assert_eq!(count_users(&project).await, users);
    assert_eq!(app.database.outbox_depth().await.unwrap().dead, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn known_and_unknown_addresses_cost_the_same() {
    let app = TestApp::postgres().await;
    let project = discreet(&app, json!({})).await;
    for path in ["/recover", "/otp", "/resend"] {
        let mut spent = Vec::new();
        for email in [CONFIRMED, UNKNOWN] {
            // Alone: what is delivered from an earlier request is not counted here.
            app.clock.advance(3600);
            settled(&app).await;
            let body = match path {
                "/resend" => json!({ "email": if email == CONFIRMED { UNCONFIRMED } else { email }, "type": "signup" }),
                _ => json!({ "email": email, "create_user": false }),
            };
            let before = app.database.statements();
            project.post(path, body).send().await.expect(200);
            spent.push(app.database.statements() - before);
        }
        let difference = spent[0].abs_diff(spent[1]);
        // The outbox may have begun to work in one of them.
        assert!(difference <= 2, "{path}: {spent:?}");
    }
}

on_both!(a_sender_that_fails_does_not_tell, a_sender_that_fails_does_not_tell_on_postgres, failing);
async fn failing(app: TestApp) {
    let uri = "https://hooks.example.com/mail";
    let hook = json!({
        "hook_send_email_enabled": true, "hook_send_email_uri": uri, "hook_send_email_secrets": SECRET
    });
    let project = discreet(&app, hook).await;
    app.hooks.reply(uri, Ok(json!({ "error": { "http_code": 403, "message": "no mail today" } })));
    let asks: [(&str, Body); 2] = [
        ("/recover", |email| json!({ "email": email })),
        ("/otp", |email| json!({ "email": email, "create_user": false })),
    ];
    for (path, body) in asks {
        app.clock.advance(3600);
        let (status, _) = same_for_everybody(&project, path, body).await;
        assert_eq!(status, 200, "{path}");
    }
}
