//! Whose account a sign-in at a provider leads to.

use domain::provider::SignedIn;
use http::Method;
use serde_json::{Value, json};
use testkit::{TestApp, TestProject};

use crate::both::on_both;
use crate::letters::admin;
use crate::mails::{self, confirmed_user, count_users, show_hash};
use crate::oauth::{self, Landed, begin_at, config, land, person, user, with_addresses};

pub(crate) const ADDRESS: &str = "ada@example.com";

/// Signs in at `provider` as whoever `signed_in` is.
pub(crate) async fn come(app: &TestApp, project: &TestProject, provider: &str, signed_in: SignedIn) -> Landed {
    let subject = &signed_in.profile.subject;
    let plain: String = subject.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    let code = format!("{provider}-{plain}-{}", subject.len());
    app.providers.grant(&code, Ok(signed_in));
    let state = begin_at(project, provider, "").await;
    land(project, &state, &code).await
}

/// The audit rows of `action`, newest first.
pub(crate) async fn rows(project: &TestProject, action: &str) -> Vec<Value> {
    let path = format!("/admin/audit?query=action:{action}");
    admin(project, Method::GET, &path, json!({})).await.expect(200).json().as_array().unwrap().clone()
}

/// The providers of the user's identities.
pub(crate) fn providers(user: &Value) -> Vec<&str> {
    let identities = user["identities"].as_array().unwrap().iter();
    let mut names: Vec<&str> = identities.map(|identity| identity["provider"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Asks for a session by password; the status.
pub(crate) async fn by_password(project: &TestProject, email: &str, password: &str) -> u16 {
    let body = json!({ "email": email, "password": password });
    project.post("/token?grant_type=password", body).send().await.status.as_u16()
}

on_both!(the_first_sign_in_makes_an_account, the_first_sign_in_makes_an_account_on_postgres, first);
async fn first(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let landed = come(&app, &project, "gitlab", person("1", "Ada@Example.com")).await;
    let made = user(&project, landed.access_token()).await;
    assert_eq!((&made["email"], &made["is_anonymous"]), (&json!(ADDRESS), &json!(false)));
    assert!(made["email_confirmed_at"].is_string() && made["last_sign_in_at"].is_string());
    assert_eq!(made["app_metadata"], json!({ "provider": "gitlab", "providers": ["gitlab"] }));
    let claims = json!({
        "iss": "https://gitlab.com", "sub": "1", "provider_id": "1", "name": "Ada Example",
        "full_name": "Ada Example", "email": ADDRESS, "email_verified": true, "phone_verified": false,
    });
    assert_eq!(made["user_metadata"], claims);
    let identity = &made["identities"][0];
    assert_eq!(
        (&identity["identity_data"], &identity["id"], &identity["email"]),
        (&claims, &json!("1"), &json!(ADDRESS))
    );
    assert_eq!(rows(&project, "user_signedup").await[0]["payload"]["traits"], json!({ "provider": "gitlab" }));
    assert!(rows(&project, "login").await.is_empty());

    // The second finds it, and brings what is new.
    let mut renamed = person("1", ADDRESS);
    renamed.profile.claims.insert("name".to_owned(), json!("Ada Renamed"));
    app.clock.advance(60);
    let landed = come(&app, &project, "gitlab", renamed).await;
    let found = user(&project, landed.access_token()).await;
    assert_eq!(found["id"], made["id"]);
    assert_eq!(found["user_metadata"]["name"], "Ada Renamed");
    assert_eq!(found["identities"][0]["identity_data"]["name"], "Ada Renamed");
    assert_ne!(found["identities"][0]["last_sign_in_at"], identity["last_sign_in_at"]);
    assert_eq!(rows(&project, "login").await[0]["payload"]["traits"], json!({ "provider": "gitlab" }));
}

/// A project that tells people of links, and somebody's account there.
pub(crate) async fn told_of_links(app: &TestApp) -> (TestProject, Value) {
    let template = "kind=linked|code={{ .Provider }}| {{ .SiteURL }}";
    let config = json!({
        "mailer_notifications_identity_linked_enabled": true,
        "mailer_templates_identity_linked_notification_content": template,
    });
    let project = oauth::project(app, config).await;
    let account = confirmed_user(&project, json!({ "email": ADDRESS, "user_metadata": { "theme": "dark" } })).await;
    (project, account)
}

on_both!(a_verified_address_leads_to_its_account, a_verified_address_leads_to_its_account_on_postgres, links);
async fn links(app: TestApp) {
    let (project, account) = told_of_links(&app).await;
    let landed = come(&app, &project, "gitlab", person("1", ADDRESS)).await;
    let linked = user(&project, landed.access_token()).await;
    assert_eq!(linked["id"], account["id"]);
    assert_eq!(providers(&linked), ["email", "gitlab"]);
    assert_eq!(linked["app_metadata"], json!({ "provider": "email", "providers": ["email", "gitlab"] }));
    assert_eq!((&linked["user_metadata"]["theme"], &linked["user_metadata"]["sub"]), (&json!("dark"), &json!("1")));
    assert_eq!(by_password(&project, ADDRESS, "correct horse").await, 200);
    let traits = &rows(&project, "identity_linked").await[0]["payload"]["traits"];
    let identities = linked["identities"].as_array().unwrap();
    let gitlab = identities.iter().find(|identity| identity["provider"] == "gitlab").unwrap();
    let named = json!({ "identity_id": gitlab["identity_id"], "provider": "gitlab", "provider_id": "1" });
    assert_eq!(traits, &named);
    // The owner hears of it.
    let told = mails::one(&app, ADDRESS).await;
    assert_eq!((told.kind.as_str(), told.code.as_str()), ("linked", "gitlab"));
    // A third provider with the same verified address as well.
    let landed = come(&app, &project, "keycloak", person("k", ADDRESS)).await;
    assert_eq!(user(&project, landed.access_token()).await["id"], account["id"]);
    assert_eq!(count_users(&project).await, 1);
}

on_both!(an_unverified_address_waits_for_its_mail, an_unverified_address_waits_for_its_mail_on_postgres, waits);
async fn waits(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let doubtful = || with_addresses("1", &[(ADDRESS, false)]);
    let landed = come(&app, &project, "gitlab", doubtful()).await;
    let text = "Unverified email with gitlab. A confirmation email has been sent to your gitlab email";
    assert_eq!(landed.error(), ["access_denied", "provider_email_needs_verification", text]);
    let letter = mails::one(&app, ADDRESS).await;
    assert_eq!(letter.kind, "confirmation");
    // The mail proves it, and the identity whose sign-in had sent it stays.
    let session = show_hash(&project, "signup", &letter.hash).await.expect(200).json();
    assert_eq!(providers(&session["user"]), ["gitlab"]);
    let landed = come(&app, &project, "gitlab", doubtful()).await;
    assert_eq!(user(&project, landed.access_token()).await["id"], session["user"]["id"]);
    assert!(mails::take(&app, ADDRESS).await.is_empty());
    assert_eq!(count_users(&project).await, 1);
}

on_both!(mails_have_their_pace, mails_have_their_pace_on_postgres, pace);
async fn pace(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let doubtful = || with_addresses("1", &[(ADDRESS, false)]);
    come(&app, &project, "gitlab", doubtful()).await;
    let landed = come(&app, &project, "gitlab", doubtful()).await;
    assert_eq!(landed.error()[1], "over_email_send_rate_limit");
    app.clock.advance(61);
    let landed = come(&app, &project, "gitlab", doubtful()).await;
    assert_eq!(landed.error()[1], "provider_email_needs_verification");
    assert_eq!(mails::take(&app, ADDRESS).await.len(), 2);
}

on_both!(a_provider_may_leave_the_address_out, a_provider_may_leave_the_address_out_on_postgres, optional);
async fn optional(app: TestApp) {
    let project = oauth::project(&app, json!({ "external_keycloak_email_optional": true })).await;
    let landed = come(&app, &project, "keycloak", with_addresses("1", &[])).await;
    let made = user(&project, landed.access_token()).await;
    assert_eq!((&made["email"], made.get("email_confirmed_at")), (&json!(""), None));
    let again = come(&app, &project, "keycloak", with_addresses("1", &[])).await;
    assert_eq!(user(&project, again.access_token()).await["id"], made["id"]);
    // An address that nobody has verified and somebody has is not taken, but he may come in.
    confirmed_user(&project, json!({ "email": ADDRESS })).await;
    let landed = come(&app, &project, "keycloak", with_addresses("2", &[(ADDRESS, false)])).await;
    assert_eq!(user(&project, landed.access_token()).await["email"], "");
    assert_eq!(count_users(&project).await, 3);
}

on_both!(nobody_comes_in_who_must_not, nobody_comes_in_who_must_not_on_postgres, banned);
async fn banned(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let account = confirmed_user(&project, json!({ "email": ADDRESS })).await;
    let path = format!("/admin/users/{}", account["id"].as_str().unwrap());
    let ban = |duration: &'static str| admin(&project, Method::PUT, &path, json!({ "ban_duration": duration }));
    ban("24h").await.expect(200);
    // Neither by the address, nor by an identity.
    let refused = ["access_denied", "user_banned", "User is banned"];
    assert_eq!(come(&app, &project, "gitlab", person("1", ADDRESS)).await.error(), refused);
    ban("none").await.expect(200);
    come(&app, &project, "gitlab", person("1", ADDRESS)).await.access_token();
    ban("24h").await.expect(200);
    assert_eq!(come(&app, &project, "gitlab", person("1", ADDRESS)).await.error(), refused);

    // Whoever was deleted comes back as somebody new.
    admin(&project, Method::DELETE, &path, json!({ "should_soft_delete": true })).await.expect(200);
    let landed = come(&app, &project, "gitlab", person("1", ADDRESS)).await;
    let new = user(&project, landed.access_token()).await;
    assert_ne!(new["id"], account["id"]);
    let path = format!("/admin/users/{}", new["id"].as_str().unwrap());
    admin(&project, Method::DELETE, &path, json!({})).await.expect(200);
    let landed = come(&app, &project, "gitlab", person("1", ADDRESS)).await;
    assert_ne!(user(&project, landed.access_token()).await["id"], new["id"]);
}

on_both!(closed_projects_let_known_people_in, closed_projects_let_known_people_in_on_postgres, closed);
async fn closed(app: TestApp) {
    let project = oauth::project(&app, json!({ "disable_signup": true })).await;
    let landed = come(&app, &project, "gitlab", person("1", ADDRESS)).await;
    assert_eq!(landed.error(), ["access_denied", "signup_disabled", "Signups not allowed for this instance"]);
    assert_eq!(count_users(&project).await, 0);
    confirmed_user(&project, json!({ "email": ADDRESS })).await;
    come(&app, &project, "gitlab", person("1", ADDRESS)).await.access_token();
    come(&app, &project, "gitlab", person("1", ADDRESS)).await.access_token();
}

on_both!(a_project_can_leave_linking_to_its_users, a_project_can_leave_linking_to_its_users_on_postgres, manual);
async fn manual(app: TestApp) {
    let project = oauth::project(&app, json!({ "security_automatic_linking_enabled": false })).await;
    confirmed_user(&project, json!({ "email": ADDRESS })).await;
    let landed = come(&app, &project, "gitlab", person("1", ADDRESS)).await;
    let text = "A user with this email address has already been registered";
    assert_eq!(landed.error(), ["server_error", "email_exists", text]);
    come(&app, &project, "gitlab", person("2", "bo@example.com")).await.access_token();
    assert_eq!(count_users(&project).await, 2);
}

on_both!(a_domain_of_its_own_shares_no_accounts, a_domain_of_its_own_shares_no_accounts_on_postgres, domains);
async fn domains(app: TestApp) {
    let project = oauth::project(&app, json!({ "external_linking_domains": "keycloak=staff,apple=staff" })).await;
    let account = confirmed_user(&project, json!({ "email": ADDRESS })).await;
    let staff = user(&project, come(&app, &project, "keycloak", person("k", ADDRESS)).await.access_token()).await;
    assert_ne!(staff["id"], account["id"]);
    assert_eq!(staff["email"], ADDRESS);
    let sibling = user(&project, come(&app, &project, "apple", person("a", ADDRESS)).await.access_token()).await;
    assert_eq!(sibling["id"], staff["id"]);
    let other = user(&project, come(&app, &project, "gitlab", person("g", ADDRESS)).await.access_token()).await;
    assert_eq!(other["id"], account["id"]);
    assert_eq!(by_password(&project, ADDRESS, "correct horse").await, 200);
}

on_both!(addresses_of_several_accounts_lead_to_none, addresses_of_several_accounts_on_postgres, several);
async fn several(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    for email in [ADDRESS, "bo@example.com"] {
        confirmed_user(&project, json!({ "email": email })).await;
    }
    let both = with_addresses("1", &[(ADDRESS, true), ("bo@example.com", true)]);
    let landed = come(&app, &project, "gitlab", both).await;
    let text = "Multiple accounts with the same email address in the same linking domain detected: default";
    assert_eq!(landed.error(), ["server_error", "unexpected_failure", text]);
    // A verified one besides the primary finds its account.
    let second = with_addresses("2", &[("else@example.com", false), ("bo@example.com", true)]);
    let landed = come(&app, &project, "gitlab", second).await;
    assert_eq!(user(&project, landed.access_token()).await["email"], "bo@example.com");
}

on_both!(an_answer_does_not_tell_who_has_an_account, an_answer_does_not_tell_who_on_postgres, discreet);
async fn discreet(app: TestApp) {
    let others = json!({ "security_enumeration_protection_enabled": true, "external_keycloak_email_optional": true });
    let project = app.project("discreet", config(others)).await;
    confirmed_user(&project, json!({ "email": ADDRESS })).await;
    for (provider, free) in [("gitlab", "free@example.com"), ("keycloak", "other@example.com")] {
        let mut answers = Vec::new();
        app.clock.advance(120);
        for email in [free, ADDRESS] {
            let doubtful = || with_addresses(email, &[(email, false)]);
            let landed = come(&app, &project, provider, doubtful()).await;
            let again = come(&app, &project, provider, doubtful()).await;
            answers.push([landed.error()[1].to_owned(), again.error()[1].to_owned()]);
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0][0], "provider_email_needs_verification");
        assert_eq!(mails::one(&app, free).await.kind, "confirmation");
        let told = mails::one(&app, ADDRESS).await;
        assert!(told.html.contains("already have an account"), "{}", told.html);
    }
    let taken = ADDRESS;
    assert_eq!(providers(&mails::read_user(&project, &find(&project, taken).await).await), ["email"]);
}

async fn find(project: &TestProject, email: &str) -> Value {
    let listed = admin(project, Method::GET, "/admin/users", json!({})).await.expect(200).json();
    let users = listed["users"].as_array().unwrap();
    users.iter().find(|user| user["email"] == email).unwrap()["id"].clone()
}
