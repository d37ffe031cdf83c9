//! Codes and links by mail, and how a run comes to read them.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use url::Url;

use super::redirect::{Redirect, redirected};
use super::{Failure, Project, Tokens, User, send, send_json};
use crate::target::Gateway;

/// Between two looks into a mailbox: at first and at most.
const LOOK: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

/// What a mail is good for.
pub(crate) struct Letter {
    pub(crate) code: String,
    pub(crate) link: String,
}

/// Asks for a mail with a code and a link; with a challenge, the link leads to a code for whoever has the verifier.
pub(crate) async fn ask(user: &User, challenge: Option<&str>) -> Result<(), Failure> {
    let mut body = json!({"email": user.email, "create_user": false});
    if let (Some(challenge), Value::Object(fields)) = (challenge, &mut body) {
        fields.insert("code_challenge".to_owned(), challenge.into());
        fields.insert("code_challenge_method".to_owned(), "s256".into());
    }
    send(user.project.public(Method::POST, "otp").json(&body)).await.map(|_| ())
}

/// What a mail would have said, without one being sent: the operator's way.
pub(crate) async fn generate_link(user: &User) -> Result<Letter, Failure> {
    #[derive(Deserialize)]
    struct Generated {
        email_otp: String,
        action_link: String,
    }
    let body = json!({"type": "magiclink", "email": user.email});
    let made: Generated = send_json(user.project.admin(Method::POST, "generate_link").json(&body)).await?;
    Ok(Letter { code: made.email_otp, link: made.action_link })
}

/// Signs in with the code of a mail.
pub(crate) async fn verify(user: &User, code: &str) -> Result<Tokens, Failure> {
    let body = json!({"type": "email", "email": user.email, "token": code});
    send_json(user.project.public(Method::POST, "verify").json(&body)).await
}

/// Follows the link of a mail to where the app would be opened, by whatever name the link calls the project.
pub(crate) async fn follow(project: &Project, link: &str) -> Result<Redirect, Failure> {
    redirected(project.public(Method::GET, &path(link)?)).await
}

fn path(link: &str) -> Result<String, Failure> {
    let unknown = || Failure("a mail without a link".to_owned());
    let link = Url::parse(link).map_err(|_| unknown())?;
    link.query().map(|query| format!("verify?{query}")).ok_or_else(unknown)
}

/// The mailbox in which a gateway keeps what it does not send, of one project.
#[derive(Clone)]
pub(crate) struct Mailbox {
    gateway: Gateway,
    base: String,
    patience: Duration,
}

#[derive(Deserialize)]
struct Listing {
    messages: Vec<Summary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    #[serde(rename = "ID")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    code: String,
    link: String,
}

impl Mailbox {
    /// The mailbox of a project that was made for this run, where its gateway has one.
    pub(crate) async fn of(gateway: &Gateway, project: &Project, patience: Duration) -> Option<Self> {
        let base = format!("/p/{}/mail/api/v1", project.reference()?);
        let mailbox = Self { gateway: gateway.clone(), base, patience };
        mailbox.newest("nobody@example.com").await.ok().map(|_| mailbox)
    }

    /// Waits for the next mail to `address`, other than the one `seen` last.
    pub(crate) async fn next(&self, address: &str, seen: &mut Option<String>) -> Result<Letter, Failure> {
        let until = Instant::now() + self.patience;
        let [mut pause, longest] = LOOK;
        loop {
            let newest = self.newest(address).await?;
            if let Some(id) = newest.filter(|id| seen.as_ref() != Some(id)) {
                let message: Message = send_json(self.get(&format!("message/{id}"))).await?;
                *seen = Some(id);
                return Ok(Letter { code: message.code, link: message.link });
            }
            if Instant::now() >= until {
                return Err(Failure("no mail came".to_owned()));
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn newest(&self, address: &str) -> Result<Option<String>, Failure> {
        let found: Listing = send_json(self.get(&format!("search?limit=1&query=to:{address}"))).await?;
        Ok(found.messages.into_iter().next().map(|summary| summary.id))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.gateway.managed(Method::GET, &format!("{}/{path}", self.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_by_what_it_says_and_not_by_its_host() {
        let link = "http://acme.localhost/auth/v1/verify?token=pkce_1&type=magiclink&redirect_to=http://app:3000#x";
        assert_eq!(path(link).unwrap(), "verify?token=pkce_1&type=magiclink&redirect_to=http://app:3000");
        for broken in ["", "no link", "http://h/verify"] {
            assert_eq!(path(broken).unwrap_err().0, "a mail without a link", "{broken}");
        }
    }
}
