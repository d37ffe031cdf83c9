//! Users as administrators make, change and remove them.

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;

/// Of the test suite of the Argon2 reference implementation.
const ARGON2ID: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

/// Made with libxcrypt.
const BCRYPT: &str = "$2b$04$N9qo8uLOickgx2ZMRZoMye2ILkC1C87/qUAs1Mu6.w9t1rElstF8i";

/// The example that Firebase publishes with its scrypt variant.
const FIREBASE: &str = "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,\
    sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$\
    lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";

async fn create(project: &TestProject, body: Value) -> Answer {
    project.post("/admin/users", body).bearer(&project.service_role_key).send().await
}

async fn update(project: &TestProject, id: &Value, body: Value) -> Answer {
    let path = format!("/admin/users/{}", id.as_str().unwrap());
    project.ask(Method::PUT, &path).json(&body).bearer(&project.service_role_key).send().await
}

async fn count(project: &TestProject) -> String {
    let list = project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(200);
    list.header("x-total-count").to_owned()
}

async fn sign_in(project: &TestProject, email: &str, password: &str) -> Answer {
    project.post("/token?grant_type=password", json!({ "email": email, "password": password })).send().await
}

on_both!(imported_hashes_sign_in, imported_hashes_sign_in_on_postgres, imported);
async fn imported(app: TestApp) {
    let project = app.project("admin", json!({})).await;
    for (name, hash, password) in [
        ("argon2", ARGON2ID, "password"),
        ("bcrypt", BCRYPT, "Gr\u{fc}\u{df}e, \u{4e16}\u{754c}"),
        ("firebase", FIREBASE, "user1password"),
    ] {
        let email = format!("{name}@example.com");
        let body = json!({ "email": email, "password_hash": hash, "email_confirm": true });
        create(&project, body).await.expect(200);
        assert_eq!(sign_in(&project, &email, "wrong").await.expect(400).error_code(), "invalid_credentials");
        sign_in(&project, &email, password).await.expect(200);
        // Whatever it was imported as, it works again after it has been used.
        sign_in(&project, &email, password).await.expect(200);
    }
}

