//! An authenticator app.

use domain::time::Clock;
use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::letters::access;

/// A TOTP factor as its owner's app knows it.
#[derive(Clone, Debug)]
pub(crate) struct Totp {
    /// The factor.
    pub(crate) factor: String,
    /// What the app was shown.
    pub(crate) secret: String,
}

/// Enrols a factor in `session` and proves it. Gives the raised session too.
pub(crate) async fn enrolled(app: &TestApp, project: &TestProject, session: &Value) -> (Totp, Value) {
    let body = json!({ "factor_type": "totp", "friendly_name": "app" });
    let made = project.post("/factors", body).bearer(access(session)).send().await.expect(200).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let totp = Totp { factor: text(&made["id"]), secret: text(&made["totp"]["secret"]) };
    let raised = totp.raise(app, project, session).await.expect(200).json();
    (totp, raised)
}

impl Totp {
    /// The code the app shows now.
    pub(crate) fn code(&self, app: &TestApp) -> String {
        let secret = totp_rs::Secret::try_from_base32(&self.secret).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build_noncompliant();
        totp.generate(u64::try_from(app.clock.now().unix()).unwrap()).to_string()
    }

    /// Waits for the next code, and raises `session` with it.
    pub(crate) async fn raise(&self, app: &TestApp, project: &TestProject, session: &Value) -> Answer {
        app.clock.advance(30);
        let path = format!("/factors/{}", self.factor);
        let challenge = project.post(&format!("{path}/challenge"), json!({})).bearer(access(session)).send().await;
        let body = json!({ "challenge_id": challenge.expect(200).json()["id"], "code": self.code(app) });
        project.post(&format!("{path}/verify"), body).bearer(access(session)).send().await
    }

    /// Removes the factor.
    pub(crate) async fn unenroll(&self, project: &TestProject, session: &Value) -> Answer {
        project.ask(Method::DELETE, &format!("/factors/{}", self.factor)).bearer(access(session)).send().await
    }
}
