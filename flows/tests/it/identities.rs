//! Linking an identity to the account one is signed in to.

use domain::provider::SignedIn;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::account::{ADDRESS, come, providers, rows, told_of_links};
use crate::both::on_both;
use crate::letters::{access, put};
use crate::mails::{self, confirmed_user, show_hash};
use crate::oauth::{self, Landed, land, person, state, user, with_addresses};

/// Links whoever `signed_in` is at `provider` to the account of `session`.
pub(crate) async fn link(
    app: &TestApp,
    project: &TestProject,
    session: &Value,
    provider: &str,
    signed_in: SignedIn,
) -> Landed {
    let code = format!("link-{provider}-{}", signed_in.profile.subject);
    app.providers.grant(&code, Ok(signed_in));
    let path = format!("/user/identities/authorize?provider={provider}");
    let begun = project.get(&path).bearer(access(session)).send().await.expect(302);
    land(project, &state(&begun), &code).await
}

on_both!(a_link_leaves_the_account_as_it_is, a_link_leaves_the_account_as_it_is_on_postgres, leaves);
async fn leaves(app: TestApp) {
    let (project, account) = told_of_links(&app).await;
    let session = project.sign_in(ADDRESS).await;
    let landed = link(&app, &project, &session, "gitlab", person("1", "other@example.com")).await;
    let linked = user(&project, landed.access_token()).await;
    assert_eq!((&linked["id"], &linked["email"]), (&account["id"], &json!(ADDRESS)));
    assert_eq!(linked["user_metadata"], account["user_metadata"]);
    assert_eq!(linked["app_metadata"], json!({ "provider": "email", "providers": ["email", "gitlab"] }));
    let told = mails::one(&app, ADDRESS).await;
    assert_eq!((told.kind.as_str(), told.code.as_str()), ("linked", "gitlab"));
    let log = rows(&project, "identity_linked").await;
    assert_eq!((log.len(), &log[0]["payload"]["actor_id"]), (1, &account["id"]));
    assert!(!log[0]["ip_address"].as_str().unwrap().is_empty());
    // It signs in from now on.
    let landed = come(&app, &project, "gitlab", person("1", "other@example.com")).await;
    assert_eq!(user(&project, landed.access_token()).await["id"], account["id"]);
}

on_both!(an_identity_is_one_accounts, an_identity_is_one_accounts_on_postgres, one);
async fn one(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    come(&app, &project, "gitlab", person("1", ADDRESS)).await.access_token();
    confirmed_user(&project, json!({ "email": "bo@example.com" })).await;
    let session = project.sign_in("bo@example.com").await;
    let error = |text| ["server_error", "identity_already_exists", text];
    let landed = link(&app, &project, &session, "gitlab", person("1", ADDRESS)).await;
    assert_eq!(landed.error(), error("Identity is already linked to another user"));
    link(&app, &project, &session, "gitlab", person("2", "bo@example.com")).await.access_token();
    let landed = link(&app, &project, &session, "gitlab", person("2", "bo@example.com")).await;
    assert_eq!(landed.error(), error("Identity is already linked"));
    // Several of one provider may be.
    let landed = link(&app, &project, &session, "gitlab", person("3", "bo@example.com")).await;
    assert_eq!(providers(&user(&project, landed.access_token()).await), ["email", "gitlab", "gitlab"]);
}

on_both!(the_account_may_be_gone_or_banned, the_account_may_be_gone_or_banned_on_postgres, gone);
async fn gone(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let account = confirmed_user(&project, json!({ "email": ADDRESS })).await;
    let session = project.sign_in(ADDRESS).await;
    app.providers.grant("one", Ok(person("1", ADDRESS)));
    let mut begun = Vec::new();
    for _ in 0..2 {
        let path = "/user/identities/authorize?provider=gitlab";
        begun.push(state(&project.get(path).bearer(access(&session)).send().await.expect(302)));
    }
    let path = format!("/admin/users/{}", account["id"].as_str().unwrap());
    let as_admin = |method, body| crate::letters::admin(&project, method, &path, body);
    as_admin(http::Method::PUT, json!({ "ban_duration": "24h" })).await.expect(200);
    let refused = land(&project, &begun[0], "one").await;
    assert!(!refused.fragment.contains_key("access_token"), "{refused:?}");
    assert_eq!(providers(&mails::read_user(&project, &account["id"]).await), ["email"]);
    as_admin(http::Method::DELETE, json!({})).await.expect(200);
    let back = oauth::back(&project, &begun[1], "one").send().await.expect(303);
    assert!(Landed::of(&back).error()[1].contains("not_found") || Landed::of(&back).error()[1] == "bad_oauth_state");
}

