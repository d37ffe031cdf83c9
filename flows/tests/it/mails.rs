//! Mails as their readers get them.

use std::time::Duration;

use outbound::mailbox::{Page, Scope};
use serde_json::{Map, Value, json};
use testkit::{Answer, TestApp, TestProject};

/// The kinds of mail with a link or a code.
const KINDS: [&str; 6] = ["invite", "confirmation", "recovery", "magic_link", "email_change", "reauthentication"];

/// What stands in a mail of a project with [`confirming`]'s templates.
#[derive(Debug)]
pub(crate) struct Received {
    /// The name of the template.
    pub(crate) kind: String,
    /// What is typed.
    pub(crate) code: String,
    /// What stands in the link.
    pub(crate) hash: String,
    /// Where the link leads in the end.
    pub(crate) redirect: String,
    /// The link.
    pub(crate) link: String,
    /// All of it.
    pub(crate) html: String,
}

/// Settings of a project that confirms by mail and whose mails can be read by [`take`], with `others` over them.
pub(crate) fn confirming(others: Value) -> Value {
    let mut config = Map::new();
    config.insert("mailer_autoconfirm".to_owned(), json!(false));
    config.insert("mailer_otp_exp".to_owned(), json!(300));
    config.insert("rate_limit_email_sent".to_owned(), json!(1000));
    for kind in KINDS {
        let link = if kind == "reauthentication" { "" } else { "<a href=\"{{ .ConfirmationURL }}\">go</a>" };
        let body = format!(
            "<p>kind={kind}|code={{{{ .Token }}}}|hash={{{{ .TokenHash }}}}|redirect={{{{ .RedirectTo }}}}|</p>{link} {{{{ .SiteURL }}}}"
        );
        config.insert(format!("mailer_templates_{kind}_content"), json!(body));
    }
    config.extend(others.as_object().cloned().unwrap());
    Value::Object(config)
}

/// Waits until everything that was promised is delivered.
pub(crate) async fn settled(app: &TestApp) {
    let drained = async {
        while app.database.outbox_depth().await.unwrap().pending > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), drained).await.unwrap();
}

/// The mails to `email`, oldest first, taken out of the mailbox. Waits until all that was promised is delivered.
pub(crate) async fn take(app: &TestApp, email: &str) -> Vec<Received> {
    settled(app).await;
    let query = format!("to:{email}");
    let listing = app.mailbox.search(Scope::All, &query, Page { start: 0, limit: 100 });
    let mut mails: Vec<Received> = Vec::new();
    for summary in listing.messages.iter().rev() {
        let mail = app.mailbox.get(Scope::All, &summary.id).unwrap();
        let field = |name: &str| {
            let from = mail.html.find(&format!("{name}=")).map(|at| at + name.len() + 1);
            from.map(|from| mail.html[from..].split('|').next().unwrap_or_default().to_owned()).unwrap_or_default()
        };
        let href = mail.html.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        mails.push(Received {
            kind: field("kind"),
            code: field("code"),
            hash: field("hash"),
            redirect: field("redirect"),
            link: href.replace("&amp;", "&"),
            html: mail.html,
        });
    }
    app.mailbox.delete_matching(Scope::All, &query);
    mails
}

/// The one mail to `email`.
pub(crate) async fn one(app: &TestApp, email: &str) -> Received {
    let mut mails = take(app, email).await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    mails.remove(0)
}

/// Makes a confirmed account through the admin's door. Gives the user.
pub(crate) async fn confirmed_user(project: &TestProject, contact: Value) -> Value {
    let mut body = json!({ "email_confirm": true, "phone_confirm": true, "password": "correct horse" });
    body.as_object_mut().unwrap().extend(contact.as_object().cloned().unwrap());
    let key = project.service_role_key.clone();
    project.post("/admin/users", body).bearer(&key).send().await.expect(200).json()
}

/// The user with this id, as the admin sees him.
pub(crate) async fn read_user(project: &TestProject, user: &Value) -> Value {
    let path = format!("/admin/users/{}", user.as_str().unwrap());
    project.get(&path).bearer(&project.service_role_key).send().await.expect(200).json()
}

/// How many users the project has.
pub(crate) async fn count_users(project: &TestProject) -> usize {
    let listed = project.get("/admin/users").bearer(&project.service_role_key).send().await.expect(200).json();
    listed["users"].as_array().unwrap().len()
}

/// Types `code` for `email`.
pub(crate) async fn type_code(project: &TestProject, kind: &str, email: &str, code: &str) -> Answer {
    project.post("/verify", json!({ "type": kind, "email": email, "token": code })).send().await
}

/// Shows the token of a link.
pub(crate) async fn show_hash(project: &TestProject, kind: &str, hash: &str) -> Answer {
    project.post("/verify", json!({ "type": kind, "token_hash": hash })).send().await
}