on_both!(what_creating_refuses_in_order, what_creating_refuses_in_order_on_postgres, refusals);
async fn refusals(app: TestApp) {
    let project = app.project("admin", json!({})).await;
    create(&project, json!({ "email": "taken@example.com", "phone": "15550000001" })).await.expect(200);
    let before = count(&project).await;
    let long = "x".repeat(256);
    for (body, status, code) in [
        (json!({ "password": "x", "id": "abc" }), 400, "validation_failed"),
        (json!({ "email": "nope", "phone": "abc" }), 400, "validation_failed"),
        (json!({ "email": "TAKEN@example.com", "phone": "abc" }), 422, "email_exists"),
        (json!({ "email": "a@example.com", "phone": "+15550000001" }), 422, "phone_exists"),
        (json!({ "email": "a@example.com", "password": "", "password_hash": "x" }), 400, "validation_failed"),
        // A hash that cannot be read is told before a bad id, as recorded.
        (json!({ "email": "a@example.com", "password_hash": "x", "id": "abc" }), 500, "unexpected_failure"),
        (json!({ "email": "a@example.com", "id": "abc", "ban_duration": "1d" }), 400, "validation_failed"),
        (json!({ "email": "a@example.com", "id": "00000000-0000-0000-0000-000000000000" }), 400, "validation_failed"),
        (json!({ "email": "a@example.com", "ban_duration": "1d" }), 400, "validation_failed"),
        (json!({ "email": "a@example.com", "ban_duration": "24" }), 400, "validation_failed"),
        (json!({ "email": "a@example.com", "password": "x".repeat(73) }), 400, "validation_failed"),
        (json!({ "email": "a@example.com", "role": long }), 400, "validation_failed"),
        (json!({ "email": "a@example.com", "aud": long }), 400, "validation_failed"),
        (json!({ "email": "a@example.com", "user_metadata": { "n": "\u{0}" } }), 400, "validation_failed"),
        (json!({ "email": "a@example.com", "app_metadata": { "\u{0}": 1 } }), 400, "validation_failed"),
        (json!({ "email": "a@example.com", "user_metadata": [] }), 400, "bad_json"),
        (json!({ "email": "a@example.com", "email_confirm": "yes" }), 400, "bad_json"),
    ] {
        let answer = create(&project, body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (status, code), "{body}");
    }
    for raw in
        [r#"{"email":"a@example.com","role":"\ud800"}"#, r#"{"email":"a@example.com","user_metadata":{"n":1e999}}"#]
    {
        let ask = project.ask(Method::POST, "/admin/users").raw(raw).bearer(&project.service_role_key);
        ask.send().await.expect(400);
    }
    assert_eq!(count(&project).await, before, "nothing was stored");
}

on_both!(a_user_is_made_as_asked, a_user_is_made_as_asked_on_postgres, full);
async fn full(app: TestApp) {
    let project = app.project("admin", json!({ "disable_signup": true })).await;
    let id = "11111111-2222-4333-8444-555555555555";
    let body = json!({
        "id": id, "email": "A@Example.com", "phone": "+15550000001", "password": "x", "email_confirm": true,
        "phone_confirm": true, "role": "editor", "ban_duration": "1h30m",
        "app_metadata": { "plan": "pro", "provider": "custom", "providers": null }, "user_metadata": { "name": "A" },
    });
    let user = create(&project, body).await.expect(200).json();
    for (key, value) in [
        ("id", json!(id)),
        ("email", json!("a@example.com")),
        ("phone", json!("15550000001")),
        ("role", json!("editor")),
        ("app_metadata", json!({ "plan": "pro", "provider": "custom" })),
        ("user_metadata", json!({ "name": "A", "email_verified": true })),
    ] {
        assert_eq!(user[key], value, "{key}");
    }
    assert!(user["email_confirmed_at"].is_string() && user["phone_confirmed_at"].is_string());
    assert!(user.get("confirmed_at").is_none() && user["banned_until"].is_string());
    assert_eq!(user["identities"].as_array().unwrap().len(), 2);
    assert_eq!(sign_in(&project, "a@example.com", "x").await.expect(400).error_code(), "user_banned");
    let lifted = update(&project, &user["id"], json!({ "ban_duration": "none" })).await.expect(200).json();
    assert!(lifted.get("banned_until").is_none());
    sign_in(&project, "a@example.com", "x").await.expect(200);
    let again = create(&project, json!({ "email": "other@example.com", "id": id })).await;
    assert_eq!(again.expect(500).error_code(), "unexpected_failure");
    assert_eq!(count(&project).await, "1");
}

on_both!(a_change_is_checked_then_applied_whole, a_change_is_checked_then_applied_whole_on_postgres, change);
async fn change(app: TestApp) {
    let project = app.project("admin", json!({ "password_min_length": 8 })).await;
    let session = project.sign_up("a@example.com").await;
    let id = &session["user"]["id"];
    for (body, status, code) in [
        (json!({ "email": "nope", "ban_duration": "x", "password": "x" }), 400, "validation_failed"),
        (json!({ "phone": "x", "ban_duration": "1d", "password": "x" }), 400, "validation_failed"),
        (json!({ "ban_duration": "1d", "password": "x" }), 400, "validation_failed"),
        (json!({ "password": "x", "role": "editor" }), 422, "weak_password"),
        (json!({ "password": "", "role": "editor" }), 422, "weak_password"),
        (json!({ "role": "x".repeat(256) }), 400, "validation_failed"),
        (json!({ "role": "editor", "user_metadata": { "a": "\u{0}" } }), 400, "validation_failed"),
    ] {
        let answer = update(&project, id, body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.error_code().as_str()), (status, code), "{body}");
    }
    let path = format!("/admin/users/{}", id.as_str().unwrap());
    let untouched = project.get(&path).bearer(&project.service_role_key).send().await.expect(200).json();
    assert_eq!(untouched["role"], "authenticated");

    let body = json!({
        "role": "editor", "app_metadata": { "plan": "pro" }, "user_metadata": { "a": { "b": 1 }, "sub": null },
        "password": "a new password", "aud": "ignored", "password_hash": "ignored", "id": "ignored", "email": "",
    });
    let changed = update(&project, id, body).await.expect(200).json();
    assert_eq!((&changed["role"], &changed["aud"], &changed["id"]), (&json!("editor"), &json!("authenticated"), id));
    assert_eq!(changed["app_metadata"], json!({ "plan": "pro", "provider": "email", "providers": ["email"] }));
    assert_eq!(changed["user_metadata"]["a"], json!({ "b": 1 }));
    assert!(changed["user_metadata"].get("sub").is_none());
    // A new password ends every session.
    let access = session["access_token"].as_str().unwrap();
    assert_eq!(project.get("/user").bearer(access).send().await.expect(403).error_code(), "session_not_found");
    project.refresh(&session["refresh_token"]).send().await.expect(400);
    sign_in(&project, "a@example.com", "a new password").await.expect(200);
}

