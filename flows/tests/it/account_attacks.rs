//! Ways into accounts of others by linking and by identities that nobody has proven (`security/attacks.md`, class A), each of
//! which leads nowhere.

use http::Method;
use serde_json::{Value, json};
use testkit::{Authenticator, TestApp, TestProject};

use crate::account::{ADDRESS, by_password, come, providers};
use crate::both::on_both;
use crate::identities::link;
use crate::letters::{self, access, admin, put};
use crate::mails::{self, confirmed_user, count_users, show_hash};
use crate::oauth::{self, config, person, user, with_addresses};
use crate::passkey;
use crate::totp;

const THIEF: &str = "thief@evil.example";

on_both!(an_unverified_address_opens_no_account, an_unverified_address_opens_no_account_on_postgres, opens);
async fn opens(app: TestApp) {
    for auto in [false, true] {
        let project = app.project(&format!("auto-{auto}"), config(json!({ "mailer_autoconfirm": auto }))).await;
        let account = confirmed_user(&project, json!({ "email": ADDRESS })).await;
        for (provider, claimed) in [("gitlab", ADDRESS), ("keycloak", "ADA@example.com")] {
            let landed = come(&app, &project, provider, with_addresses("1", &[(claimed, false)])).await;
            let text =
                format!("Unverified email with {provider}. Verify the email with {provider} in order to sign in");
            assert_eq!(landed.error(), ["access_denied", "provider_email_needs_verification", &text]);
        }
        // Nothing is left behind, and nobody is written to.
        assert_eq!(count_users(&project).await, 1);
        assert_eq!(providers(&mails::read_user(&project, &account["id"]).await), ["email"]);
        assert!(mails::take(&app, ADDRESS).await.is_empty());
        // Once the provider has verified it, it is the account's.
        let landed = come(&app, &project, "gitlab", person("1", ADDRESS)).await;
        assert_eq!(user(&project, landed.access_token()).await["id"], account["id"]);
    }
}

on_both!(confirming_at_once_makes_accounts_only, confirming_at_once_makes_accounts_only_on_postgres, auto);
async fn auto(app: TestApp) {
    let project = oauth::project(&app, json!({ "mailer_autoconfirm": true })).await;
    let landed = come(&app, &project, "gitlab", with_addresses("1", &[(ADDRESS, false)])).await;
    let made = user(&project, landed.access_token()).await;
    assert_eq!(made["email"], ADDRESS);
    // Another identity with the same unverified address is not his.
    let landed = come(&app, &project, "keycloak", with_addresses("1", &[(ADDRESS, false)])).await;
    assert_eq!(landed.error()[1], "provider_email_needs_verification");
    assert_eq!(count_users(&project).await, 1);
}

on_both!(confirming_at_once_is_no_proof, confirming_at_once_is_no_proof_on_postgres, no_proof);
async fn no_proof(app: TestApp) {
    for (name, moved) in [("stays", false), ("moves", true)] {
        for way in ["provider", "recovery", "code"] {
            let project = app.project(&format!("{name}-{way}"), config(json!({ "mailer_autoconfirm": true }))).await;
            let landed = come(&app, &project, "keycloak", with_addresses("evil", &[(ADDRESS, false)])).await;
            let (access_token, refresh) = (landed.access_token(), &landed.fragment["refresh_token"]);
            let planted = json!({ "access_token": access_token, "refresh_token": refresh });
            app.clock.advance(120);
            if moved {
                // His identity says an address of his own meanwhile, and that it is verified.
                come(&app, &project, "keycloak", person("evil", THIEF)).await.access_token();
            }
            let owner = match way {
                "provider" => {
                    let landed = come(&app, &project, "gitlab", person("ada", ADDRESS)).await;
                    user(&project, landed.access_token()).await
                }
                "recovery" => {
                    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
                    let hash = mails::one(&app, ADDRESS).await.hash;
                    show_hash(&project, "recovery", &hash).await.expect(200).json()["user"].clone()
                }
                _ => {
                    project.post("/otp", json!({ "email": ADDRESS })).send().await.expect(200);
                    let code = mails::one(&app, ADDRESS).await.code;
                    mails::type_code(&project, "email", ADDRESS, &code).await.expect(200).json()["user"].clone()
                }
            };
            let expected = if way == "provider" { "gitlab" } else { "email" };
            assert_eq!(providers(&owner), [expected], "{name} {way}");
            project.get("/user").bearer(access(&planted)).send().await.expect(403);
            project.refresh(&planted["refresh_token"]).send().await.expect(400);
            // He comes back as somebody else, or not at all.
            let back = if moved { person("evil", THIEF) } else { with_addresses("evil", &[(ADDRESS, false)]) };
            let landed = come(&app, &project, "keycloak", back).await;
            match landed.fragment.get("access_token") {
                Some(token) => assert_ne!(user(&project, token).await["id"], owner["id"]),
                None => assert_eq!(landed.error()[1], "provider_email_needs_verification"),
            }
        }
    }
}

