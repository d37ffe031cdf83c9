//! The JSON of Mailpit's API v1, so that tools made for Mailpit work, and in `Link`, `LinkText` and `Code` what a test
//! wants to have of a mail.

use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::found::Found;
use crate::mail::{Address, Message};
use crate::plain;

/// Characters of text a summary shows.
const SNIPPET_CHARS: usize = 250;

/// `From` and the members of `To`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MailAddress {
    /// Name shown to people; may be empty.
    pub name: String,
    /// `local@domain`.
    pub address: String,
}

impl From<&Address> for MailAddress {
    fn from(address: &Address) -> Self {
        Self { name: address.name.clone(), address: address.email.clone() }
    }
}

/// A message in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Summary {
    /// Names the message in this mailbox.
    #[serde(rename = "ID")]
    pub id: String,
    /// `Message-ID` without angle brackets.
    #[serde(rename = "MessageID")]
    pub message_id: String,
    /// Whether somebody opened it.
    pub read: bool,
    /// Sender.
    pub from: MailAddress,
    /// Receivers.
    pub to: Vec<MailAddress>,
    /// Always empty: our mails have none.
    pub cc: Vec<MailAddress>,
    /// Always empty: our mails have none.
    pub bcc: Vec<MailAddress>,
    /// Where answers go.
    pub reply_to: Vec<MailAddress>,
    /// One line.
    pub subject: String,
    /// When it was written.
    pub created: Timestamp,
    /// Always empty: nobody signs in to this mailbox.
    pub username: String,
    /// What the mail is for: `confirmation`, `recovery`, ... as the mails are named, `link` or `code` where that is all
    /// that can be seen, else `notification`.
    pub tags: Vec<String>,
    /// Bytes of the whole mail.
    pub size: usize,
    /// Always 0.
    pub attachments: usize,
    /// The beginning of what the mail shows, on one line.
    pub snippet: String,
    /// The code to type, empty when none.
    pub code: String,
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mail {
    /// Names the message in this mailbox.
    #[serde(rename = "ID")]
    pub id: String,
    /// `Message-ID` without angle brackets.
    #[serde(rename = "MessageID")]
    pub message_id: String,
    /// Sender.
    pub from: MailAddress,
    /// Receivers.
    pub to: Vec<MailAddress>,
    /// Always empty.
    pub cc: Vec<MailAddress>,
    /// Always empty.
    pub bcc: Vec<MailAddress>,
    /// Where answers go.
    pub reply_to: Vec<MailAddress>,
    /// The sender's address.
    pub return_path: String,
    /// One line.
    pub subject: String,
    /// Always empty.
    pub list_unsubscribe: ListUnsubscribe,
    /// When it was written.
    pub date: Timestamp,
    /// As in the summary.
    pub tags: Vec<String>,
    /// Always empty.
    pub username: String,
    /// The text part.
    pub text: String,
    /// The HTML part. Whoever shows it must do so in a frame without scripts and without this site's origin.
    #[serde(rename = "HTML")]
    pub html: String,
    /// Bytes of the whole mail.
    pub size: usize,
    /// Always empty.
    pub inline: Vec<serde_json::Value>,
    /// Always empty.
    pub attachments: Vec<serde_json::Value>,
    /// The link to follow, empty when none.
    pub link: String,
    /// The words of the link.
    pub link_text: String,
    /// The code to type, empty when none.
    pub code: String,
}

/// Mailpit's reading of the `List-Unsubscribe` header, which our mails do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListUnsubscribe {
    /// Always empty.
    pub header: String,
    /// Always empty.
    pub links: Vec<String>,
    /// Always empty.
    pub errors: String,
    /// Always empty.
    pub header_post: String,
}

/// A page of a list or of search results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Messages in the mailbox.
    pub total: usize,
    /// Unread messages in the mailbox.
    pub unread: usize,
    /// Messages on this page.
    pub count: usize,
    /// Messages that match; all of them where nothing was searched for.
    pub messages_count: usize,
    /// Unread messages that match.
    pub messages_unread: usize,
    /// How many matches come before this page.
    pub start: usize,
    /// Always empty.
    pub tags: Vec<String>,
    /// The page, newest first.
    pub messages: Vec<Summary>,
}

impl Summary {
    pub(super) fn new(mail: &Mail, read: bool) -> Self {
        let snippet = crate::mail::single_line(&shown(&mail.html, &mail.text));
        Self {
            id: mail.id.clone(),
            message_id: mail.message_id.clone(),
            read,
            from: mail.from.clone(),
            to: mail.to.clone(),
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: mail.reply_to.clone(),
            subject: mail.subject.clone(),
            created: mail.date,
            username: String::new(),
            tags: mail.tags.clone(),
            size: mail.size,
            attachments: 0,
            snippet: snippet.chars().take(SNIPPET_CHARS).collect(),
            code: mail.code.clone(),
        }
    }
}

impl Mail {
    pub(super) fn new(message: &Message, size: usize) -> Self {
        let found = Found::of(&message.html, &shown(&message.html, &message.text));
        Self {
            id: message.id.simple().to_string(),
            message_id: message.message_id(),
            from: MailAddress::from(&message.from),
            to: vec![MailAddress::from(&message.to)],
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: message.reply_to.iter().map(MailAddress::from).collect(),
            return_path: message.from.email.clone(),
            subject: crate::mail::single_line(&message.subject),
            list_unsubscribe: ListUnsubscribe::default(),
            date: message.date,
            tags: vec![found.kind.to_owned()],
            username: String::new(),
            text: message.text.clone(),
            html: message.html.clone(),
            size,
            inline: Vec::new(),
            attachments: Vec::new(),
            link: found.link,
            link_text: found.link_text,
            code: found.code,
        }
    }
}

/// What the reader of a mail sees.
fn shown(html: &str, text: &str) -> String {
    if html.is_empty() { text.to_owned() } else { plain::visible(html) }
}
