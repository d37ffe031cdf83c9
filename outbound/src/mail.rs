//! A mail and its form on the wire: `multipart/alternative`, text beside HTML (RFC 5322, RFC 2046).

use std::time::SystemTime;

use domain::time::Timestamp;
use lettre::message::header::{self, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::mails::Rendered;

/// The last second a `Date` header can say: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// Headers that [`Message`] writes itself. Extra headers of these names, and of `Content-*`, are dropped.
const OWN_HEADERS: [&str; 13] = [
    "auto-submitted",
    "bcc",
    "cc",
    "date",
    "from",
    "message-id",
    "mime-version",
    "received",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
];

/// Somebody who sends or gets mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Name shown to people; may be empty.
    pub name: String,
    /// `local@domain`.
    pub email: String,
}

impl Address {
    /// An address with a name to show.
    pub fn new(name: impl Into<String>, email: impl Into<String>) -> Self {
        Self { name: name.into(), email: email.into() }
    }

    /// An address without a name.
    pub fn bare(email: impl Into<String>) -> Self {
        Self::new("", email)
    }

    fn mailbox(&self) -> Result<Mailbox, BuildError> {
        let name = single_line(&self.name);
        let email = self.email.parse().map_err(|_| BuildError::Address)?;
        Ok(Mailbox::new((!name.is_empty()).then_some(name), email))
    }
}

/// One mail to one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Names this mail for good, also when it is sent again: the `Message-ID` is made of it.
    pub id: Uuid,
    /// When it was written.
    pub date: Timestamp,
    /// Who sends it.
    pub from: Address,
    /// Who gets it.
    pub to: Address,
    /// Where answers go, if not to `from`.
    pub reply_to: Option<Address>,
    /// One line; line breaks and control characters become blanks.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The text part.
    pub text: String,
    /// Extra headers of the operator. Names that are not header names, or that this crate writes, are dropped.
    pub headers: Vec<(String, String)>,
}

/// A message that cannot be put into a mail's form.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An address is not one.
    #[error("an address of the message is not valid")]
    Address,
    /// Anything else the mail library refuses.
    #[error("the message cannot be written")]
    Format(#[source] lettre::error::Error),
}

impl Message {
    /// A message with what was rendered for one kind of mail.
    pub fn new(id: Uuid, date: Timestamp, from: Address, to: Address, rendered: Rendered) -> Self {
        let Rendered { subject, html, text } = rendered;
        Self { id, date, from, to, reply_to: None, subject, html, text, headers: Vec::new() }
    }

    /// `Message-ID` without angle brackets: the id at the sender's domain.
    pub fn message_id(&self) -> String {
        let domain = self.from.email.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let safe = domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        format!("{}@{}", self.id, if safe && !domain.is_empty() { domain } else { "localhost" })
    }

    /// The mail as it goes over the wire. No field can add a header or a part.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BuildError> {
        Ok(self.build()?.formatted())
    }

    pub(crate) fn build(&self) -> Result<lettre::Message, BuildError> {
        let mut builder = lettre::Message::builder()
            .message_id(Some(format!("<{}>", self.message_id())))
            .date(self.sent_at())
            .from(self.from.mailbox()?)
            .to(self.to.mailbox()?)
            .subject(single_line(&self.subject))
            .raw_header(text_header(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated"));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.mailbox()?);
        }
        for (name, value) in &self.headers {
            match extra_header(name) {
                Some(name) => builder = builder.raw_header(text_header(name, value)),
                None => tracing::warn!(name, "extra mail header dropped"),
            }
        }
        // Who writes a template cannot know the id of the mail, so no part can hold the boundary.
        let parts = MultiPart::alternative()
            .boundary(format!("=_{}", self.id.simple()))
            .singlepart(part(header::ContentType::TEXT_PLAIN, &self.text))
            .singlepart(part(header::ContentType::TEXT_HTML, &self.html));
        builder.multipart(parts).map_err(BuildError::Format)
    }

    fn sent_at(&self) -> SystemTime {
        Timestamp::from_unix(self.date.unix().clamp(0, LAST_SECOND)).utc().into()
    }
}

fn part(content_type: header::ContentType, body: &str) -> SinglePart {
    SinglePart::builder().header(content_type).body(body.to_owned())
}

fn text_header(name: HeaderName, value: &str) -> HeaderValue {
    HeaderValue::new(name, single_line(value))
}

/// The name as a header name (RFC 5322 §2.2), unless it is none or this crate's own.
fn extra_header(name: &str) -> Option<HeaderName> {
    let lower = name.to_ascii_lowercase();
    let printable = name.bytes().all(|b| b.is_ascii_graphic());
    if !printable || lower.starts_with("content-") || OWN_HEADERS.contains(&lower.as_str()) {
        return None;
    }
    HeaderName::new_from_ascii(name.to_owned()).ok()
}

/// Runs of white space and control characters become one blank, those at the ends vanish.
pub(crate) fn single_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
