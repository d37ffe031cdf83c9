//! Projects with passkeys, and users who have some.

use http::Method;
use serde_json::{Value, json};
use testkit::{Algorithm, Answer, Ask, Authenticator, TestApp, TestProject};

use crate::letters::access;

/// The page of the projects here.
pub(crate) const ORIGIN: &str = "http://localhost:3000";

/// Settings with passkeys for [`ORIGIN`], and `config` on top.
pub(crate) fn settings(config: Value) -> Value {
    let mut all = json!({
        "passkey_enabled": true,
        "webauthn_rp_id": "localhost",
        "webauthn_rp_display_name": "Passkeys",
        "webauthn_rp_origins": ORIGIN,
    });
    all.as_object_mut().unwrap().extend(config.as_object().cloned().unwrap());
    all
}

/// A project with passkeys.
pub(crate) async fn project(app: &TestApp, config: Value) -> TestProject {
    app.project("passkeys", settings(config)).await
}

/// An honest authenticator.
pub(crate) fn authenticator() -> Authenticator {
    Authenticator::new(Algorithm::Es256, ORIGIN)
}

/// A request of a user.
pub(crate) fn ask(project: &TestProject, session: &Value, method: Method, path: &str) -> Ask {
    project.ask(method, path).bearer(access(session))
}

/// Begins a registration: `challenge_id`, `options`, `expires_at`.
pub(crate) async fn registration(project: &TestProject, session: &Value) -> Value {
    let begin = ask(project, session, Method::POST, "/passkeys/registration/options").json(&json!({}));
    begin.send().await.expect(200).json()
}

/// Ends a registration with what an authenticator said.
pub(crate) fn keep(project: &TestProject, session: &Value, challenge: &Value, credential: Value) -> Ask {
    let body = json!({ "challenge_id": challenge["challenge_id"], "credential": credential });
    ask(project, session, Method::POST, "/passkeys/registration/verify").json(&body)
}

/// Registers `authenticator`. Gives the passkey.
pub(crate) async fn register(project: &TestProject, session: &Value, authenticator: &mut Authenticator) -> Value {
    let challenge = registration(project, session).await;
    let credential = authenticator.create(&challenge["options"]);
    keep(project, session, &challenge, credential).send().await.expect(200).json()
}

/// Begins a sign-in: `challenge_id`, `options`, `expires_at`.
pub(crate) async fn challenge(project: &TestProject) -> Value {
    project.post("/passkeys/authentication/options", json!({})).send().await.expect(200).json()
}

/// Ends a sign-in with what an authenticator said.
pub(crate) fn prove(project: &TestProject, challenge: &Value, credential: Value) -> Ask {
    let body = json!({ "challenge_id": challenge["challenge_id"], "credential": credential });
    project.post("/passkeys/authentication/verify", body)
}

/// Signs in with `authenticator`.
pub(crate) async fn sign_in(project: &TestProject, authenticator: &mut Authenticator) -> Answer {
    let challenge = challenge(project).await;
    let credential = authenticator.get(&challenge["options"]);
    prove(project, &challenge, credential).send().await
}

/// A user with a passkey, and what holds it.
pub(crate) async fn owner(project: &TestProject, email: &str) -> (Value, Authenticator) {
    let session = project.sign_up(email).await;
    let mut authenticator = authenticator();
    register(project, &session, &mut authenticator).await;
    (session, authenticator)
}

/// The passkeys of a user.
pub(crate) async fn passkeys(project: &TestProject, session: &Value) -> Vec<Value> {
    let listed = ask(project, session, Method::GET, "/passkeys").send().await.expect(200).json();
    listed.as_array().unwrap().clone()
}

/// Error code and message of a refusal.
pub(crate) fn said(answer: &Answer) -> (String, String) {
    (answer.error_code(), answer.json()["msg"].as_str().unwrap_or_default().to_owned())
}

/// The refusal of an answer that does not hold, whatever is wrong with it.
pub(crate) fn invalid() -> (String, String) {
    ("webauthn_verification_failed".to_owned(), "Credential verification failed".to_owned())
}

/// The refusal of a challenge that is not known, or was used.
pub(crate) fn unknown_challenge() -> (String, String) {
    ("webauthn_challenge_not_found".to_owned(), "Challenge not found or already used".to_owned())
}
