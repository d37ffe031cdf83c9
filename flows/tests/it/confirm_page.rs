//! Links in projects that show a page first, and in projects that give sessions to challenges only.

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::both::on_both;
use crate::letters::{mail, shielded};
use crate::mails::{Received, confirming, type_code};

const EMAIL: &str = "a@example.com";

async fn follow(project: &TestProject, mail: &Received) -> Answer {
    let (_, path) = mail.link.split_once("/auth/v1").unwrap();
    project.get(path).send().await
}

/// Sends the form of the page.
async fn confirm(project: &TestProject, kind: &str, mail: &Received, more: &str) -> Answer {
    let form = format!("token={}&type={kind}&redirect_to={}{more}", mail.hash, mail.redirect);
    let ask = project.ask(Method::POST, "/verify/confirm").raw(form);
    ask.header("content-type", "application/x-www-form-urlencoded").header("sec-fetch-site", "same-origin").send().await
}

async fn sign_in(project: &TestProject, password: &str) -> Answer {
    project.post("/token?grant_type=password", json!({ "email": EMAIL, "password": password })).send().await
}

/// A user whose address is proven.
async fn user(project: &TestProject) -> Value {
    let body = json!({ "email": EMAIL, "password": "correct horse", "email_confirm": true });
    project.post("/admin/users", body).bearer(&project.service_role_key).send().await.expect(200);
    sign_in(project, "correct horse").await.expect(200).json()
}

on_both!(only_the_button_uses_a_link_up, only_the_button_uses_a_link_up_on_postgres, button);
async fn button(app: TestApp) {
    let project = app.project("page", confirming(json!({ "mailer_link_confirm_page_enabled": true }))).await;
    let body = json!({ "email": EMAIL, "password": "correct horse" });
    project.post("/signup", body).send().await.expect(200);
    let mail = mail(&app, EMAIL).await;
    for _ in 0..2 {
        let page = follow(&project, &mail).await.expect(200);
        assert!(page.text.contains("Confirm email address") && page.text.contains(&mail.hash), "{}", page.text);
        assert_eq!(page.header("cache-control"), "no-store");
    }
    let (_, path) = mail.link.split_once("/auth/v1").unwrap();
    project.ask(Method::HEAD, path).send().await.expect(405);
    project.get(path).header("purpose", "prefetch").send().await.expect(204);
    let landing = confirm(&project, "signup", &mail, "").await.expect(303);
    assert!(landing.header("location").contains("#access_token="), "{}", landing.header("location"));
    let again = confirm(&project, "signup", &mail, "").await.expect(303);
    assert!(again.header("location").contains("error_code=otp_expired"), "{}", again.header("location"));
    // A dead link leads on at once: there is nothing to confirm.
    assert!(follow(&project, &mail).await.expect(303).header("location").contains("error_code=otp_expired"));
}

async fn challenged_only(app: &TestApp, others: Value) -> TestProject {
    let mut config = confirming(json!({ "security_pkce_required": "all", "smtp_max_frequency": 1 }));
    config.as_object_mut().unwrap().extend(others.as_object().cloned().unwrap());
    app.project("challenged", config).await
}

on_both!(
    a_link_without_challenge_confirms_and_gives_nothing,
    a_link_without_challenge_confirms_and_gives_nothing_on_postgres,
    plain
);
async fn plain(app: TestApp) {
    let project = challenged_only(&app, json!({})).await;
    let body = json!({ "email": EMAIL, "password": "correct horse" });
    project.post("/signup", body).send().await.expect(200);
    let mail = mail(&app, EMAIL).await;
    assert!(follow(&project, &mail).await.expect(200).text.contains("Confirm email address"));
    assert_eq!(sign_in(&project, "correct horse").await.expect(400).error_code(), "email_not_confirmed");
    let landing = confirm(&project, "signup", &mail, "").await.expect(303);
    assert!(landing.header("location").contains("#message=Email+address+confirmed."), "{}", landing.header("location"));
    assert!(confirm(&project, "signup", &mail, "").await.expect(303).header("location").contains("otp_expired"));
    let session = sign_in(&project, "correct horse").await.expect(200).json();
    let own = project.get("/sessions").bearer(session["access_token"].as_str().unwrap()).send().await.expect(200);
    assert_eq!(own.header("x-total-count"), "1", "the link opened no session");
}