on_both!(who_signs_up_first_has_nothing_later, who_signs_up_first_has_nothing_later_on_postgres, planted);
async fn planted(app: TestApp) {
    // In either profile: the password of the one who was first is worth nothing once the owner has come.
    for profile in ["compat", "shield"] {
        let email = format!("{profile}@example.com");
        let keycloak = json!({
            "external_keycloak_enabled": true, "external_keycloak_client_id": "client",
            "external_keycloak_secret": "secret", "external_keycloak_url": "https://id.example.com/realms/shop",
        });
        let project = match profile {
            "shield" => letters::shielded(&app, keycloak).await,
            _ => letters::project(&app, keycloak).await,
        };
        let attacker = json!({ "email": email, "password": "fledgling pirate", "data": { "planted": true } });
        project.post("/signup", attacker).send().await.expect(200);
        let letter = mails::one(&app, &email).await;
        app.providers.grant("owner", Ok(person("1", &email)));
        let state = oauth::begin_at(&project, "keycloak", oauth::CHALLENGE).await;
        let landed = oauth::land(&project, &state, "owner").await;
        let session = oauth::exchange(&project, landed.code(), oauth::VERIFIER).await.expect(200).json();
        let owner = &session["user"];
        assert_eq!(providers(owner), ["keycloak"]);
        assert_eq!((owner["user_metadata"].get("planted"), &owner["email"]), (None, &json!(email)));
        assert_eq!(owner["app_metadata"], json!({ "provider": "keycloak", "providers": ["keycloak"] }));
        assert_eq!(by_password(&project, &email, "fledgling pirate").await, 400);
        show_hash(&project, "signup", &letter.hash).await.expect(403);
    }
}

/// Somebody who has come by an unverified address, in a project that lets such people in, and has settled there: with a number,
/// a second factor and a passkey.
async fn settled(app: &TestApp) -> (TestProject, Value, Authenticator) {
    let others = json!({
        "mailer_allow_unverified_email_sign_ins": true, "external_phone_enabled": true, "sms_autoconfirm": true,
        "mfa_totp_enroll_enabled": true, "mfa_totp_verify_enabled": true,
    });
    let project = app.project("open", passkey::settings(config(others))).await;
    let landed = come(app, &project, "gitlab", with_addresses("evil", &[(ADDRESS, false)])).await;
    let (access, refresh) = (landed.access_token(), &landed.fragment["refresh_token"]);
    let session = json!({ "access_token": access, "refresh_token": refresh });
    assert_eq!(mails::one(app, ADDRESS).await.kind, "confirmation");
    let mut authenticator = passkey::authenticator();
    passkey::register(&project, &session, &mut authenticator).await;
    put(&project, &session, json!({ "phone": "15550001111" })).await.expect(200);
    let (_, raised) = totp::enrolled(app, &project, &session).await;
    (project, raised, authenticator)
}

/// The settler has nothing left of the account.
async fn is_out(project: &TestProject, session: &Value, authenticator: &mut Authenticator) {
    project.get("/user").bearer(access(session)).send().await.expect(403);
    project.refresh(&session["refresh_token"]).send().await.expect(400);
    assert!(passkey::sign_in(project, authenticator).await.status.is_client_error());
    let code = project.post("/otp", json!({ "phone": "15550001111", "create_user": false })).send().await;
    assert!(code.status.is_client_error(), "{}", code.text);
}

