//! Signing in with a passkey.

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use testkit::{Algorithm, Authenticator, TestApp, TestProject};

use crate::both::on_both;
use crate::hooks::{self, claims, sessions_of};
use crate::letters::admin;
use crate::passkey::{
    self, ORIGIN, ask, challenge, invalid, owner, passkeys, prove, register, said, sign_in, unknown_challenge,
};

/// The audit rows of an action, newest first.
async fn rows(project: &TestProject, action: &str) -> Vec<Value> {
    let path = format!("/admin/audit?query=action:{action}");
    let listed = admin(project, Method::GET, &path, json!({})).await.expect(200).json();
    listed.as_array().unwrap().iter().map(|row| row["payload"].clone()).collect()
}

on_both!(every_kind_of_passkey_signs_in, every_kind_of_passkey_signs_in_on_postgres, every_kind);
async fn every_kind(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let algorithms = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa, Algorithm::Rs256];
    for algorithm in algorithms.into_iter().chain([Algorithm::Ps256]) {
        for verifies_user in [true, false] {
            let mut authenticator = Authenticator::new(algorithm, ORIGIN);
            authenticator.verifies_user = verifies_user;
            // Passkeys that are copied to other devices do not count.
            authenticator.backed_up = verifies_user;
            authenticator.counts = !verifies_user;
            let made = register(&project, &session, &mut authenticator).await;
            for _ in 0..2 {
                app.clock.advance(1);
                let answer = sign_in(&project, &mut authenticator).await.expect(200);
                for header in ["sb-auth-user-id", "sb-auth-session-id", "sb-auth-refresh-token-counter"] {
                    assert!(!answer.header(header).is_empty(), "{header}");
                }
                let opened = answer.json();
                assert_eq!(opened["user"]["id"], session["user"]["id"]);
                let told = claims(&app, &project, &opened);
                assert_eq!((&told["aal"], &told["amr"][0]["method"]), (&json!("aal1"), &json!("passkey")));
                assert_eq!(told["amr"].as_array().unwrap().len(), 1);
                ask(&project, &opened, Method::GET, "/user").send().await.expect(200);
                project.refresh(&opened["refresh_token"]).send().await.expect(200);
            }
            let path = format!("/passkeys/{}", made["id"].as_str().unwrap());
            let used = passkeys(&project, &session).await.remove(0);
            assert!(used["last_used_at"].as_str().unwrap() > used["created_at"].as_str().unwrap());
            ask(&project, &session, Method::DELETE, &path).send().await.expect(204);
            let refused = sign_in(&project, &mut authenticator).await.expect(400);
            assert_eq!(said(&refused), invalid());
        }
    }
}

on_both!(a_sign_in_is_written_down, a_sign_in_is_written_down_on_postgres, written);
async fn written(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, mut authenticator) = owner(&project, "a@example.com").await;
    app.clock.advance(60);
    let opened = sign_in(&project, &mut authenticator).await.expect(200).json();
    assert_ne!(opened["user"]["last_sign_in_at"], session["user"]["last_sign_in_at"]);
    let row = rows(&project, "login").await.remove(0);
    let id = passkeys(&project, &session).await[0]["id"].clone();
    assert_eq!((&row["traits"], &row["log_type"]), (&json!({ "passkey_id": id }), &json!("account")));
    assert_eq!(row["actor_id"], session["user"]["id"]);
    // The session that was there goes on beside the new one.
    ask(&project, &session, Method::GET, "/user").send().await.expect(200);
    assert_eq!(sessions_of(&project, &session["user"]["id"]).await, 2);
}

on_both!(an_answer_counts_once, an_answer_counts_once_on_postgres, once);
async fn once(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (_, mut authenticator) = owner(&project, "a@example.com").await;
    let begun = challenge(&project).await;
    let answer = authenticator.get(&begun["options"]);
    prove(&project, &begun, answer.clone()).send().await.expect(200);
    assert_eq!(said(&prove(&project, &begun, answer.clone()).send().await.expect(400)), unknown_challenge());
    // The answer to one challenge is none to another, which it spends.
    let next = challenge(&project).await;
    assert_eq!(said(&prove(&project, &next, answer).send().await.expect(400)), invalid());
    let right = authenticator.get(&next["options"]);
    assert_eq!(said(&prove(&project, &next, right).send().await.expect(400)), unknown_challenge());
}