on_both!(a_link_with_challenge_gives_its_code, a_link_with_challenge_gives_its_code_on_postgres, challenged);
async fn challenged(app: TestApp) {
    let project = challenged_only(&app, json!({})).await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let body = json!({
        "email": EMAIL, "password": "correct horse", "code_challenge": challenge, "code_challenge_method": "s256",
    });
    project.post("/signup", body).send().await.expect(200);
    let mail = mail(&app, EMAIL).await;
    let landing = follow(&project, &mail).await.expect(303);
    assert!(landing.header("location").contains("?code="), "{}", landing.header("location"));
}

on_both!(
    a_recovery_without_challenge_sets_a_password,
    a_recovery_without_challenge_sets_a_password_on_postgres,
    recovery
);
async fn recovery(app: TestApp) {
    let project = challenged_only(&app, json!({ "password_min_length": 8 })).await;
    let old = user(&project).await;
    project.post("/recover", json!({ "email": EMAIL })).send().await.expect(200);
    let mail = mail(&app, EMAIL).await;
    assert!(follow(&project, &mail).await.expect(200).text.contains("New password"));
    for (more, told) in
        [("", "New password"), ("&password=", "New password"), ("&password=short", "at least 8 characters")]
    {
        let page = confirm(&project, "recovery", &mail, more).await.expect(200);
        assert!(page.text.contains(told), "{more}: {}", page.text);
    }
    sign_in(&project, "correct horse").await.expect(200);
    let landing = confirm(&project, "recovery", &mail, "&password=a+new+password").await.expect(303);
    assert!(landing.header("location").contains("#message=Password+set."), "{}", landing.header("location"));
    assert_eq!(sign_in(&project, "correct horse").await.expect(400).error_code(), "invalid_credentials");
    project.refresh(&old["refresh_token"]).send().await.expect(400);
    let session = sign_in(&project, "a new password").await.expect(200).json();
    let own = project.get("/sessions").bearer(session["access_token"].as_str().unwrap()).send().await.expect(200);
    assert_eq!(own.header("x-total-count"), "1");
}

on_both!(
    an_invitation_without_challenge_sets_a_password,
    an_invitation_without_challenge_sets_a_password_on_postgres,
    invitation
);
async fn invitation(app: TestApp) {
    let project = challenged_only(&app, json!({})).await;
    let invite = project.post("/invite", json!({ "email": EMAIL })).bearer(&project.service_role_key);
    invite.send().await.expect(200);
    let mail = mail(&app, EMAIL).await;
    assert!(follow(&project, &mail).await.expect(200).text.contains("New password"));
    let landing = confirm(&project, "invite", &mail, "&password=correct+horse").await.expect(303);
    assert!(landing.header("location").contains("#message=Password+set."), "{}", landing.header("location"));
    let session = sign_in(&project, "correct horse").await.expect(200).json();
    assert!(session["user"]["email_confirmed_at"].is_string());
}

on_both!(
    a_magic_link_without_challenge_says_to_type_the_code,
    a_magic_link_without_challenge_says_to_type_the_code_on_postgres,
    magic
);
async fn magic(app: TestApp) {
    let project = challenged_only(&app, json!({})).await;
    user(&project).await;
    project.post("/otp", json!({ "email": EMAIL, "create_user": false })).send().await.expect(200);
    let mail = mail(&app, EMAIL).await;
    for answer in [follow(&project, &mail).await, confirm(&project, "magiclink", &mail, "&password=x").await] {
        let page = answer.expect(200);
        assert!(page.text.contains("type the code") && !page.text.contains("<form"), "{}", page.text);
    }
    type_code(&project, "email", EMAIL, &mail.code).await.expect(200);
}

on_both!(
    the_shield_profile_asks_first_and_trades_a_code,
    the_shield_profile_asks_first_and_trades_a_code_on_postgres,
    shield
);
async fn shield(app: TestApp) {
    let project = shielded(&app, json!({})).await;
    // The pair of RFC 7636, appendix B.
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let body = json!({
        "email": EMAIL, "password": "walrus and carpenter", "code_challenge": challenge, "code_challenge_method": "s256",
    });
    project.post("/signup", body).send().await.expect(200);
    let mail = mail(&app, EMAIL).await;
    let page = follow(&project, &mail).await.expect(200);
    assert!(page.text.contains("Confirm email address"), "{}", page.text);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    let landing = confirm(&project, "signup", &mail, "").await.expect(303);
    let code = landing.header("location").split_once("?code=").unwrap().1.to_owned();
    let trade = json!({ "auth_code": code, "code_verifier": verifier });
    let session = project.post("/token?grant_type=pkce", trade).send().await.expect(200).json();
    assert_eq!(session["user"]["email"], EMAIL);
}