on_both!(a_guest_becomes_somebody, a_guest_becomes_somebody_on_postgres, guest);
async fn guest(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let guest = project.post("/signup", json!({ "data": { "cart": 3 } })).send().await.expect(200).json();
    let landed = link(&app, &project, &guest, "gitlab", person("1", ADDRESS)).await;
    let now = user(&project, landed.access_token()).await;
    assert_eq!(
        (&now["id"], &now["email"], &now["is_anonymous"]),
        (&guest["user"]["id"], &json!(ADDRESS), &json!(false))
    );
    assert!(now["email_confirmed_at"].is_string());
    assert_eq!(now["user_metadata"], json!({ "cart": 3, "email_verified": true }));
    assert_eq!(now["app_metadata"], json!({ "provider": "gitlab", "providers": ["gitlab"] }));
    // The session from before goes on.
    let refreshed = project.refresh(&guest["refresh_token"]).send().await.expect(200).json();
    assert_eq!(refreshed["user"]["is_anonymous"], false);
    // A plain sign-in of another guest makes a second account.
    let other = project.post("/signup", json!({})).send().await.expect(200).json();
    let landed = come(&app, &project, "gitlab", person("2", "bo@example.com")).await;
    assert_ne!(user(&project, landed.access_token()).await["id"], other["user"]["id"]);
    let still = user(&project, access(&other)).await;
    assert_eq!(still["is_anonymous"], true);
}

on_both!(a_guest_confirms_an_unverified_address, a_guest_confirms_an_unverified_address_on_postgres, confirms);
async fn confirms(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let guest = project.post("/signup", json!({})).send().await.expect(200).json();
    let landed = link(&app, &project, &guest, "gitlab", with_addresses("1", &[(ADDRESS, false)])).await;
    let text = "Unverified email with gitlab. A confirmation email has been sent to your gitlab email";
    assert_eq!(landed.error(), ["server_error", "email_not_confirmed", text]);
    let waiting = user(&project, access(&guest)).await;
    assert_eq!((&waiting["email"], &waiting["is_anonymous"]), (&json!(ADDRESS), &json!(true)));
    assert_eq!((providers(&waiting), &waiting["app_metadata"]), (vec!["gitlab"], &json!({})));
    let letter = mails::one(&app, ADDRESS).await;
    assert_eq!(letter.kind, "confirmation");
    let confirmed = show_hash(&project, "signup", &letter.hash).await.expect(200).json();
    assert_eq!(confirmed["user"]["is_anonymous"], false);
    assert_eq!(confirmed["user"]["app_metadata"], json!({ "provider": "gitlab", "providers": ["gitlab"] }));
    let landed = come(&app, &project, "gitlab", with_addresses("1", &[(ADDRESS, false)])).await;
    assert_eq!(user(&project, landed.access_token()).await["id"], guest["user"]["id"]);
}

on_both!(a_recovered_guest_is_none, a_recovered_guest_is_none_on_postgres, recovered);
async fn recovered(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let guest = project.post("/signup", json!({})).send().await.expect(200).json();
    link(&app, &project, &guest, "gitlab", with_addresses("1", &[(ADDRESS, false)])).await;
    mails::one(&app, ADDRESS).await;
    app.clock.advance(120);
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mails::one(&app, ADDRESS).await;
    let owner = show_hash(&project, "recovery", &letter.hash).await.expect(200).json();
    assert_eq!((&owner["user"]["is_anonymous"], providers(&owner["user"])), (&json!(false), vec!["email"]));
    project.get("/user").bearer(access(&guest)).send().await.expect(403);
}