on_both!(parallel_answers_open_one_session, parallel_answers_open_one_session_on_postgres, parallel);
async fn parallel(app: TestApp) {
    let sibling = app.sibling().await;
    let project = passkey::project(&app, json!({})).await;
    let elsewhere = sibling.through(&project);
    let (session, mut authenticator) = owner(&project, "a@example.com").await;
    for counts in [true, false] {
        authenticator.counts = counts;
        let before = sessions_of(&project, &session["user"]["id"]).await;
        let begun = challenge(&project).await;
        let answer = authenticator.get(&begun["options"]);
        let gateways = [&project, &elsewhere];
        let answers = join_all((0..20).map(|n| prove(gateways[n % 2], &begun, answer.clone()).send())).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert!(answers.iter().all(|answer| answer.status == 200 || said(answer) == unknown_challenge()));
        assert_eq!(sessions_of(&project, &session["user"]["id"]).await, before + 1);
    }
}

on_both!(many_sign_ins_at_once_all_count, many_sign_ins_at_once_all_count_on_postgres, many);
async fn many(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, mut authenticator) = owner(&project, "a@example.com").await;
    authenticator.counts = false;
    let mut begun = Vec::new();
    for _ in 0..12 {
        let challenge = challenge(&project).await;
        let answer = authenticator.get(&challenge["options"]);
        begun.push((challenge, answer));
    }
    let asks = begun.iter().map(|(challenge, answer)| prove(&project, challenge, answer.clone()).send());
    for answer in join_all(asks).await {
        answer.expect(200);
    }
    assert_eq!(sessions_of(&project, &session["user"]["id"]).await, 13);
}

on_both!(whatever_is_wrong_the_answer_is_the_same, whatever_is_wrong_the_answer_is_the_same_on_postgres, wrong);
async fn wrong(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, mut authenticator) = owner(&project, "a@example.com").await;
    let (other, stranger) = owner(&project, "b@example.com").await;
    let handle = |session: &Value| session["user"]["id"].as_str().unwrap().as_bytes().to_vec();
    let text = |text: &str| Some(text.to_owned());
    type Lie<'a> = Box<dyn Fn(&mut Authenticator) + 'a>;
    let lies: Vec<(&str, Lie<'_>)> = vec![
        ("origin", Box::new(|one| one.lies.origin = text("https://evil.example"))),
        ("port", Box::new(|one| one.lies.origin = text("http://localhost:3001"))),
        ("relying party", Box::new(|one| one.lies.rp_id = text("example.com"))),
        ("challenge", Box::new(|one| one.lies.challenge = text("c29tZXRoaW5nLWVsc2U"))),
        ("ceremony", Box::new(|one| one.lies.kind = text("webauthn.create"))),
        ("nobody", Box::new(|one| one.lies.absent = true)),
        ("signature", Box::new(|one| one.lies.tampered = true)),
        ("backup", Box::new(|one| one.backed_up = true)),
        ("no user", Box::new(|one| one.lies.user_handle = Some(None))),
        ("another user", Box::new(|one| one.lies.user_handle = Some(Some(handle(&other))))),
        ("unknown user", Box::new(|one| one.lies.user_handle = Some(Some(vec![b'x'; 36])))),
        (
            "user in capitals",
            Box::new(|one| {
                one.lies.user_handle = Some(Some(handle(&session).to_ascii_uppercase()));
            }),
        ),
        ("unknown credential", Box::new(|one| one.lies.credential_id = Some(vec![7; 32]))),
        ("another's credential", Box::new(|one| one.lies.credential_id = Some(stranger.credential_id.clone()))),
    ];
    let before = sessions_of(&project, &session["user"]["id"]).await;
    for (what, lie) in lies {
        let begun = challenge(&project).await;
        let (honest, backed_up) = (authenticator.lies.clone(), authenticator.backed_up);
        lie(&mut authenticator);
        let answer = authenticator.get(&begun["options"]);
        (authenticator.lies, authenticator.backed_up) = (honest, backed_up);
        assert_eq!(said(&prove(&project, &begun, answer).send().await.expect(400)), invalid(), "{what}");
        let right = authenticator.get(&begun["options"]);
        assert_eq!(said(&prove(&project, &begun, right).send().await.expect(400)), unknown_challenge(), "{what}");
    }
    assert_eq!(sessions_of(&project, &session["user"]["id"]).await, before);
    assert!(rows(&project, "login_failed").await.is_empty());
    sign_in(&project, &mut authenticator).await.expect(200);
}

