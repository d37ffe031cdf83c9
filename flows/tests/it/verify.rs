//! Links and codes that sign up or sign in.

use domain::ids::UserId;
use domain::time::Clock;
use http::Method;
use serde_json::{Value, json};
use storage::{NewOneTimeToken, TenantStore, TokenKind};
use testkit::TestApp;
use uuid::Uuid;

use crate::both::on_both;
use crate::hooks::claims;
use crate::letters::{admin, confirmed, mail, project, put, verify, wrong};

const ADDRESS: &str = "a@example.com";

on_both!(every_type_takes_what_was_sent_for_it, every_type_takes_what_was_sent_for_it_on_postgres, types);
async fn types(app: TestApp) {
    let project = project(&app, json!({})).await;
    let body = json!({ "email": ADDRESS, "password": "correct horse", "data": { "plan": "gold" } });
    project.post("/signup", body).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    for kind in ["recovery", "magiclink", "email_change", "nonsense"] {
        let other = verify(&project, json!({ "type": kind, "email": ADDRESS, "token": letter.code })).await;
        assert_eq!(other.expect(403).error_code(), "otp_expired", "{kind}");
    }
    for (kind, status) in [("recovery", 403), ("email_change", 403), ("sms", 400), ("nonsense", 400)] {
        verify(&project, json!({ "type": kind, "token_hash": letter.hash })).await.expect(status);
    }
    let session = verify(&project, json!({ "type": "signup", "token_hash": letter.hash })).await.expect(200).json();
    let user = &session["user"];
    assert_eq!(user["user_metadata"]["email_verified"], true);
    assert_eq!(user["user_metadata"]["plan"], "gold");
    assert_eq!(user["identities"][0]["identity_data"]["email_verified"], true);
    assert_eq!(user["app_metadata"], json!({ "provider": "email", "providers": ["email"] }));
    assert_eq!(user["confirmed_at"], user["email_confirmed_at"]);
    assert_eq!(claims(&app, &project, &session)["amr"][0]["method"], "otp");

    // Confirmed now: `email` stands for what the newest mail is.
    app.clock.advance(2);
    project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    verify(&project, json!({ "type": "signup", "token_hash": letter.hash })).await.expect(403);
    let body = json!({ "type": "email", "email": "A@Example.com", "token": letter.code });
    let session = verify(&project, body.clone()).await.expect(200).json();
    assert_eq!(session["user"]["email"], ADDRESS);
    assert_eq!(verify(&project, body).await.expect(403).error_code(), "otp_expired");
}

