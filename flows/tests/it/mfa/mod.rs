//! Second factors, one file each subject.

mod admin;
mod enroll;
mod guessing;
mod hooks;
mod phone;
mod races;
mod totp;
mod unenroll;
mod webauthn;

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, Ask, TestApp, TestProject};

use crate::letters::{access, confirmed};
use crate::totp::Totp;

const ADDRESS: &str = "a@example.com";

/// A project that offers every kind of factor, with `config` on top.
async fn project(app: &TestApp, config: Value) -> TestProject {
    app.project("factors", with_factors(config)).await
}

/// The same in the shield profile.
async fn shielded(app: &TestApp, config: Value) -> TestProject {
    let mut config = with_factors(config);
    config["security_profile"] = json!("shield");
    app.project("shielded", config).await
}

fn with_factors(config: Value) -> Value {
    let mut all = json!({
        "mfa_phone_enroll_enabled": true,
        "mfa_phone_verify_enabled": true,
        "mfa_web_authn_enroll_enabled": true,
        "mfa_web_authn_verify_enabled": true,
        "mfa_phone_max_frequency": 5,
        "webauthn_rp_id": "localhost",
        "webauthn_rp_display_name": "Example",
        "webauthn_rp_origins": "http://localhost:3000",
        "sms_provider": "messagebird",
        "sms_messagebird_access_key": "key",
        "sms_messagebird_originator": "us",
    });
    all.as_object_mut().unwrap().extend(config.as_object().cloned().unwrap());
    all
}

/// A session of a new user with a proven address.
async fn signed_in(project: &TestProject) -> Value {
    confirmed(project, ADDRESS).await;
    project.sign_in(ADDRESS).await
}

/// Enrols a factor in `session`.
async fn enroll(project: &TestProject, session: &Value, body: Value) -> Answer {
    project.post("/factors", body).bearer(access(session)).send().await
}

/// Enrols an authenticator app.
async fn app_of(project: &TestProject, session: &Value, name: &str) -> Totp {
    let body = json!({ "factor_type": "totp", "friendly_name": name });
    let made = enroll(project, session, body).await.expect(200).json();
    Totp { factor: text(&made["id"]), secret: text(&made["totp"]["secret"]) }
}

/// Enrols a phone or a security key. Gives its id.
async fn enrolled(project: &TestProject, session: &Value, body: Value) -> String {
    text(&enroll(project, session, body).await.expect(200).json()["id"])
}

/// A request for a challenge.
fn challenge(project: &TestProject, session: &Value, factor: &str) -> Ask {
    project.post(&format!("/factors/{factor}/challenge"), json!({})).bearer(access(session))
}

/// The id of a new challenge.
async fn challenged(project: &TestProject, session: &Value, factor: &str) -> String {
    text(&challenge(project, session, factor).send().await.expect(200).json()["id"])
}

/// An answer to a challenge.
fn verify(project: &TestProject, session: &Value, factor: &str, challenge: &str, code: &str) -> Ask {
    let body = json!({ "challenge_id": challenge, "code": code });
    project.post(&format!("/factors/{factor}/verify"), body).bearer(access(session))
}

/// Removes a factor.
fn unenroll(project: &TestProject, session: &Value, factor: &str) -> Ask {
    project.ask(Method::DELETE, &format!("/factors/{factor}")).bearer(access(session))
}

/// The bearer's account.
async fn user(project: &TestProject, session: &Value) -> Value {
    project.get("/user").bearer(access(session)).send().await.expect(200).json()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The newest audit rows, newest first: action and payload.
async fn audit(project: &TestProject) -> Vec<(String, Value)> {
    let rows = project.get("/admin/audit").bearer(&project.service_role_key).send().await.expect(200).json();
    let rows = rows.as_array().unwrap().iter().map(|row| (text(&row["payload"]["action"]), row.clone()));
    rows.collect()
}