on_both!(nothing_of_another_project_counts, nothing_of_another_project_counts_on_postgres, another_project);
async fn another_project(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let elsewhere = app.project("elsewhere", passkey::settings(json!({}))).await;
    let (session, mut authenticator) = owner(&project, "a@example.com").await;
    elsewhere.sign_up("a@example.com").await;
    // Its passkey.
    assert_eq!(said(&sign_in(&elsewhere, &mut authenticator).await.expect(400)), invalid());
    // Its challenge, which is left alone.
    let begun = challenge(&project).await;
    let answer = authenticator.get(&begun["options"]);
    assert_eq!(said(&prove(&elsewhere, &begun, answer.clone()).send().await.expect(400)), unknown_challenge());
    prove(&project, &begun, answer).send().await.expect(200);
    // The id of a passkey.
    let id = passkeys(&project, &session).await[0]["id"].clone();
    let stranger = elsewhere.sign_in("a@example.com").await;
    let path = format!("/passkeys/{}", id.as_str().unwrap());
    let renamed = ask(&elsewhere, &stranger, Method::PATCH, &path).json(&json!({ "friendly_name": "mine" }));
    renamed.send().await.expect(404);
    ask(&elsewhere, &stranger, Method::DELETE, &path).send().await.expect(404);
    let user = session["user"]["id"].as_str().unwrap();
    admin(&elsewhere, Method::GET, &format!("/admin/users/{user}/passkeys"), json!({})).await.expect(404);
    admin(&elsewhere, Method::DELETE, &format!("/admin/users/{user}{path}"), json!({})).await.expect(404);
    assert_eq!(passkeys(&project, &session).await.len(), 1);
}

on_both!(what_cannot_be_read_spends_the_challenge, what_cannot_be_read_spends_the_challenge_on_postgres, unreadable);
async fn unreadable(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (_, mut authenticator) = owner(&project, "a@example.com").await;
    let verify = |body: Value| project.post("/passkeys/authentication/verify", body).send();
    for (body, message) in [
        (json!({}), "challenge_id is required"),
        (json!({ "challenge_id": "x" }), "credential is required"),
        (json!({ "challenge_id": "x", "credential": {} }), "challenge_id must be a valid UUID"),
    ] {
        let refused = verify(body).await.expect(400);
        assert_eq!(said(&refused), ("validation_failed".to_owned(), message.to_owned()));
    }
    let raw = project.ask(Method::POST, "/passkeys/authentication/verify").raw("nothing");
    assert_eq!(raw.header("content-type", "application/json").send().await.expect(400).error_code(), "bad_json");
    let broken: [fn(&mut Value); 6] = [
        |credential| *credential = json!({}),
        |credential| *credential = json!("text"),
        |credential| credential["response"]["authenticatorData"] = json!("AAAA"),
        |credential| credential["response"]["clientDataJSON"] = json!("*not base64url*"),
        |credential| credential["response"]["clientDataJSON"] = json!("e30"),
        |credential| credential["response"]["signature"] = json!(7),
    ];
    for spoil in broken {
        let begun = challenge(&project).await;
        let right = authenticator.get(&begun["options"]);
        let mut credential = right.clone();
        spoil(&mut credential);
        let refused = prove(&project, &begun, credential.clone()).send().await.expect(400);
        assert_eq!(refused.error_code(), "webauthn_verification_failed", "{credential}");
        assert_eq!(said(&prove(&project, &begun, right).send().await.expect(400)), unknown_challenge());
    }
}

on_both!(a_challenge_ends, a_challenge_ends_on_postgres, ends);
async fn ends(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (_, mut authenticator) = owner(&project, "a@example.com").await;
    let (begun, late) = (challenge(&project).await, challenge(&project).await);
    app.clock.advance(300);
    let answer = authenticator.get(&begun["options"]);
    prove(&project, &begun, answer).send().await.expect(200);
    app.clock.advance(1);
    let answer = authenticator.get(&late["options"]);
    let refused = prove(&project, &late, answer.clone()).send().await.expect(400);
    assert_eq!(refused.error_code(), "webauthn_challenge_expired");
    assert_eq!(said(&prove(&project, &late, answer).send().await.expect(400)), unknown_challenge());
}

