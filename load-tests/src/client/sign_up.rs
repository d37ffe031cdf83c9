//! Opening accounts.

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Failure, Project, send_json};

/// Opens an account with a password: the new user's id.
pub(crate) async fn sign_up(project: &Project, email: &str, password: &Arc<str>) -> Result<String, Failure> {
    opened(project, &json!({"email": email, "password": &**password})).await
}

/// Opens an account of nobody in particular: its id.
pub(crate) async fn sign_up_anonymously(project: &Project) -> Result<String, Failure> {
    opened(project, &json!({})).await
}

async fn opened(project: &Project, body: &serde_json::Value) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Opened {
        user: Created,
        #[serde(rename = "access_token")]
        _session: String,
    }
    #[derive(Deserialize)]
    struct Created {
        id: String,
    }
    let opened: Opened = send_json(project.public(Method::POST, "signup").json(body)).await?;
    Ok(opened.user.id)
}

/// What a project says of itself to everybody.
#[derive(Deserialize)]
pub(crate) struct Settings {
    /// New accounts are good at once, and nobody gets a mail.
    pub(crate) mailer_autoconfirm: bool,
}

/// Reads a project's public settings.
pub(crate) async fn settings(project: &Project) -> Result<Settings, Failure> {
    send_json(project.public(Method::GET, "settings")).await
}
