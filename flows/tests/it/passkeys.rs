//! Looking after passkeys.

use http::Method;
use serde_json::{Value, json};
use testkit::TestApp;

use crate::both::on_both;
use crate::letters::{access, admin};
use crate::passkey::{
    self, ask, authenticator, challenge, keep, owner, passkeys, prove, register, registration, said, sign_in,
    unknown_challenge,
};
use crate::totp;

fn not_found() -> (String, String) {
    ("validation_failed".to_owned(), "Passkey not found".to_owned())
}

fn path(passkey: &Value) -> String {
    format!("/passkeys/{}", passkey["id"].as_str().unwrap())
}

on_both!(a_passkey_gets_a_name, a_passkey_gets_a_name_on_postgres, names);
async fn names(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, _) = owner(&project, "a@example.com").await;
    let made = passkeys(&project, &session).await.remove(0);
    let rename = |path: &str, body: Value| ask(&project, &session, Method::PATCH, path).json(&body).send();
    let named = rename(&path(&made), json!({ "friendly_name": "laptop" })).await.expect(200).json();
    assert_eq!((&named["friendly_name"], &named["id"]), (&json!("laptop"), &made["id"]));
    assert_eq!(passkeys(&project, &session).await, [named]);
    let invalid = |message: &str| ("validation_failed".to_owned(), message.to_owned());
    for (name, message) in [
        (json!({}), "friendly_name is required"),
        (json!({ "friendly_name": "" }), "friendly_name is required"),
        (json!({ "friendly_name": "é".repeat(61) }), "friendly_name must be 120 characters or less"),
    ] {
        assert_eq!(said(&rename(&path(&made), name).await.expect(400)), invalid(message));
    }
    rename(&path(&made), json!({ "friendly_name": "é".repeat(60) })).await.expect(200);
    // The id comes before the body, the body before what there is.
    let unknown = "/passkeys/6c8e5a36-2d1c-4b1f-9a53-5d2c6f6c5a11";
    assert_eq!(said(&rename("/passkeys/x", json!({})).await.expect(404)), not_found());
    assert_eq!(said(&rename(unknown, json!({})).await.expect(400)), invalid("friendly_name is required"));
    assert_eq!(said(&rename(unknown, json!({ "friendly_name": "x" })).await.expect(404)), not_found());
    let raw = ask(&project, &session, Method::PATCH, &path(&made)).raw("{");
    assert_eq!(raw.header("content-type", "application/json").send().await.expect(400).error_code(), "bad_json");
    // The id in another of its forms.
    let simple = made["id"].as_str().unwrap().replace('-', "");
    rename(&format!("/passkeys/{simple}"), json!({ "friendly_name": "phone" })).await.expect(200);
    let rows = admin(&project, Method::GET, "/admin/audit?query=action:passkey_updated", json!({})).await.json();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert_eq!(rows[0]["payload"]["traits"], json!({ "passkey_id": made["id"] }));
}

on_both!(a_passkey_is_removed_by_its_owner, a_passkey_is_removed_by_its_owner_on_postgres, removed);
async fn removed(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, mut authenticator) = owner(&project, "a@example.com").await;
    let (other, _) = owner(&project, "b@example.com").await;
    let made = passkeys(&project, &session).await.remove(0);
    let opened = passkey::sign_in(&project, &mut authenticator).await.expect(200).json();
    for target in [path(&made), "/passkeys/x".to_owned()] {
        let refused = ask(&project, &other, Method::DELETE, &target).send().await.expect(404);
        assert_eq!(said(&refused), not_found());
    }
    let rename = ask(&project, &other, Method::PATCH, &path(&made)).json(&json!({ "friendly_name": "mine" }));
    assert_eq!(said(&rename.send().await.expect(404)), not_found());
    let gone = ask(&project, &session, Method::DELETE, &path(&made)).send().await.expect(204);
    assert!(gone.text.is_empty());
    let again = ask(&project, &session, Method::DELETE, &path(&made)).send().await.expect(404);
    assert_eq!(said(&again), not_found());
    assert!(passkeys(&project, &session).await.is_empty());
    assert_eq!(passkeys(&project, &other).await.len(), 1);
    ask(&project, &opened, Method::GET, "/user").send().await.expect(200);
    let rows = admin(&project, Method::GET, "/admin/audit?query=action:passkey_deleted", json!({})).await.json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["payload"]["traits"], json!({ "passkey_id": made["id"] }));
    assert_eq!(rows[0]["payload"]["actor_id"], session["user"]["id"]);
    // The authenticator may be registered again.
    register(&project, &session, &mut authenticator).await;
}