on_both!(a_guest_gets_no_address_of_others, a_guest_gets_no_address_of_others_on_postgres, others);
async fn others(app: TestApp) {
    let project = oauth::project(&app, json!({ "external_keycloak_email_optional": true })).await;
    confirmed_user(&project, json!({ "email": ADDRESS })).await;
    let guest = project.post("/signup", json!({})).send().await.expect(200).json();
    for verified in [true, false] {
        let landed = link(&app, &project, &guest, "gitlab", with_addresses("1", &[(ADDRESS, verified)])).await;
        let text = "A user with this email address has already been registered";
        assert_eq!(landed.error(), ["invalid_request", "email_exists", text]);
    }
    let landed = link(&app, &project, &guest, "keycloak", with_addresses("1", &[])).await;
    assert_eq!(landed.error()[2], "Error sending confirmation email");
    let still = user(&project, access(&guest)).await;
    assert_eq!((&still["identities"], &still["is_anonymous"]), (&json!([]), &json!(true)));
}

on_both!(a_guest_learns_of_nobody, a_guest_learns_of_nobody_on_postgres, learns);
async fn learns(app: TestApp) {
    let config = oauth::config(json!({ "security_enumeration_protection_enabled": true }));
    let project = app.project("discreet", config).await;
    confirmed_user(&project, json!({ "email": ADDRESS })).await;
    let mut seen = Vec::new();
    for email in ["free@example.com", ADDRESS] {
        let guest: Value = project.post("/signup", json!({})).send().await.expect(200).json();
        let landed = link(&app, &project, &guest, "gitlab", with_addresses(email, &[(email, false)])).await;
        let now = user(&project, access(&guest)).await;
        let shown = ["email", "is_anonymous", "app_metadata"].map(|name| now[name].clone());
        assert_eq!((&now["new_email"], providers(&now)), (&json!(email), vec!["gitlab"]));
        seen.push((landed.error().map(str::to_owned), shown));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0[1], "email_not_confirmed");
    let letter = mails::one(&app, "free@example.com").await;
    let session = show_hash(&project, "email_change", &letter.hash).await.expect(200).json();
    let now = &session["user"];
    assert_eq!((&now["email"], &now["is_anonymous"]), (&json!("free@example.com"), &json!(false)));
    assert_eq!(providers(now), ["email", "gitlab"]);
    // Whoever has the address is told, and gives it to nobody.
    let told = mails::one(&app, ADDRESS).await;
    assert!(told.html.contains("already have an account"), "{}", told.html);
}

on_both!(a_number_takes_no_unverified_address, a_number_takes_no_unverified_address_on_postgres, number);
async fn number(app: TestApp) {
    let others =
        json!({ "external_phone_enabled": true, "sms_autoconfirm": true, "external_keycloak_email_optional": true });
    let project = oauth::project(&app, others).await;
    let guest = project.post("/signup", json!({})).send().await.expect(200).json();
    put(&project, &guest, json!({ "phone": "15550001111" })).await.expect(200);
    let landed = link(&app, &project, &guest, "gitlab", with_addresses("1", &[(ADDRESS, false)])).await;
    let linked = user(&project, landed.access_token()).await;
    assert_eq!((&linked["email"], providers(&linked)), (&json!(""), vec!["gitlab", "phone"]));
    // One without address is linked as well, and a verified one becomes the account's.
    link(&app, &project, &guest, "keycloak", with_addresses("1", &[])).await.access_token();
    let landed = link(&app, &project, &guest, "apple", person("1", ADDRESS)).await;
    let linked = user(&project, landed.access_token()).await;
    assert_eq!((&linked["email"], &linked["user_metadata"]["email_verified"]), (&json!(ADDRESS), &json!(true)));
    assert!(linked["email_confirmed_at"].is_string());
}