on_both!(only_good_accounts_are_let_in, only_good_accounts_are_let_in_on_postgres, good_accounts);
async fn good_accounts(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, mut authenticator) = owner(&project, "a@example.com").await;
    let path = format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let set = |body: Value| admin(&project, Method::PUT, &path, body);
    // Between options and answer.
    let begun = challenge(&project).await;
    set(json!({ "ban_duration": "24h" })).await.expect(200);
    let answer = authenticator.get(&begun["options"]);
    let refused = prove(&project, &begun, answer).send().await.expect(403);
    assert_eq!(refused.error_code(), "user_banned");
    // A number that nobody has proven comes before the ban.
    set(json!({ "phone": "15550001111" })).await.expect(200);
    let refused = sign_in(&project, &mut authenticator).await.expect(403);
    assert_eq!(refused.error_code(), "phone_not_confirmed");
    set(json!({ "phone_confirm": true, "ban_duration": "none" })).await.expect(200);
    sign_in(&project, &mut authenticator).await.expect(200);
    // Whoever is gone was never there.
    admin(&project, Method::DELETE, &path, json!({ "should_soft_delete": true })).await.expect(200);
    assert_eq!(said(&sign_in(&project, &mut authenticator).await.expect(400)), invalid());
    admin(&project, Method::DELETE, &path, json!({})).await.expect(200);
    assert_eq!(said(&sign_in(&project, &mut authenticator).await.expect(400)), invalid());
}

on_both!(a_count_that_runs_backwards, a_count_that_runs_backwards_on_postgres, backwards);
async fn backwards(app: TestApp) {
    let compat = passkey::project(&app, json!({})).await;
    let shield = passkey::settings(json!({ "security_profile": "shield" }));
    let shield = app.project("shielded", shield).await;
    for (project, taken) in [(&compat, true), (&shield, false)] {
        let user = json!({ "email": "a@example.com", "password": "correct horse staple", "email_confirm": true });
        let user = admin(project, Method::POST, "/admin/users", user).await.expect(200).json();
        let body = json!({ "email": "a@example.com", "password": "correct horse staple" });
        let session = project.post("/token?grant_type=password", body).send().await.expect(200).json();
        let mut authenticator = passkey::authenticator();
        authenticator.sign_count = 7;
        let made = register(project, &session, &mut authenticator).await;
        sign_in(project, &mut authenticator).await.expect(200);
        // A copy that has signed less often; the count that is known stays.
        for _ in 0..2 {
            authenticator.sign_count = 6;
            let before = sessions_of(project, &user["id"]).await;
            let answer = sign_in(project, &mut authenticator).await;
            if taken {
                answer.expect(200);
                let traits = json!({ "passkey_id": made["id"], "counter_regressed": true });
                assert_eq!(rows(project, "login").await[0]["traits"], traits);
            } else {
                assert_eq!(said(&answer.expect(400)), invalid());
                let row = rows(project, "login_failed").await.remove(0);
                assert_eq!((&row["traits"]["counter_regressed"], &row["actor_id"]), (&json!(true), &user["id"]));
            }
            assert_eq!(sessions_of(project, &user["id"]).await, before + usize::from(taken));
        }
        authenticator.sign_count = 8;
        let answer = sign_in(project, &mut authenticator).await.expect(200);
        assert_eq!(answer.json()["user"]["id"], user["id"]);
        let row = rows(project, "login").await.remove(0);
        assert_eq!(row["traits"], json!({ "passkey_id": made["id"] }));
    }
}

