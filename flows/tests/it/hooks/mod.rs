//! The points at which a project is asked, one file each group.

mod access_token;
mod accounts;
mod function;
mod password;
mod waiting;

use serde_json::{Map, Value, json};
use testkit::{TestApp, TestProject};

/// Where the hook of a test is.
pub(crate) fn uri(point: &str) -> String {
    format!("https://hooks.example/{point}")
}

/// Settings with hooks at `points`.
pub(crate) fn config(points: &[&str], others: Value) -> Value {
    let mut config = others.as_object().cloned().unwrap();
    for point in points {
        config.insert(format!("hook_{point}_enabled"), json!(true));
        config.insert(format!("hook_{point}_uri"), json!(uri(point)));
    }
    Value::Object(config)
}

/// An answer that refuses.
pub(crate) fn error(status: u16, message: &str) -> Value {
    json!({ "error": { "http_code": status, "message": message } })
}

/// The claims of the access token in `answer`.
pub(crate) fn claims(app: &TestApp, project: &TestProject, answer: &Value) -> Map<String, Value> {
    use domain::time::Clock;
    let keys = crypto::jwt::KeySet::new(project.jwt_secret.clone().into(), Vec::new());
    keys.verify(answer["access_token"].as_str().unwrap(), app.clock.now()).unwrap()
}

/// How many sessions the user has.
pub(crate) async fn sessions_of(project: &TestProject, user: &Value) -> usize {
    let path = format!("/admin/users/{}/sessions", user.as_str().unwrap());
    let listed = project.get(&path).bearer(&project.service_role_key).send().await.expect(200).json();
    listed["sessions"].as_array().unwrap().len()
}

/// A request for a session by the password that `TestProject::sign_up` sets.
pub(crate) fn password_grant(project: &TestProject, email: &str, password: &str) -> testkit::Ask {
    project.post("/token?grant_type=password", json!({ "email": email, "password": password }))
}
