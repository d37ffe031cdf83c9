//! Projects whose mails and SMS a test can read.

use http::Method;
use serde_json::{Value, json};
use testkit::{Answer, TestApp, TestProject};

use crate::mails::{self, Received};

/// A project that confirms by mail and SMS, one second between two messages, with `config` on top.
pub(crate) async fn project(app: &TestApp, config: Value) -> TestProject {
    app.project("letters", with_letters(config)).await
}

/// The same in the shield profile.
pub(crate) async fn shielded(app: &TestApp, config: Value) -> TestProject {
    let mut config = with_letters(config);
    config["security_profile"] = json!("shield");
    app.project("shielded", config).await
}

fn with_letters(config: Value) -> Value {
    let mut all = mails::confirming(json!({
        "smtp_max_frequency": 1,
        "sms_max_frequency": 1,
        "rate_limit_sms_sent": 1000,
        "external_phone_enabled": true,
        "external_anonymous_users_enabled": true,
        "sms_provider": "messagebird",
        "sms_messagebird_access_key": "key",
        "sms_messagebird_originator": "us",
        "mailer_templates_email_changed_notification_content": "from={{ .OldEmail }};to={{ .Email }};",
    }));
    all.as_object_mut().unwrap().extend(config.as_object().cloned().unwrap());
    all
}

/// The one mail that `email` has got since the last was read.
pub(crate) async fn mail(app: &TestApp, email: &str) -> Received {
    mails::one(app, email).await
}

/// The code of the newest SMS.
pub(crate) fn sms_code(app: &TestApp) -> String {
    app.sms.sent().last().unwrap().code.expose().clone()
}

/// Makes a user with a proven address, as an administrator does.
pub(crate) async fn confirmed(project: &TestProject, email: &str) -> Value {
    mails::confirmed_user(project, json!({ "email": email })).await
}

/// A request of the project's server.
pub(crate) async fn admin(project: &TestProject, method: Method, path: &str, body: Value) -> Answer {
    project.ask(method, path).bearer(&project.service_role_key).json(&body).send().await
}

/// Changes one's own account.
pub(crate) async fn put(project: &TestProject, session: &Value, body: Value) -> Answer {
    project.ask(Method::PUT, "/user").bearer(access(session)).json(&body).send().await
}

/// The access token of a token response.
pub(crate) fn access(session: &Value) -> &str {
    session["access_token"].as_str().unwrap()
}

/// Verifies.
pub(crate) async fn verify(project: &TestProject, body: Value) -> Answer {
    project.post("/verify", body).send().await
}

/// A code of the same length that is another one.
pub(crate) fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &code[..code.len() - 1])
}