on_both!(a_link_lands_with_tokens_or_with_a_code, a_link_lands_with_tokens_or_with_a_code_on_postgres, links);
async fn links(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    project.post("/magiclink", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let path = format!("/verify?type=magiclink&token={}", letter.hash);
    let landing = project.get(&path).send().await.expect(303);
    assert!(landing.header("location").contains("#access_token="));
    assert!(landing.header("location").ends_with("&type=magiclink"));
    let again = project.get(&path).send().await.expect(303);
    assert!(again.header("location").contains("error_code=otp_expired"));

    let verifier = "v".repeat(43);
    for (path, kind) in [("/recover", "recovery"), ("/magiclink", "magiclink")] {
        app.clock.advance(2);
        let body = json!({ "email": ADDRESS, "code_challenge": verifier, "code_challenge_method": "plain" });
        project.post(path, body).send().await.expect(200);
        let letter = mail(&app, ADDRESS).await;
        assert!(letter.hash.starts_with("pkce_"));
        // `email` is no method of a flow.
        for other in ["email", "sms", "phone_change", "bogus"] {
            let answer = project.get(&format!("/verify?type={other}&token={}", letter.hash)).send().await.expect(500);
            assert_eq!(answer.error_code(), "unexpected_failure", "{other}");
            assert_eq!(answer.json()["msg"], "Unexpected failure, please check server logs for more information");
        }
        let landing = project.get(&format!("/verify?type={kind}&token={}", letter.hash)).send().await.expect(303);
        let code = landing.header("location").split_once("?code=").unwrap().1.to_owned();
        let wrong = json!({ "auth_code": code, "code_verifier": "w".repeat(43) });
        let refused = project.post("/token?grant_type=pkce", wrong).send().await.expect(400);
        assert_eq!(refused.error_code(), "bad_code_verifier");
        let right = json!({ "auth_code": code, "code_verifier": verifier });
        let session = project.post("/token?grant_type=pkce", right.clone()).send().await.expect(200).json();
        assert_eq!(claims(&app, &project, &session)["amr"][0]["method"], kind);
        project.post("/token?grant_type=pkce", right).send().await.expect(404);
    }
}

on_both!(a_flow_can_be_finished_by_code, a_flow_can_be_finished_by_code_on_postgres, flow_by_code);
async fn flow_by_code(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let body = json!({ "email": ADDRESS, "code_challenge": "v".repeat(43), "code_challenge_method": "plain" });
    project.post("/otp", body).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let session = verify(&project, json!({ "type": "email", "email": ADDRESS, "token": letter.code })).await;
    assert_eq!(claims(&app, &project, &session.expect(200).json())["amr"][0]["method"], "otp");
    verify(&project, json!({ "type": "magiclink", "token_hash": letter.hash })).await.expect(403);
}

on_both!(an_invitation_gives_an_account_of_ones_own, an_invitation_gives_an_account_of_ones_own_on_postgres, invite);
async fn invite(app: TestApp) {
    let project = project(&app, json!({ "mailer_invite_exp": 7200 })).await;
    let body = json!({ "email": ADDRESS, "data": { "team": "blue" } });
    admin(&project, Method::POST, "/invite", body).await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    // Longer than other mails live.
    app.clock.advance(7000);
    verify(&project, json!({ "type": "signup", "token_hash": letter.hash })).await.expect(403);
    let session = verify(&project, json!({ "type": "invite", "token_hash": letter.hash })).await.expect(200).json();
    assert!(session["user"].get("confirmation_sent_at").is_none());
    assert_eq!(session["user"]["user_metadata"], json!({ "team": "blue", "email_verified": true }));
    put(&project, &session, json!({ "password": "correct horse" })).await.expect(200);
    project.sign_in(ADDRESS).await;
}

on_both!(codes_die_of_guesses_and_of_age, codes_die_of_guesses_and_of_age_on_postgres, guesses);
async fn guesses(app: TestApp) {
    let project = project(&app, json!({ "mailer_otp_exp": 300 })).await;
    confirmed(&project, ADDRESS).await;
    let guess = |token: String| verify(&project, json!({ "type": "email", "email": ADDRESS, "token": token }));
    project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    // What can be no code is no guess.
    for _ in 0..12 {
        guess("nonsense".to_owned()).await.expect(403);
    }
    for _ in 0..9 {
        assert_eq!(guess(wrong(&letter.code)).await.expect(403).error_code(), "otp_expired");
    }
    guess(letter.code).await.expect(200);

    app.clock.advance(2);
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let recovery = |token: String| verify(&project, json!({ "type": "recovery", "email": ADDRESS, "token": token }));
    for _ in 0..10 {
        recovery(wrong(&letter.code)).await.expect(403);
    }
    assert_eq!(recovery(letter.code).await.expect(403).error_code(), "otp_expired");

    app.clock.advance(2);
    project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    app.clock.advance(301);
    guess(letter.code).await.expect(403);
    let path = format!("/verify?type=magiclink&token={}", letter.hash);
    assert!(project.get(&path).send().await.expect(303).header("location").contains("otp_expired"));
}

on_both!(one_proof_ends_every_other, one_proof_ends_every_other_on_postgres, clears);
async fn clears(app: TestApp) {
    let project = project(&app, json!({})).await;
    project.post("/signup", json!({ "email": ADDRESS, "password": "correct horse" })).send().await.expect(200);
    let confirmation = mail(&app, ADDRESS).await;
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let recovery = mail(&app, ADDRESS).await;
    verify(&project, json!({ "type": "signup", "token_hash": confirmation.hash })).await.expect(200);
    verify(&project, json!({ "type": "recovery", "token_hash": recovery.hash })).await.expect(403);
    verify(&project, json!({ "type": "recovery", "email": ADDRESS, "token": recovery.code })).await.expect(403);
}

on_both!(a_banned_or_deleted_user_proves_nothing, a_banned_or_deleted_user_proves_nothing_on_postgres, banned);
async fn banned(app: TestApp) {
    for (protected, miss) in [(false, "user_banned"), (true, "otp_expired")] {
        let config = json!({ "security_enumeration_protection_enabled": protected });
        let name = format!("banned-{protected}@example.com");
        let project = project_named(&app, &format!("banned-{protected}"), config).await;
        let user = confirmed(&project, &name).await;
        project.post("/otp", json!({ "email": name })).send().await.expect(200);
        let letter = mail(&app, &name).await;
        let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
        admin(&project, Method::PUT, &path, json!({ "ban_duration": "1h" })).await.expect(200);
        let body = |token: &str| json!({ "type": "email", "email": name, "token": token });
        assert_eq!(verify(&project, body(&wrong(&letter.code))).await.expect(403).error_code(), miss);
        assert_eq!(verify(&project, body(&letter.code)).await.expect(403).error_code(), "user_banned");
        let by_link = verify(&project, json!({ "type": "magiclink", "token_hash": letter.hash })).await.expect(403);
        assert_eq!(by_link.error_code(), "user_banned");
        admin(&project, Method::PUT, &path, json!({ "ban_duration": "none" })).await.expect(200);
        admin(&project, Method::DELETE, &path, json!({ "should_soft_delete": true })).await.expect(200);
        assert_eq!(verify(&project, body(&letter.code)).await.expect(403).error_code(), "otp_expired");
    }
}

async fn project_named(app: &TestApp, name: &str, config: Value) -> testkit::TestProject {
    let mut all = json!({
        "mailer_autoconfirm": false,
        "mailer_templates_magic_link_content": "code={{ .Token }}|hash={{ .TokenHash }}|",
    });
    for (name, value) in config.as_object().unwrap() {
        all[name] = value.clone();
    }
    app.project(name, all).await
}

on_both!(a_misses_answer_tells_nothing, a_misses_answer_tells_nothing_on_postgres, silent);
async fn silent(app: TestApp) {
    let project = project(&app, json!({ "security_enumeration_protection_enabled": true })).await;
    confirmed(&project, ADDRESS).await;
    project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
    mail(&app, ADDRESS).await;
    let mut costs = Vec::new();
    let mut answers = Vec::new();
    for email in [ADDRESS, "nobody@example.com"] {
        let before = app.database.statements();
        let answer = verify(&project, json!({ "type": "email", "email": email, "token": "000000" })).await;
        costs.push(app.database.statements() - before);
        answers.push(answer.expect(403).text);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(costs[0], costs[1], "known and unknown addresses cost the same work");
}

on_both!(a_page_stands_before_the_link, a_page_stands_before_the_link_on_postgres, page);
async fn page(app: TestApp) {
    let project = project(&app, json!({ "mailer_link_confirm_page_enabled": true })).await;
    confirmed(&project, ADDRESS).await;
    project.post("/magiclink", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let path = format!("/verify?type=magiclink&token={}", letter.hash);
    for _ in 0..3 {
        project.get(&path).send().await.expect(200);
    }
    let unknown = project.get(&format!("/verify?type=magiclink&token={}", "0".repeat(56))).send().await.expect(303);
    assert!(unknown.header("location").contains("error_code=otp_expired"));
    let confirm = |token: &str| {
        let form = format!("type=magiclink&token={token}");
        let ask = project.ask(Method::POST, "/verify/confirm");
        ask.header("content-type", "application/x-www-form-urlencoded").raw(form).send()
    };
    let landing = confirm(&letter.hash).await.expect(303);
    assert!(landing.header("location").contains("#access_token="));
    assert!(confirm(&letter.hash).await.expect(303).header("location").contains("error_code=otp_expired"));
    let used = project.get(&path).send().await.expect(303);
    assert!(used.header("location").contains("error_code=otp_expired"));
}

/// The project's rows, as who has the database has them.
async fn rows(app: &TestApp, project: &testkit::TestProject) -> storage::Tx {
    let instance = app.management.project(&project.project_ref).await.unwrap().project.instance;
    TenantStore::new(app.database.clone(), instance).begin().await.unwrap()
}

on_both!(what_the_database_holds_opens_nothing, what_the_database_holds_opens_nothing_on_postgres, stolen);
async fn stolen(app: TestApp) {
    let project = project(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let mut tx = rows(&app, &project).await;
    let row = tx.one_time_tokens().find_by_contact(ADDRESS, &[TokenKind::Recovery]).await.unwrap().remove(0);
    drop(tx);
    let code_hash = row.code_hash.unwrap();
    for token in [&row.hash, &code_hash, &row.hash[..56].to_owned(), &format!("pkce_{}", row.hash)] {
        verify(&project, json!({ "type": "magiclink", "token_hash": token })).await.expect(403);
    }
    verify(&project, json!({ "type": "magiclink", "token_hash": letter.hash })).await.expect(200);
}

on_both!(links_of_an_adopted_database_still_work, links_of_an_adopted_database_still_work_on_postgres, adopted);
async fn adopted(app: TestApp) {
    let project = project(&app, json!({})).await;
    let user = confirmed(&project, ADDRESS).await;
    // The reference server stores what stands in the link.
    let travels = crypto::otp::link_token(ADDRESS, "123456");
    let token = NewOneTimeToken {
        id: Uuid::from_u128(7),
        user_id: UserId(user["id"].as_str().unwrap().parse().unwrap()),
        kind: TokenKind::Recovery,
        hash: travels.clone(),
        code_hash: String::new(),
        relates_to: ADDRESS.to_owned(),
    };
    let mut tx = rows(&app, &project).await;
    tx.one_time_tokens().put(token, app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let path = format!("/verify?type=recovery&token={travels}");
    assert!(project.get(&path).send().await.expect(303).header("location").contains("#access_token="));
    assert!(project.get(&path).send().await.expect(303).header("location").contains("error_code=otp_expired"));
}

on_both!(wrong_codes_are_written_down_where_wanted, wrong_codes_are_written_down_where_wanted_on_postgres, written);
async fn written(app: TestApp) {
    let project = project(&app, json!({ "audit_log_failures_enabled": true })).await;
    confirmed(&project, ADDRESS).await;
    project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
    for email in [ADDRESS, "nobody@example.com"] {
        verify(&project, json!({ "type": "email", "email": email, "token": "000000" })).await.expect(403);
    }
    let path = "/admin/audit?query=action:login_failed";
    let rows = admin(&project, Method::GET, path, json!({})).await.expect(200).json();
    assert_eq!(rows.as_array().map(Vec::len), Some(2));
    assert_eq!(rows[0]["payload"]["traits"], json!({ "provider": "email", "reason": "otp_expired" }));
}

on_both!(the_landing_says_what_an_email_link_was, the_landing_says_what_an_email_link_was_on_postgres, resolved);
async fn resolved(app: TestApp) {
    let project = project(&app, json!({})).await;
    project.post("/signup", json!({ "email": ADDRESS, "password": "correct horse" })).send().await.expect(200);
    for (ask, kind) in [("", "signup"), ("/otp", "magiclink"), ("/recover", "magiclink")] {
        if !ask.is_empty() {
            app.clock.advance(2);
            project.post(ask, json!({ "email": ADDRESS })).send().await.expect(200);
        }
        let path = format!("/verify?type=email&token={}", mail(&app, ADDRESS).await.hash);
        let landing = project.get(&path).send().await.expect(303);
        let location = landing.header("location");
        assert!(location.contains("#access_token=") && location.ends_with(&format!("&type={kind}")), "{location}");
        assert!(project.get(&path).send().await.expect(303).header("location").contains("error_code=otp_expired"));
    }
}

on_both!(a_ban_shows_where_the_address_finds_the_user, a_ban_shows_where_the_address_finds_on_postgres, found);
async fn found(app: TestApp) {
    let project = project(&app, json!({})).await;
    let user = confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    put(&project, &session, json!({ "email": "new@example.com" })).await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    admin(&project, Method::PUT, &path, json!({ "ban_duration": "1h" })).await.expect(200);
    let miss = async |kind: &str, email: &str, code: &str| {
        let body = json!({ "type": kind, "email": email, "token": code });
        verify(&project, body).await.expect(403).error_code()
    };
    // Only its token finds who changes his address.
    assert_eq!(miss("email_change", ADDRESS, &wrong(&letter.code)).await, "otp_expired");
    assert_eq!(miss("email_change", "new@example.com", "000000").await, "otp_expired");
    assert_eq!(miss("email_change", ADDRESS, &letter.code).await, "user_banned");
    assert_eq!(miss("signup", ADDRESS, "000000").await, "user_banned");
    assert_eq!(miss("bogus", ADDRESS, "000000").await, "user_banned");
    assert_eq!(miss("bogus", "nobody@example.com", "000000").await, "otp_expired");
    assert_eq!(miss("sms", ADDRESS, "000000").await, "otp_expired");
    let discreet = json!({ "security_enumeration_protection_enabled": true });
    app.management.patch_config(&project.project_ref, discreet.as_object().unwrap()).await.unwrap();
    for kind in ["signup", "bogus", "email_change"] {
        assert_eq!(miss(kind, ADDRESS, "000000").await, "otp_expired", "{kind}");
    }
}

on_both!(guesses_leave_a_random_link_alive, guesses_leave_a_random_link_alive_on_postgres, random);
async fn random(app: TestApp) {
    for (mode, status) in [("random", 200), ("derived", 403)] {
        let config = json!({ "mailer_link_token_mode": mode, "security_otp_max_attempts": 3 });
        let project = project_named(&app, mode, config).await;
        let address = format!("{mode}@example.com");
        confirmed(&project, &address).await;
        project.post("/otp", json!({ "email": address })).send().await.expect(200);
        let letter = mail(&app, &address).await;
        let body = |code: &str| json!({ "type": "email", "email": address, "token": code });
        for _ in 0..4 {
            verify(&project, body(&wrong(&letter.code))).await.expect(403);
        }
        verify(&project, body(&letter.code)).await.expect(403);
        verify(&project, json!({ "type": "magiclink", "token_hash": letter.hash })).await.expect(status);
    }
}

on_both!(the_audience_of_the_request_narrows, the_audience_of_the_request_narrows_on_postgres, audience);
async fn audience(app: TestApp) {
    let project = project(&app, json!({})).await;
    for (email, aud) in [("ours@example.com", "authenticated"), ("theirs@example.com", "other")] {
        let body = json!({ "email": email, "aud": aud, "email_confirm": true, "password": "correct horse" });
        admin(&project, Method::POST, "/admin/users", body).await.expect(200);
        let link = json!({ "type": "magiclink", "email": email });
        let ask = project.post("/admin/generate_link", link).bearer(&project.service_role_key);
        let made = ask.header("x-jwt-aud", aud).send().await.expect(200).json();
        let body = json!({ "type": "magiclink", "email": email, "token": made["email_otp"] });
        let wrong = if aud == "other" { "" } else { "other" };
        let elsewhere = project.post("/verify", body.clone()).header("x-jwt-aud", wrong).send().await;
        assert_eq!(elsewhere.expect(403).error_code(), "otp_expired", "{aud}");
        let right = if aud == "other" { "other" } else { "" };
        let session = project.post("/verify", body).header("x-jwt-aud", right).send().await.expect(200).json();
        assert_eq!(session["user"]["aud"], aud);
    }
}