on_both!(an_admin_looks_after_passkeys, an_admin_looks_after_passkeys_on_postgres, by_admin);
async fn by_admin(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, _) = owner(&project, "a@example.com").await;
    let (other, _) = owner(&project, "b@example.com").await;
    app.clock.advance(1);
    register(&project, &session, &mut passkey::authenticator()).await;
    let mine = passkeys(&project, &session).await;
    let base = |session: &Value| format!("/admin/users/{}", session["user"]["id"].as_str().unwrap());
    let list = format!("{}/passkeys", base(&session));
    let listed = admin(&project, Method::GET, &list, json!({})).await.expect(200).json();
    assert_eq!(listed, json!(mine));
    let of_other = format!("{}{}", base(&other), path(&mine[0]));
    assert_eq!(said(&admin(&project, Method::DELETE, &of_other, json!({})).await.expect(404)), not_found());
    let target = format!("{}{}", base(&session), path(&mine[0]));
    project.ask(Method::DELETE, &target).bearer(&project.anon_key).send().await.expect(403);
    admin(&project, Method::DELETE, &target, json!({})).await.expect(204);
    assert_eq!(said(&admin(&project, Method::DELETE, &target, json!({})).await.expect(404)), not_found());
    assert_eq!(passkeys(&project, &session).await, mine[1..]);
    let rows = admin(&project, Method::GET, "/admin/audit?query=action:passkey_deleted", json!({})).await.json();
    let payload = &rows[0]["payload"];
    let traits = json!({ "user_id": session["user"]["id"], "passkey_id": mine[0]["id"] });
    assert_eq!((&payload["actor_username"], &payload["traits"]), (&json!("service_role"), &traits));
    for (path, code) in [
        ("/admin/users/x/passkeys", "validation_failed"),
        ("/admin/users/6c8e5a36-2d1c-4b1f-9a53-5d2c6f6c5a11/passkeys", "user_not_found"),
    ] {
        let refused = admin(&project, Method::GET, path, json!({})).await.expect(404);
        assert_eq!(refused.error_code(), code);
    }
}

on_both!(an_admin_needs_no_switch, an_admin_needs_no_switch_on_postgres, no_switch);
async fn no_switch(app: TestApp) {
    let project = app.project("without", json!({})).await;
    let session = project.sign_up("a@example.com").await;
    let list = format!("/admin/users/{}/passkeys", session["user"]["id"].as_str().unwrap());
    let listed = admin(&project, Method::GET, &list, json!({})).await.expect(200).json();
    assert_eq!(listed, json!([]));
}

on_both!(
    whoever_has_a_second_factor_uses_it_first,
    whoever_has_a_second_factor_uses_it_first_on_postgres,
    second_factor
);
async fn second_factor(app: TestApp) {
    let project = passkey::project(&app, json!({ "passkey_assurance_level": "aal2" })).await;
    let (session, mut first) = owner(&project, "a@example.com").await;
    let made = passkeys(&project, &session).await.remove(0);
    let (_, raised) = totp::enrolled(&app, &project, &session).await;
    let low = project.sign_in("a@example.com").await;
    let begun = registration(&project, &raised).await;
    let credential = authenticator().create(&begun["options"]);
    for refused in [
        ask(&project, &low, Method::POST, "/passkeys/registration/options").send().await.expect(403),
        keep(&project, &low, &begun, credential.clone()).send().await.expect(403),
        ask(&project, &low, Method::POST, "/passkeys/registration/verify").raw("{").send().await.expect(403),
        ask(&project, &low, Method::DELETE, "/passkeys/x").send().await.expect(403),
        ask(&project, &low, Method::DELETE, &path(&made)).send().await.expect(403),
    ] {
        let message = "AAL2 session is required to manage passkeys when MFA is enabled";
        assert_eq!(said(&refused), ("insufficient_aal".to_owned(), message.to_owned()));
    }
    // The challenge was not touched; looking and renaming need no second factor.
    keep(&project, &raised, &begun, credential).send().await.expect(200);
    let name = json!({ "friendly_name": "laptop" });
    ask(&project, &low, Method::PATCH, &path(&made)).json(&name).send().await.expect(200);
    assert_eq!(passkeys(&project, &low).await.len(), 2);
    // A passkey whose authenticator knew its user is a second factor itself, where the project takes it for one.
    first.verifies_user = false;
    let weak = sign_in(&project, &mut first).await.expect(200).json();
    ask(&project, &weak, Method::DELETE, &path(&made)).send().await.expect(403);
    first.verifies_user = true;
    let strong = sign_in(&project, &mut first).await.expect(200).json();
    ask(&project, &strong, Method::DELETE, &path(&made)).send().await.expect(204);
}

on_both!(challenges_of_factors_are_none_of_passkeys, challenges_of_factors_are_none_of_passkeys_on_postgres, swapped);
async fn swapped(app: TestApp) {
    let project = passkey::project(&app, json!({})).await;
    let (session, mut authenticator) = owner(&project, "a@example.com").await;
    let (app_of_user, raised) = totp::enrolled(&app, &project, &session).await;
    let factor = format!("/factors/{}", app_of_user.factor);
    app.clock.advance(30);
    let of_factor = project.post(&format!("{factor}/challenge"), json!({})).bearer(access(&raised)).send().await;
    let of_factor = of_factor.expect(200).json();
    // One of a factor for a passkey, in both ceremonies; and it is still there afterwards.
    let (begun, made) = (challenge(&project).await, registration(&project, &raised).await);
    let named = json!({ "challenge_id": of_factor["id"] });
    let assertion = authenticator.get(&begun["options"]);
    assert_eq!(said(&prove(&project, &named, assertion.clone()).send().await.expect(400)), unknown_challenge());
    let credential = passkey::authenticator().create(&made["options"]);
    assert_eq!(said(&keep(&project, &raised, &named, credential).send().await.expect(400)), unknown_challenge());
    let verify = |challenge: &Value| {
        let body = json!({ "challenge_id": challenge, "code": app_of_user.code(&app) });
        project.post(&format!("{factor}/verify"), body).bearer(access(&raised)).send()
    };
    // One of a passkey for a factor.
    for challenge in [&begun["challenge_id"], &made["challenge_id"]] {
        assert_eq!(verify(challenge).await.expect(422).error_code(), "mfa_factor_not_found");
    }
    verify(&of_factor["id"]).await.expect(200);
    prove(&project, &begun, assertion).send().await.expect(200);
}