on_both!(whoever_was_in_is_out, whoever_was_in_is_out_on_postgres, out);
async fn out(app: TestApp) {
    let (project, settler, mut authenticator) = settled(&app).await;
    let landed = come(&app, &project, "keycloak", person("ada", ADDRESS)).await;
    let owner = user(&project, landed.access_token()).await;
    assert_eq!((&owner["phone"], owner.get("factors")), (&json!(""), None));
    assert_eq!((&owner["id"], providers(&owner)), (&settler["user"]["id"], vec!["keycloak"]));
    is_out(&project, &settler, &mut authenticator).await;
}

on_both!(a_recovery_puts_him_out_as_well, a_recovery_puts_him_out_as_well_on_postgres, recovered);
async fn recovered(app: TestApp) {
    let (project, settler, mut authenticator) = settled(&app).await;
    app.clock.advance(120);
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mails::one(&app, ADDRESS).await;
    let session = show_hash(&project, "recovery", &letter.hash).await.expect(200).json();
    let owner = user(&project, access(&session)).await;
    assert_eq!((&owner["phone"], owner.get("factors")), (&json!(""), None));
    assert_eq!((&owner["id"], providers(&owner)), (&settler["user"]["id"], vec!["email"]));
    is_out(&project, &settler, &mut authenticator).await;
}

on_both!(a_planted_identity_goes_with_the_recovery, a_planted_identity_goes_with_the_recovery_on_postgres, recovery);
async fn recovery(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    come(&app, &project, "gitlab", with_addresses("evil", &[(ADDRESS, false)])).await;
    assert_eq!(mails::one(&app, ADDRESS).await.kind, "confirmation");
    app.clock.advance(120);
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mails::one(&app, ADDRESS).await;
    let owner = show_hash(&project, "recovery", &letter.hash).await.expect(200).json();
    assert_eq!(providers(&owner["user"]), ["email"]);
    let landed = come(&app, &project, "gitlab", with_addresses("evil", &[(ADDRESS, false)])).await;
    assert_eq!(landed.error()[1], "provider_email_needs_verification");
    assert_eq!(count_users(&project).await, 1);
    project.get("/user").bearer(access(&owner)).send().await.expect(200);
}

on_both!(another_address_proves_nothing_of_this_one, another_address_proves_nothing_on_postgres, another);
async fn another(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    come(&app, &project, "gitlab", with_addresses("evil", &[(ADDRESS, false)])).await;
    app.clock.advance(120);
    // The same identity, now with an address of its own that is verified.
    let landed = come(&app, &project, "gitlab", person("evil", THIEF)).await;
    assert_eq!(landed.error()[1], "provider_email_needs_verification");
    // The owner gets the account, and the thief is out of it.
    let landed = come(&app, &project, "keycloak", person("ada", ADDRESS)).await;
    assert_eq!(providers(&user(&project, landed.access_token()).await), ["keycloak"]);
    let landed = come(&app, &project, "gitlab", person("evil", THIEF)).await;
    let thief = user(&project, landed.access_token()).await;
    assert_eq!((&thief["email"], count_users(&project).await), (&json!(THIEF), 2));
}

on_both!(an_unverified_identity_attracts_nobody, an_unverified_identity_attracts_nobody_on_postgres, attracts);
async fn attracts(app: TestApp) {
    // The thief's own account says by a linked identity that it has the address.
    let project = oauth::project(&app, json!({})).await;
    confirmed_user(&project, json!({ "email": THIEF })).await;
    let thief = project.sign_in(THIEF).await;
    link(&app, &project, &thief, "gitlab", with_addresses("evil", &[(ADDRESS, false)])).await.access_token();
    let landed = come(&app, &project, "keycloak", person("ada", ADDRESS)).await;
    let owner = user(&project, landed.access_token()).await;
    assert_ne!(owner["id"], thief["user"]["id"]);
    assert_eq!(owner["email"], ADDRESS);
    // And cannot be moved onto it.
    let path = format!("/user/identities/{}", own_row(&thief));
    let refused = project.ask(Method::DELETE, &path).bearer(access(&thief)).send().await.expect(422);
    assert_eq!(refused.error_code(), "email_conflict_identity_not_deletable");
}