on_both!(a_soft_deleted_user_frees_the_address, a_soft_deleted_user_frees_the_address_on_postgres, soft);
async fn soft(app: TestApp) {
    let project = app.project("admin", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let delete = |body: Value| project.ask(Method::DELETE, &path).json(&body).bearer(&project.service_role_key).send();
    for _ in 0..2 {
        assert_eq!(delete(json!({ "should_soft_delete": true })).await.expect(200).text, "{}");
    }
    let kept = project.get(&path).bearer(&project.service_role_key).send().await.expect(200).json();
    assert!(kept["deleted_at"].is_string());
    assert_eq!((&kept["user_metadata"], &kept["app_metadata"]), (&json!({}), &json!({})));
    assert!(!app.stored_text().await.contains("a@example.com") || kept["email"] != json!("a@example.com"));
    project.refresh(&session["refresh_token"]).send().await.expect(400);
    let access = session["access_token"].as_str().unwrap();
    project.get("/user").bearer(access).send().await.expect(403);
    let again = project.sign_up("a@example.com").await;
    assert_ne!(again["user"]["id"], session["user"]["id"]);
    assert_eq!(count(&project).await, "2");
    delete(json!({})).await.expect(200);
    assert_eq!(count(&project).await, "1");
}

on_both!(codes_die_when_a_contact_changes, codes_die_when_a_contact_changes_on_postgres, codes);
async fn codes(app: TestApp) {
    let project = app.project("admin", json!({})).await;
    let user = create(&project, json!({ "email": "a@example.com", "email_confirm": true })).await.expect(200).json();
    for change in [json!({ "phone": "15550000009" }), json!({ "email": "b@example.com" })] {
        let email = &update(&project, &user["id"], json!({})).await.expect(200).json()["email"];
        let link = json!({ "type": "magiclink", "email": email });
        let link = project.post("/admin/generate_link", link).bearer(&project.service_role_key);
        let hash = link.send().await.expect(200).json()["hashed_token"].clone();
        update(&project, &user["id"], change.clone()).await.expect(200);
        let dead = project.post("/verify", json!({ "type": "magiclink", "token_hash": hash })).send().await;
        assert_eq!(dead.expect(403).error_code(), "otp_expired", "{change}");
    }
}

on_both!(
    a_contact_is_declared_proven_before_it_is_there,
    a_contact_is_declared_proven_before_it_is_there_on_postgres,
    ahead
);
async fn ahead(app: TestApp) {
    let project = app.project("admin", json!({})).await;
    let user = create(&project, json!({ "phone": "15550000001", "email_confirm": true })).await.expect(200).json();
    assert!(user["email_confirmed_at"].is_string() && user.get("phone_confirmed_at").is_none(), "{user}");
    assert_eq!((&user["email"], &user["user_metadata"]), (&json!(""), &json!({ "email_verified": true })));
    let user = create(&project, json!({ "email": "a@example.com", "phone_confirm": true })).await.expect(200).json();
    assert!(user["phone_confirmed_at"].is_string() && user.get("email_confirmed_at").is_none(), "{user}");
}

on_both!(an_import_without_metadata, an_import_without_metadata_on_postgres, bare_import);
async fn bare_import(app: TestApp) {
    let project = app.project("admin", json!({})).await;
    for (number, (more, shown)) in [
        (json!({}), Value::Null),
        (json!({ "user_metadata": null }), Value::Null),
        (json!({ "user_metadata": {} }), json!({})),
        (json!({ "email_confirm": true }), json!({ "email_verified": true })),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = json!({ "email": format!("{number}@example.com"), "password_hash": BCRYPT });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(create(&project, body).await.expect(200).json()["user_metadata"], shown, "{more}");
    }
}

on_both!(of_many_creates_of_one_contact_one_wins, of_many_creates_of_one_contact_one_wins_on_postgres, parallel);
async fn parallel(app: TestApp) {
    let project = app.project("admin", json!({})).await;
    for (contact, code) in
        [(json!({ "email": "a@example.com" }), "email_exists"), (json!({ "phone": "15550000001" }), "phone_exists")]
    {
        let answers = futures::future::join_all((0..40).map(|_| create(&project, contact.clone()))).await;
        let made = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(made, 1, "{contact}");
        for answer in answers.into_iter().filter(|answer| answer.status != 200) {
            assert_eq!(answer.expect(422).error_code(), code);
        }
    }
    assert_eq!(count(&project).await, "2");
}

on_both!(an_id_that_is_taken_is_not_given_away, an_id_that_is_taken_is_not_given_away_on_postgres, taken_id);
async fn taken_id(app: TestApp) {
    let project = app.project("admin", json!({})).await;
    let first = create(&project, json!({ "email": "a@example.com" })).await.expect(200).json();
    let refused = create(&project, json!({ "email": "b@example.com", "id": first["id"] })).await.expect(500);
    assert_eq!(refused.error_code(), "unexpected_failure");
    assert!(!refused.text.contains("a@example.com"));
    assert_eq!(count(&project).await, "1");
}

on_both!(a_user_is_looked_for_before_the_body, a_user_is_looked_for_before_the_body_on_postgres, order);
async fn order(app: TestApp) {
    let project = app.project("admin", json!({})).await;
    for (id, code) in [("x", "validation_failed"), ("11111111-2222-4333-8444-555555555555", "user_not_found")] {
        for method in [Method::PUT, Method::DELETE] {
            let ask = project.ask(method, &format!("/admin/users/{id}")).raw("{");
            assert_eq!(ask.bearer(&project.service_role_key).send().await.expect(404).error_code(), code);
        }
    }
}
