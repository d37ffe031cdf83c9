//! Recovery codes.

use std::collections::BTreeSet;

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, Ask, TestApp, TestProject};

use crate::both::on_both;
use crate::hooks::{claims, config, error, uri};
use crate::letters::{access, admin, confirmed, mail, project};
use crate::mails::take;
use crate::statements::undisturbed;
use crate::totp::{Totp, enrolled};

const ADDRESS: &str = "a@example.com";

const PATH: &str = "/factors/recovery-codes";

/// A project that has recovery codes, with `more` on top.
async fn with_codes(app: &TestApp, more: Value) -> TestProject {
    project(app, codes_on(more)).await
}

fn codes_on(more: Value) -> Value {
    let mut config = json!({ "mfa_recovery_codes_enroll_enabled": true, "mfa_recovery_codes_verify_enabled": true });
    config.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    config
}

async fn get(project: &TestProject, session: &Value) -> Answer {
    project.get(PATH).bearer(access(session)).send().await
}

async fn post(project: &TestProject, session: &Value, end: &str) -> Answer {
    project.ask(Method::POST, &format!("{PATH}{end}")).bearer(access(session)).send().await
}

async fn delete(project: &TestProject, session: &Value) -> Answer {
    project.ask(Method::DELETE, PATH).bearer(access(session)).send().await
}

async fn try_code(project: &TestProject, session: &Value, code: &str) -> Answer {
    project.post(&format!("{PATH}/verify"), json!({ "code": code })).bearer(access(session)).send().await
}