/// The row of the identity that a password belongs to.
fn own_row(session: &Value) -> &str {
    let identities = session["user"]["identities"].as_array().unwrap();
    identities.iter().find(|identity| identity["provider"] == "email").unwrap()["identity_id"].as_str().unwrap()
}

on_both!(letters_that_look_alike_are_others, letters_that_look_alike_are_others_on_postgres, alike);
async fn alike(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    for email in ["kim@example.com", "ida@example.com", "ada+tag@example.com"] {
        confirmed_user(&project, json!({ "email": email })).await;
    }
    // The Kelvin sign, and the capital I with a dot.
    for (subject, email) in [("1", "\u{212a}im@example.com"), ("2", "\u{130}da@example.com")] {
        let landed = come(&app, &project, "gitlab", person(subject, email)).await;
        assert_eq!(landed.error()[1], "provider_email_needs_verification", "{email}");
    }
    let landed = come(&app, &project, "gitlab", person("3", "ada@example.com")).await;
    assert_eq!(user(&project, landed.access_token()).await["email"], "ada@example.com");
    assert_eq!(count_users(&project).await, 4);
}

on_both!(subjects_are_compared_letter_by_letter, subjects_are_compared_on_postgres, subjects);
async fn subjects(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    let mut ids = Vec::new();
    for (provider, subject) in [("gitlab", "abc"), ("gitlab", "ABC"), ("gitlab", "abc "), ("keycloak", "abc")] {
        let email = format!("{}@example.com", ids.len());
        let landed = come(&app, &project, provider, person(subject, &email)).await;
        ids.push(user(&project, landed.access_token()).await["id"].clone());
    }
    ids.sort_by_key(Value::to_string);
    ids.dedup();
    assert_eq!(ids.len(), 4);
    // What is nobody's subject is nobody.
    let long = "s".repeat(5000);
    for subject in ["", "a\0b", &long] {
        let landed = come(&app, &project, "gitlab", person(subject, ADDRESS)).await;
        assert_eq!(landed.error()[2], "Error getting user profile from external provider", "{}", subject.len());
    }
    assert_eq!(count_users(&project).await, 4);
}

on_both!(a_guest_holds_no_foreign_address, a_guest_holds_no_foreign_address_on_postgres, guests);
async fn guests(app: TestApp) {
    let others = json!({ "external_phone_enabled": true, "sms_autoconfirm": true });
    let project = oauth::project(&app, others).await;
    let guest: Value = project.post("/signup", json!({})).send().await.expect(200).json();
    let landed = link(&app, &project, &guest, "gitlab", with_addresses("evil", &[(ADDRESS, false)])).await;
    assert_eq!(landed.error()[1], "email_not_confirmed");
    // He gives the account a number of his own, before the owner of the address comes.
    put(&project, &guest, json!({ "phone": "15550001111" })).await.expect(200);
    let landed = come(&app, &project, "keycloak", person("ada", ADDRESS)).await;
    let owner = user(&project, landed.access_token()).await;
    assert_eq!((providers(&owner), &owner["phone"]), (vec!["keycloak"], &json!("")));
    assert_eq!(owner["is_anonymous"], false);
    project.get("/user").bearer(access(&guest)).send().await.expect(403);
    let otp = project.post("/otp", json!({ "phone": "15550001111", "create_user": false })).send().await;
    assert!(otp.status.is_client_error());
}