on_both!(an_authenticator_that_knew_its_user_raises, an_authenticator_that_knew_its_user_raises_on_postgres, raises);
async fn raises(app: TestApp) {
    let project = passkey::project(&app, json!({ "passkey_assurance_level": "aal2" })).await;
    let (_, mut authenticator) = owner(&project, "a@example.com").await;
    for (verifies_user, level) in [(true, "aal2"), (false, "aal1"), (true, "aal2")] {
        authenticator.verifies_user = verifies_user;
        let opened = sign_in(&project, &mut authenticator).await.expect(200).json();
        let told = claims(&app, &project, &opened);
        assert_eq!((&told["aal"], &told["amr"][0]["method"]), (&json!(level), &json!("passkey")));
        let refreshed = project.refresh(&opened["refresh_token"]).send().await.expect(200).json();
        assert_eq!(claims(&app, &project, &refreshed)["aal"], level);
        let listed = ask(&project, &opened, Method::GET, "/sessions").send().await.expect(200).json();
        let mut listed = listed["sessions"].as_array().unwrap().iter();
        assert_eq!(listed.find(|session| session["current"] == true).unwrap()["aal"], level);
    }
    let project = app.project("required", passkey::settings(json!({ "webauthn_user_verification": "required" }))).await;
    let (_, mut authenticator) = owner(&project, "a@example.com").await;
    let begun = challenge(&project).await;
    assert_eq!(begun["options"]["userVerification"], "required");
    authenticator.verifies_user = false;
    assert_eq!(said(&sign_in(&project, &mut authenticator).await.expect(400)), invalid());
    authenticator.verifies_user = true;
    let opened = sign_in(&project, &mut authenticator).await.expect(200).json();
    assert_eq!(claims(&app, &project, &opened)["aal"], "aal1");
}

on_both!(beginnings_are_limited_before_the_captcha, beginnings_are_limited_on_postgres, limited);
async fn limited(app: TestApp) {
    let captcha = json!({
        "security_captcha_enabled": true,
        "security_captcha_provider": "turnstile",
        "security_captcha_secret": "captcha-secret",
    });
    let project = passkey::project(&app, captcha).await;
    let begin = |body: Value, address: &str| {
        project.post("/passkeys/authentication/options", body).header("x-forwarded-for", address).send()
    };
    for _ in 0..30 {
        assert_eq!(begin(json!({}), "192.0.2.7").await.expect(400).error_code(), "captcha_failed");
    }
    let solved = json!({ "gotrue_meta_security": { "captcha_token": "a-token" } });
    let refused = begin(solved.clone(), "192.0.2.7").await.expect(429);
    assert_eq!(refused.error_code(), "over_request_rate_limit");
    begin(solved.clone(), "192.0.2.8").await.expect(200);
    app.clock.advance(10);
    begin(solved, "192.0.2.7").await.expect(200);
    begin(json!({}), "192.0.2.7").await.expect(429);
}

on_both!(options_need_no_body, options_need_no_body_on_postgres, no_body);
async fn no_body(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let path = "/passkeys/authentication/options";
    let bare = project.ask(Method::POST, path).send().await.expect(200).json();
    assert!(bare["options"].get("allowCredentials").is_none());
    let junk = project.ask(Method::POST, path).raw("not json").header("content-type", "application/json");
    let junk = junk.send().await.expect(200).json();
    assert_ne!(bare["options"]["challenge"], junk["options"]["challenge"]);
}

on_both!(the_hook_shapes_and_stops_the_token, the_hook_shapes_and_stops_the_token_on_postgres, hook);
async fn hook(app: TestApp) {
    const POINT: &str = "custom_access_token";
    let config = hooks::config(&[POINT], passkey::settings(json!({ "passkey_assurance_level": "aal2" })));
    let project = app.project("hooks", config).await;
    app.hooks.reply_with(&hooks::uri(POINT), |payload| {
        let mut claims = payload["claims"].as_object().cloned().unwrap();
        claims.insert("tenant".to_owned(), json!("acme"));
        Ok(json!({ "claims": claims }))
    });
    let (session, mut authenticator) = owner(&project, "a@example.com").await;
    app.hooks.take(&hooks::uri(POINT));
    let opened = sign_in(&project, &mut authenticator).await.expect(200).json();
    let heard = app.hooks.take(&hooks::uri(POINT)).remove(0);
    assert_eq!((&heard["authentication_method"], &heard["claims"]["aal"]), (&json!("passkey"), &json!("aal2")));
    assert_eq!(claims(&app, &project, &opened)["tenant"], "acme");
    app.hooks.reply_with(&hooks::uri(POINT), |_| Ok(hooks::error(403, "not today")));
    let before = sessions_of(&project, &session["user"]["id"]).await;
    let refused = sign_in(&project, &mut authenticator).await.expect(403);
    assert_eq!(refused.json()["msg"], "not today");
    assert_eq!(sessions_of(&project, &session["user"]["id"]).await, before);
}
