//! `POST /admin/generate_link`.

use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::mails::{confirmed_user, confirming, count_users, read_user, show_hash, take, type_code};

const EMAIL: &str = "a@example.com";

async fn link(project: &TestProject, kind: &str, others: Value) -> Answer {
    let mut body = others;
    body["type"] = json!(kind);
    project.post("/admin/generate_link", body).bearer(&project.service_role_key).send().await
}

fn text<'a>(link: &'a Value, field: &str) -> &'a str {
    link[field].as_str().unwrap()
}

on_both!(each_form_of_a_link_works, each_form_of_a_link_works_on_postgres, forms);
async fn forms(app: TestApp) {
    let project = app.project("links", confirming(json!({ "rate_limit_email_sent": 1 }))).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    for kind in ["magiclink", "recovery"] {
        for form in ["hash", "code", "link"] {
            let made = link(&project, kind, json!({ "email": EMAIL })).await.expect(200).json();
            assert_eq!(made["verification_type"], kind);
            let expected = format!(
                "http://127.0.0.1:8000/p/links/auth/v1/verify?token={}&type={kind}&redirect_to=http://localhost:3000",
                text(&made, "hashed_token")
            );
            assert_eq!(text(&made, "action_link"), expected);
            let stored = app.stored_text().await;
            assert!(!stored.contains(text(&made, "hashed_token")) && !stored.contains(text(&made, "email_otp")));
            match form {
                "hash" => drop(show_hash(&project, kind, text(&made, "hashed_token")).await.expect(200)),
                "code" => drop(type_code(&project, kind, EMAIL, text(&made, "email_otp")).await.expect(200)),
                _ => {
                    let path = text(&made, "action_link").split("/auth/v1").nth(1).unwrap().to_owned();
                    let landing = project.get(&path).send().await.expect(303);
                    assert!(landing.header("location").contains("#access_token="));
                }
            }
        }
    }
    assert!(take(&app, EMAIL).await.is_empty());
}

on_both!(links_for_nobody_make_accounts, links_for_nobody_make_accounts_on_postgres, nobody);
async fn nobody(app: TestApp) {
    let project = app.project("links", confirming(json!({ "disable_signup": true }))).await;
    let wanted = json!({ "email": EMAIL, "password": "correct horse", "data": { "plan": "x" } });
    let made = link(&project, "signup", wanted).await.expect(200).json();
    assert_eq!((&made["user_metadata"], &made["verification_type"]), (&json!({ "plan": "x" }), &json!("signup")));
    assert_eq!(made["identities"][0]["identity_data"].get("plan"), None);
    type_code(&project, "signup", EMAIL, text(&made, "email_otp")).await.expect(200);
    project.sign_in(EMAIL).await;

    let made = link(&project, "magiclink", json!({ "email": "b@example.com" })).await.expect(200).json();
    assert_eq!(made["verification_type"], "signup");
    assert!(text(&made, "action_link").contains("&type=signup&"));
    show_hash(&project, "signup", text(&made, "hashed_token")).await.expect(200);

    let made = link(&project, "invite", json!({ "email": "c@example.com" })).await.expect(200).json();
    assert!(made["invited_at"].is_string());
    show_hash(&project, "invite", text(&made, "hashed_token")).await.expect(200);

    for kind in ["recovery", "email_change_current", "email_change_new"] {
        let refused = link(&project, kind, json!({ "email": "d@example.com", "new_email": EMAIL })).await.expect(404);
        assert_eq!(refused.error_code(), "user_not_found");
    }
    let refused = link(&project, "signup", json!({ "email": "d@example.com" })).await.expect(400);
    assert_eq!(refused.json()["msg"], "Signup requires a valid password");
    let weak = link(&project, "signup", json!({ "email": "d@example.com", "password": "abc" })).await.expect(422);
    assert_eq!(weak.error_code(), "weak_password");
    assert_eq!(count_users(&project).await, 3);
}

on_both!(both_sides_of_a_change_get_links, both_sides_of_a_change_get_links_on_postgres, change);
async fn change(app: TestApp) {
    let project = app.project("links", confirming(json!({}))).await;
    let user = confirmed_user(&project, json!({ "email": EMAIL })).await;
    let wanted = json!({ "email": EMAIL, "new_email": "New@example.com" });
    let current = link(&project, "email_change_current", wanted.clone()).await.expect(200).json();
    assert_eq!((&current["new_email"], &current["email"]), (&json!("new@example.com"), &json!(EMAIL)));
    let new = link(&project, "email_change_new", wanted).await.expect(200).json();
    assert!(text(&new, "action_link").contains("&type=email_change&"));
    assert_eq!(new["verification_type"], "email_change_new");
    // The token of the answer is the one that works, on either side.
    assert!(text(&new, "action_link").contains(text(&new, "hashed_token")));
    show_hash(&project, "email_change", text(&current, "hashed_token")).await.expect(200);
    show_hash(&project, "email_change", text(&new, "hashed_token")).await.expect(200);
    assert_eq!(read_user(&project, &user["id"]).await["email"], "new@example.com");
}

on_both!(a_change_needs_a_free_address, a_change_needs_a_free_address_on_postgres, free);
async fn free(app: TestApp) {
    let project = app.project("links", confirming(json!({ "mailer_secure_email_change_enabled": false }))).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    confirmed_user(&project, json!({ "email": "b@example.com" })).await;
    let taken = json!({ "email": EMAIL, "new_email": "b@example.com" });
    let refused = link(&project, "email_change_new", taken.clone()).await.expect(422);
    assert_eq!(refused.error_code(), "email_exists");
    let refused = link(&project, "email_change_current", taken).await.expect(400);
    assert_eq!(refused.json()["msg"], "Enable secure email change to generate link for current email");
    let refused = link(&project, "email_change_new", json!({ "email": EMAIL, "new_email": "x" })).await.expect(400);
    assert_eq!(refused.json()["msg"], "Unable to validate email address: invalid format");
}

on_both!(a_link_leads_only_where_it_may, a_link_leads_only_where_it_may_on_postgres, redirect);
async fn redirect(app: TestApp) {
    let project = app.project("links", confirming(json!({ "uri_allow_list": "https://app.example/**" }))).await;
    confirmed_user(&project, json!({ "email": EMAIL })).await;
    for (wanted, led) in [
        ("https://app.example/cb", "https://app.example/cb"),
        ("https://evil.example/", "http://localhost:3000"),
        ("", "http://localhost:3000"),
    ] {
        let made = link(&project, "magiclink", json!({ "email": EMAIL, "redirect_to": wanted })).await.expect(200);
        assert_eq!(made.json()["redirect_to"], led);
        assert!(text(&made.json(), "action_link").ends_with(&format!("redirect_to={led}")));
    }
    for (kind, body, code) in
        [("nope", json!({ "email": EMAIL }), "validation_failed"), ("magiclink", json!({}), "validation_failed")]
    {
        assert_eq!(link(&project, kind, body).await.expect(400).error_code(), code);
    }
    let confirmed = link(&project, "signup", json!({ "email": EMAIL, "password": "correct horse" })).await.expect(422);
    assert_eq!(confirmed.error_code(), "email_exists");
    project.post("/admin/generate_link", json!({ "type": "magiclink" })).send().await.expect(401);
}