fn codes(made: &Value) -> Vec<String> {
    made["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

/// A user with a factor and codes: the factor, a session of two factors, and the codes.
async fn prepared(app: &TestApp, project: &TestProject) -> (Totp, Value, Vec<String>) {
    confirmed(project, ADDRESS).await;
    let (totp, raised) = enrolled(app, project, &project.sign_in(ADDRESS).await).await;
    let made = post(project, &raised, "").await.expect(200).json();
    (totp, raised, codes(&made))
}

on_both!(a_set_is_shown_once, a_set_is_shown_once_on_postgres, shown_once);
async fn shown_once(app: TestApp) {
    let project = with_codes(&app, json!({})).await;
    confirmed(&project, ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    assert_eq!(get(&project, &session).await.expect(404).error_code(), "mfa_factor_not_found");
    assert_eq!(post(&project, &session, "").await.expect(403).error_code(), "insufficient_aal");
    let (_, raised) = enrolled(&app, &project, &session).await;
    let made = post(&project, &raised, "").await.expect(200).json();
    assert_eq!((&made["type"], &made["total"], &made["remaining"]), (&json!("recovery_code"), &json!(10), &json!(10)));
    let codes = codes(&made);
    let distinct: BTreeSet<&String> = codes.iter().collect();
    assert_eq!(distinct.len(), 10);
    for code in &codes {
        assert!(code.len() == 16 && code.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')), "{code}");
    }
    assert_eq!(post(&project, &raised, "").await.expect(422).error_code(), "mfa_verified_factor_exists");

    // At one factor they can be counted, no more.
    let low = project.sign_in(ADDRESS).await;
    let counted = get(&project, &low).await.expect(200).json();
    assert_eq!(counted, json!({ "id": made["id"], "type": "recovery_code", "total": 10, "remaining": 10 }));
    for refused in
        [post(&project, &low, "").await, post(&project, &low, "/regenerate").await, delete(&project, &low).await]
    {
        assert_eq!(refused.expect(403).error_code(), "insufficient_aal");
    }
    // Clients know no such type of factor.
    let user = project.get("/user").bearer(access(&raised)).send().await.expect(200).json();
    assert_eq!(user["factors"].as_array().unwrap().len(), 1);
    let stored = app.stored_text().await;
    assert!(codes.iter().all(|code| !stored.contains(code.as_str())));
}

on_both!(a_code_takes_the_place_of_the_factor, a_code_takes_the_place_of_the_factor_on_postgres, raises);
async fn raises(app: TestApp) {
    let project = with_codes(&app, json!({})).await;
    let (_, elsewhere, codes) = prepared(&app, &project).await;
    let low = project.sign_in(ADDRESS).await;
    let session = project.sign_in(ADDRESS).await;
    app.clock.advance(5);
    assert_eq!(try_code(&project, &session, "").await.expect(400).error_code(), "validation_failed");
    let typed = format!(" {}-{} ", codes[0][..8].to_uppercase(), &codes[0][8..]);
    let raised = try_code(&project, &session, &typed).await.expect(200).json();
    let (before, after) = (claims(&app, &project, &session), claims(&app, &project, &raised));
    assert_eq!(before["session_id"], after["session_id"]);
    assert_eq!((&before["aal"], &after["aal"]), (&json!("aal1"), &json!("aal2")));
    let methods: Vec<&Value> = after["amr"].as_array().unwrap().iter().map(|entry| &entry["method"]).collect();
    assert_eq!(methods, ["mfa/recovery_code", "password"]);
    let again = project.refresh(&raised["refresh_token"]).send().await.expect(200).json();
    assert_eq!(claims(&app, &project, &again)["aal"], "aal2");

    project.get("/user").bearer(access(&low)).send().await.expect(403);
    project.get("/user").bearer(access(&elsewhere)).send().await.expect(200);
    assert_eq!(get(&project, &raised).await.expect(200).json()["remaining"], 9);
    for used in [&codes[0], &typed] {
        let refused = try_code(&project, &raised, used).await.expect(422);
        assert_eq!(refused.error_code(), "mfa_verification_failed");
        assert_eq!(refused.json()["msg"], "Invalid recovery code entered");
    }
    // A raised session can use another.
    try_code(&project, &raised, &codes[9]).await.expect(200);
    let rows = admin(&project, Method::GET, "/admin/audit?query=action:verification_attempted", json!({})).await;
    assert_eq!(rows.expect(200).json()[0]["payload"]["traits"]["factor_type"], "recovery_code");
}

on_both!(new_codes_replace_old_ones, new_codes_replace_old_ones_on_postgres, regenerated);
async fn regenerated(app: TestApp) {
    let project =
        with_codes(&app, json!({ "mfa_recovery_codes_count": 12, "mfa_recovery_codes_code_length": 20 })).await;
    let (_, raised, old) = prepared(&app, &project).await;
    let set = get(&project, &raised).await.expect(200).json()["id"].clone();
    let raised = try_code(&project, &raised, &old[0]).await.expect(200).json();
    let made = post(&project, &raised, "/regenerate").await.expect(200).json();
    assert_eq!((&made["id"], &made["total"], &made["remaining"]), (&set, &json!(12), &json!(12)));
    let new = codes(&made);
    assert!(new.iter().all(|code| code.len() == 20 && !old.contains(code)));
    try_code(&project, &raised, &old[1]).await.expect(422);
    try_code(&project, &raised, &new[1]).await.expect(200);
    assert_eq!(delete(&project, &raised).await.expect(200).json(), json!({ "id": set }));
    for gone in [
        get(&project, &raised).await,
        delete(&project, &raised).await,
        post(&project, &raised, "/regenerate").await,
        try_code(&project, &raised, &new[2]).await,
    ] {
        assert_eq!(gone.expect(404).error_code(), "mfa_factor_not_found");
    }
    let again = post(&project, &raised, "").await.expect(200).json();
    assert_ne!(again["id"], set);
}

on_both!(a_project_switches_codes_on, a_project_switches_codes_on_on_postgres, switches);
async fn switches(app: TestApp) {
    let off = project(&app, json!({})).await;
    confirmed(&off, ADDRESS).await;
    let (_, raised) = enrolled(&app, &off, &off.sign_in(ADDRESS).await).await;
    for end in ["", "/regenerate"] {
        assert_eq!(post(&off, &raised, end).await.expect(422).error_code(), "mfa_recovery_codes_enroll_not_enabled");
    }
    let refused = try_code(&off, &raised, "aaaaaaaaaaaaaaaa").await.expect(422);
    assert_eq!(refused.error_code(), "mfa_recovery_codes_verify_not_enabled");
    get(&off, &raised).await.expect(404);
    // Guests have none.
    let guest = off.post("/signup", json!({})).send().await.expect(200).json();
    for refused in [
        get(&off, &guest).await,
        post(&off, &guest, "").await,
        post(&off, &guest, "/regenerate").await,
        try_code(&off, &guest, "aaaaaaaaaaaaaaaa").await,
        delete(&off, &guest).await,
    ] {
        assert_eq!(refused.expect(403).error_code(), "no_authorization");
    }
    off.ask(Method::POST, PATH).send().await.expect(401);
}

on_both!(codes_go_with_the_last_factor, codes_go_with_the_last_factor_on_postgres, go_with);
async fn go_with(app: TestApp) {
    let project = with_codes(&app, json!({})).await;
    let (totp, raised, codes) = prepared(&app, &project).await;
    let low = project.sign_in(ADDRESS).await;
    totp.unenroll(&project, &raised).await.expect(200);
    get(&project, &low).await.expect(404);
    assert_eq!(try_code(&project, &low, &codes[0]).await.expect(404).error_code(), "mfa_factor_not_found");
    // They do not come back with the next one.
    let (_, raised) = enrolled(&app, &project, &low).await;
    get(&project, &raised).await.expect(404);
    // Nor do they outlive the account.
    post(&project, &raised, "").await.expect(200);
    assert!(app.stored_text().await.contains("$argon2id$"));
    project.ask(Method::DELETE, "/user").bearer(access(&raised)).send().await.expect(204);
    assert!(!app.stored_text().await.contains("$argon2id$"));
}

on_both!(wrong_codes_lock_the_set, wrong_codes_lock_the_set_on_postgres, locks);
async fn locks(app: TestApp) {
    let sibling = app.sibling().await;
    let project = with_codes(&app, json!({})).await;
    let other_gateway = sibling.through(&project);
    let (totp, _, codes) = prepared(&app, &project).await;
    let wrong = "a".repeat(16);
    for n in 0..5 {
        // Another session has no budget of its own.
        let session = project.sign_in(ADDRESS).await;
        let gateway = if n % 2 == 0 { &project } else { &other_gateway };
        assert_eq!(try_code(gateway, &session, &wrong).await.expect(422).error_code(), "mfa_verification_failed");
        app.clock.advance(10);
    }
    let session = project.sign_in(ADDRESS).await;
    for gateway in [&project, &other_gateway] {
        let locked = try_code(gateway, &session, &codes[0]).await.expect(429);
        assert_eq!(locked.error_code(), "mfa_recovery_codes_locked");
        assert_eq!(locked.json()["msg"], "Too many failed verification attempts, try again later");
        assert_eq!(locked.header("retry-after"), "850");
    }
    // The factor itself still works, and the set can be looked at.
    get(&project, &session).await.expect(200);
    let raised = totp.raise(&app, &project, &session).await.expect(200).json();
    try_code(&project, &raised, &codes[0]).await.expect(429);
    // New codes were not guessed at.
    let made = post(&project, &raised, "/regenerate").await.expect(200).json();
    try_code(&project, &raised, &self::codes(&made)[0]).await.expect(200);
    for _ in 0..5 {
        try_code(&project, &raised, &wrong).await.expect(422);
    }
    try_code(&project, &raised, &self::codes(&made)[1]).await.expect(429);
    app.clock.advance(900);
    try_code(&project, &raised, &self::codes(&made)[1]).await.expect(200);
    // A right one clears the count.
    for _ in 0..5 {
        try_code(&project, &raised, &wrong).await.expect(422);
    }
}

on_both!(codes_count_as_second_factors_of_a_session, codes_count_as_second_factors_on_postgres, budgets);
async fn budgets(app: TestApp) {
    let limits = json!({ "rate_limit_mfa_verify_per_session": 2, "rate_limit_mfa_verify_per_user": 3 });
    let project = with_codes(&app, limits).await;
    let (_, _, codes) = prepared(&app, &project).await;
    let (one, two) = (project.sign_in(ADDRESS).await, project.sign_in(ADDRESS).await);
    let wrong = "a".repeat(16);
    for _ in 0..2 {
        try_code(&project, &one, &wrong).await.expect(422);
    }
    assert_eq!(try_code(&project, &one, &codes[0]).await.expect(429).error_code(), "over_request_rate_limit");
    try_code(&project, &two, &wrong).await.expect(422);
    assert_eq!(try_code(&project, &two, &codes[0]).await.expect(429).error_code(), "over_request_rate_limit");
}

on_both!(a_code_is_used_once_however_many_try, a_code_is_used_once_however_many_try_on_postgres, used_once);
async fn used_once(app: TestApp) {
    let sibling = app.sibling().await;
    let project = with_codes(&app, json!({ "mfa_recovery_codes_max_verify_attempts": 15 })).await;
    let elsewhere = sibling.through(&project);
    let (_, raised, codes) = prepared(&app, &project).await;
    for code in &codes[..3] {
        let session = project.sign_in(ADDRESS).await;
        let gateways = [&project, &elsewhere];
        let answers = join_all((0..20).map(|n| try_code(gateways[n % 2], &session, code))).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 422, 429].contains(status)), "{statuses:?}");
        app.clock.advance(900);
    }
    assert_eq!(get(&project, &raised).await.expect(200).json()["remaining"], 7);
}

on_both!(each_code_counts_when_many_are_used_at_once, each_code_counts_when_many_are_used_on_postgres, each_counts);
async fn each_counts(app: TestApp) {
    let project = with_codes(&app, json!({ "mfa_recovery_codes_max_verify_attempts": 15 })).await;
    let (_, raised, codes) = prepared(&app, &project).await;
    let answers = join_all(codes[..6].iter().map(|code| try_code(&project, &raised, code))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(get(&project, &raised).await.expect(200).json()["remaining"], 4);
}

on_both!(its_owner_is_told_of_every_use, its_owner_is_told_of_every_use_on_postgres, told);
async fn told(app: TestApp) {
    let project = with_codes(&app, json!({})).await;
    let (_, raised, codes) = prepared(&app, &project).await;
    take(&app, ADDRESS).await;
    for (n, code) in codes.iter().enumerate() {
        try_code(&project, &raised, code).await.expect(200);
        let left = 9 - n;
        let told = mail(&app, ADDRESS).await.html;
        assert!(told.contains(&format!("Codes left: {left}.")), "{told}");
        assert_eq!(told.contains("Make new ones"), left <= 3, "{told}");
    }
    try_code(&project, &raised, "nonsense").await.expect(422);
    assert!(take(&app, ADDRESS).await.is_empty());
}

on_both!(a_hook_tells_how_many_are_left, a_hook_tells_how_many_are_left_on_postgres, by_hook);
async fn by_hook(app: TestApp) {
    let project = app.project("hooks", config(&["send_email"], codes_on(json!({})))).await;
    app.hooks.reply(&uri("send_email"), Ok(json!({})));
    let (_, raised, codes) = prepared(&app, &project).await;
    app.hooks.take(&uri("send_email"));
    try_code(&project, &raised, &codes[0]).await.expect(200);
    let told = app.hooks.take(&uri("send_email"));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["email_data"]["email_action_type"], "recovery_code_used_notification");
    assert_eq!(told[0]["email_data"]["remaining"], 9);
}

on_both!(nobody_is_told_where_that_is_off, nobody_is_told_where_that_is_off_on_postgres, not_told);
async fn not_told(app: TestApp) {
    let project = with_codes(&app, json!({ "mailer_notifications_recovery_code_used_enabled": false })).await;
    let (_, raised, codes) = prepared(&app, &project).await;
    take(&app, ADDRESS).await;
    try_code(&project, &raised, &codes[0]).await.expect(200);
    assert!(take(&app, ADDRESS).await.is_empty());
}

on_both!(a_refused_token_uses_no_code_up, a_refused_token_uses_no_code_up_on_postgres, refused_token);
async fn refused_token(app: TestApp) {
    let project = app.project("hooks", config(&["custom_access_token"], codes_on(json!({})))).await;
    let echo = |payload: &Value| Ok(json!({ "claims": payload["claims"] }));
    app.hooks.reply_with(&uri("custom_access_token"), echo);
    let (_, _, codes) = prepared(&app, &project).await;
    let session = project.sign_in(ADDRESS).await;
    app.hooks.reply(&uri("custom_access_token"), Ok(error(403, "not today")));
    try_code(&project, &session, &codes[0]).await.expect(403);
    app.hooks.reply_with(&uri("custom_access_token"), echo);
    assert_eq!(get(&project, &session).await.expect(200).json()["remaining"], 10);
    try_code(&project, &session, &codes[0]).await.expect(200);
}

on_both!(wrong_codes_are_written_down, wrong_codes_are_written_down_on_postgres, written_down);
async fn written_down(app: TestApp) {
    for (enabled, rows) in [(false, 0), (true, 1)] {
        let config = codes_on(json!({ "audit_log_failures_enabled": enabled }));
        let project = app.project(if enabled { "writes" } else { "silent" }, config).await;
        let (_, raised, _) = prepared(&app, &project).await;
        try_code(&project, &raised, "nonsense").await.expect(422);
        let found = admin(&project, Method::GET, "/admin/audit?query=action:login_failed", json!({})).await.expect(200);
        let found = found.json().as_array().unwrap().clone();
        assert_eq!(found.len(), rows, "{found:?}");
        for row in found {
            let traits = &row["payload"]["traits"];
            let said = (&traits["factor_type"], &traits["reason"]);
            assert_eq!(said, (&json!("recovery_code"), &json!("mfa_verification_failed")));
        }
    }
}

on_both!(a_session_that_ended_makes_no_codes, a_session_that_ended_makes_no_codes_on_postgres, ended);
async fn ended(app: TestApp) {
    let project = with_codes(&app, json!({})).await;
    let (_, raised, codes) = prepared(&app, &project).await;
    project.ask(Method::POST, "/logout").bearer(access(&raised)).send().await.expect(204);
    for refused in [
        post(&project, &raised, "/regenerate").await,
        delete(&project, &raised).await,
        try_code(&project, &raised, &codes[0]).await,
    ] {
        assert_eq!(refused.expect(403).error_code(), "session_not_found");
    }
    let session = project.sign_in(ADDRESS).await;
    try_code(&project, &session, &codes[0]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: set TENANTRY_TEST_POSTGRES_URL"]
async fn codes_keep_their_budget() {
    let app = undisturbed().await;
    let project = with_codes(&app, json!({})).await;
    let (_, raised, codes) = prepared(&app, &project).await;
    let raised = try_code(&project, &raised, &codes[0]).await.expect(200).json();
    let counted = async |what: &str, budget: u64, ask: Ask| {
        let before = app.database.statements();
        let answer = ask.bearer(access(&raised)).send().await;
        let spent = app.database.statements() - before;
        assert!(spent <= budget, "{what}: {spent} round trips, not {budget}");
        answer
    };
    let wrong = project.post(&format!("{PATH}/verify"), json!({ "code": "nonsense" }));
    counted("look", 2, project.get(PATH)).await.expect(200);
    counted("wrong code", 2, wrong).await.expect(422);
    let renew = project.ask(Method::POST, &format!("{PATH}/regenerate"));
    counted("regenerate", 12, renew).await.expect(200);
    counted("delete", 9, project.ask(Method::DELETE, PATH)).await.expect(200);
}