on_both!(an_invitation_is_for_one_address, an_invitation_is_for_one_address_on_postgres, invitation);
async fn invitation(app: TestApp) {
    let project = oauth::project(&app, json!({ "disable_signup": true })).await;
    let invited = admin(&project, Method::POST, "/invite", json!({ "email": ADDRESS })).await.expect(200).json();
    let hash = mails::one(&app, ADDRESS).await.hash;
    let text = "Invited email does not match emails from external provider";
    for wrong in [
        person("1", THIEF),
        with_addresses("1", &[(ADDRESS, false)]),
        with_addresses("1", &[(THIEF, true), (ADDRESS, false)]),
        with_addresses("1", &[(THIEF, true), ("ada+x@example.com", true)]),
    ] {
        let landed = accept(&app, &project, &hash, wrong).await;
        assert_eq!(landed.error(), ["invalid_request", "validation_failed", text]);
    }
    let path = format!("/admin/users/{}", invited["id"].as_str().unwrap());
    admin(&project, Method::PUT, &path, json!({ "ban_duration": "24h" })).await.expect(200);
    assert_eq!(accept(&app, &project, &hash, person("1", ADDRESS)).await.error()[1], "user_banned");
    admin(&project, Method::PUT, &path, json!({ "ban_duration": "none" })).await.expect(200);
    // Twice begun, once accepted.
    let late = oauth::begin(&project, &format!("&invite_token={hash}")).await;
    let landed = accept(&app, &project, &hash, with_addresses("1", &[(THIEF, false), (ADDRESS, true)])).await;
    let owner = user(&project, landed.access_token()).await;
    assert_eq!((&owner["id"], providers(&owner)), (&invited["id"], vec!["gitlab"]));
    assert!(owner["email_confirmed_at"].is_string());
    app.providers.grant("thief", Ok(person("2", ADDRESS)));
    let landed = oauth::land(&project, &late, "thief").await;
    assert_eq!(landed.error()[1], "invite_not_found");
    let accepted = crate::account::rows(&project, "invite_accepted").await;
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0]["payload"]["traits"], json!({ "provider": "gitlab" }));
    show_hash(&project, "invite", &hash).await.expect(403);
}

async fn accept(
    app: &TestApp,
    project: &TestProject,
    hash: &str,
    signed_in: domain::provider::SignedIn,
) -> oauth::Landed {
    app.providers.grant("invited", Ok(signed_in));
    let state = oauth::begin(project, &format!("&invite_token={hash}")).await;
    oauth::land(project, &state, "invited").await
}

on_both!(a_taken_identity_accepts_nothing, a_taken_identity_accepts_nothing_on_postgres, taken);
async fn taken(app: TestApp) {
    let project = oauth::project(&app, json!({})).await;
    come(&app, &project, "gitlab", person("1", THIEF)).await.access_token();
    admin(&project, Method::POST, "/invite", json!({ "email": ADDRESS })).await.expect(200);
    let hash = mails::one(&app, ADDRESS).await.hash;
    let landed = accept(&app, &project, &hash, with_addresses("1", &[(ADDRESS, true)])).await;
    assert_eq!(landed.error()[2], "Identity is already linked to another user");
    // The invitation is as good as before.
    accept(&app, &project, &hash, person("2", ADDRESS)).await.access_token();
    // The token of a sign-up is no invitation.
    project.post("/signup", json!({ "email": "bo@example.com", "password": "correct horse" })).send().await.expect(200);
    let hash = mails::one(&app, "bo@example.com").await.hash;
    let begun = project.get(&format!("/authorize?provider=gitlab&invite_token={hash}")).send().await;
    if begun.status == 302 {
        app.providers.grant("bo", Ok(person("3", "bo@example.com")));
        let landed = oauth::land(&project, &oauth::state(&begun), "bo").await;
        assert_eq!(landed.error()[1], "invite_not_found");
    }
}

// Any tenant of Microsoft's can write any address into its tokens (the "nOAuth" class).
on_both!(a_foreign_tenant_vouches_for_nobody, a_foreign_tenant_vouches_for_nobody_on_postgres, foreign_tenant);
async fn foreign_tenant(app: TestApp) {
    let azure = json!({
        "external_azure_enabled": true, "external_azure_client_id": "client", "external_azure_secret": "secret",
    });
    let project = letters::shielded(&app, azure).await;
    mails::confirmed_user(&project, json!({ "email": ADDRESS })).await;
    app.providers.grant("evil", Ok(person("1", ADDRESS)));
    let state = oauth::begin_at(&project, "azure", oauth::CHALLENGE).await;
    let landed = oauth::land(&project, &state, "evil").await;
    assert_eq!(landed.error()[1], "provider_email_needs_verification");
    assert_eq!(mails::count_users(&project).await, 1);
}
