//! The JSON of Mailpit's API v1, so that tools made for Mailpit work.

use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mail::{Address, Message};

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
    /// Always empty: this mailbox has no tags.
    pub tags: Vec<String>,
    /// Bytes of the whole mail.
    pub size: usize,
    /// Always 0.
    pub attachments: usize,
    /// The beginning of the text, on one line.
    pub snippet: String,
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
    /// Always empty.
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
        let snippet = crate::mail::single_line(&mail.text);
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
            tags: Vec::new(),
            size: mail.size,
            attachments: 0,
            snippet: snippet.chars().take(SNIPPET_CHARS).collect(),
        }
    }
}

impl Mail {
    pub(super) fn new(message: &Message, size: usize) -> Self {
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
            tags: Vec::new(),
            username: String::new(),
            text: message.text.clone(),
            html: message.html.clone(),
            size,
            inline: Vec::new(),
            attachments: Vec::new(),
        }
    }
}
