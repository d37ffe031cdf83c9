//! Whose account it is: what somebody left on it before its owner proves himself.

use domain::ids::{IdentityId, UserId};
use domain::time::Clock;
use serde_json::{Value, json};
use storage::{NewIdentity, TenantStore};
use testkit::{TestApp, TestProject};
use uuid::Uuid;

use crate::both::on_both;
use crate::letters::{access, confirmed, mail, project, put, shielded, verify};

const ADDRESS: &str = "a@example.com";

/// Adds an identity of another provider, as a sign-in there would have at this moment.
async fn plant(app: &TestApp, project: &TestProject, user: &Value, verified: bool) {
    plant_as(app, project, user, ("gitlab", "42"), verified).await;
}

async fn plant_as(app: &TestApp, project: &TestProject, user: &Value, subject: (&str, &str), verified: bool) {
    let instance = app.management.project(&project.project_ref).await.unwrap().project.instance;
    let now = app.clock.now();
    let claims = json!({ "sub": "42", "email": ADDRESS, "email_verified": verified });
    let mut tx = TenantStore::new(app.database.clone(), instance).begin().await.unwrap();
    let user: Uuid = user["id"].as_str().unwrap().parse().unwrap();
    let identity = NewIdentity {
        id: IdentityId(Uuid::from_u128(user.as_u128() ^ 42)),
        user_id: UserId(user),
        provider: subject.0.to_owned(),
        provider_id: subject.1.to_owned(),
        data: claims.as_object().cloned().unwrap(),
        last_sign_in_at: Some(now),
    };
    tx.identities().insert(&identity, now).await.unwrap();
    tx.commit().await.unwrap();
}

fn providers(session: &Value) -> Vec<&str> {
    let identities = session["user"]["identities"].as_array().unwrap();
    identities.iter().map(|identity| identity["provider"].as_str().unwrap()).collect()
}

on_both!(a_planted_identity_goes_when_the_owner_comes, a_planted_identity_goes_on_postgres, planted);
async fn planted(app: TestApp) {
    let project = project(&app, json!({})).await;
    let body = json!({ "email": ADDRESS, "password": "correct horse" });
    let user = project.post("/signup", body).send().await.expect(200).json();
    assert_eq!(mail(&app, ADDRESS).await.kind, "confirmation");
    app.clock.advance(2);
    plant(&app, &project, &user, false).await;
    app.clock.advance(2);
    project.post("/recover", json!({ "email": ADDRESS })).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    let session = verify(&project, json!({ "type": "recovery", "token_hash": letter.hash })).await.expect(200).json();
    assert_eq!(providers(&session), ["email"]);
    assert_eq!(session["user"]["app_metadata"]["providers"], json!(["email"]));
}

on_both!(what_was_proven_stays, what_was_proven_stays_on_postgres, proven);
async fn proven(app: TestApp) {
    // Its own confirmation proves what the sign-in that sent it brought along.
    let first = project(&app, json!({})).await;
    let body = json!({ "email": ADDRESS, "password": "correct horse" });
    let user = first.post("/signup", body).send().await.expect(200).json();
    plant(&app, &first, &user, false).await;
    let letter = mail(&app, ADDRESS).await;
    let session = verify(&first, json!({ "type": "signup", "token_hash": letter.hash })).await.expect(200).json();
    assert_eq!(providers(&session).len(), 2);
    assert_eq!(session["user"]["identities"][1]["identity_data"]["email_verified"], true);

    // And a proven account loses nothing.
    let second = shielded(&app, json!({})).await;
    let user = confirmed(&second, "b@example.com").await;
    plant(&app, &second, &user, false).await;
    app.clock.advance(120);
    second.post("/recover", json!({ "email": "b@example.com" })).send().await.expect(200);
    let letter = mail(&app, "b@example.com").await;
    let session = verify(&second, json!({ "type": "recovery", "token_hash": letter.hash })).await.expect(200).json();
    assert_eq!(providers(&session).len(), 2);
    second.sign_in("b@example.com").await;
}

on_both!(an_old_account_gets_its_owner, an_old_account_gets_its_owner_on_postgres, owner);
async fn owner(app: TestApp) {
    // The compat profile keeps the password that somebody set before; the shield profile does not.
    for (profile, email, status) in [("compat", "compat@example.com", 200), ("shield", "shield@example.com", 400)] {
        let project = match profile {
            "shield" => shielded(&app, json!({})).await,
            _ => project(&app, json!({})).await,
        };
        let attacker = json!({ "email": email, "password": "fledgling pirate" });
        project.post("/signup", attacker.clone()).send().await.expect(200);
        mail(&app, email).await;
        app.clock.advance(120);
        project.post("/recover", json!({ "email": email })).send().await.expect(200);
        let letter = mail(&app, email).await;
        let session = verify(&project, json!({ "type": "recovery", "token_hash": letter.hash })).await.expect(200);
        project.get("/user").bearer(access(&session.json())).send().await.expect(200);
        project.post("/token?grant_type=password", attacker).send().await.expect(status);
    }
}

on_both!(its_own_confirmation_keeps_the_password, its_own_confirmation_keeps_the_password_on_postgres, keeps);
async fn keeps(app: TestApp) {
    let project = shielded(&app, json!({})).await;
    let mine = json!({ "email": ADDRESS, "password": "walrus and carpenter" });
    project.post("/signup", mine.clone()).send().await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    verify(&project, json!({ "type": "email", "email": ADDRESS, "token": letter.code })).await.expect(200);
    project.post("/token?grant_type=password", mine).send().await.expect(200);
}

on_both!(a_fault_lands_where_the_link_leads, a_fault_lands_where_the_link_leads_on_postgres, fault);
async fn fault(app: TestApp) {
    let project = project(&app, json!({})).await;
    let guest = project.post("/signup", json!({})).send().await.expect(200).json();
    put(&project, &guest, json!({ "email": ADDRESS })).await.expect(200);
    let letter = mail(&app, ADDRESS).await;
    // A row that cannot be: the guest's identity belongs to somebody else.
    let other = confirmed(&project, "b@example.com").await;
    plant_as(&app, &project, &other, ("email", guest["user"]["id"].as_str().unwrap()), true).await;
    let landing = project.get(&format!("/verify?type=email_change&token={}", letter.hash)).send().await.expect(303);
    let location = landing.header("location");
    assert!(location.contains("error=server_error&error_code=unexpected_failure"), "{location}");
}
