//! Everything Tenantry says to the outside by mail: templates, messages, SMTP, and the mailbox for development.
//!
//! The way of a mail: [`mails::compose`] renders subject, HTML and text of one kind of mail from the project's
//! templates; the caller makes a [`Message`] of it; a [`MailTransport`] hands the message to the project's SMTP
//! server, or [`mailbox::Mailbox`] keeps it while a project has none. Nothing here reads a clock or makes an id.

pub mod mail;
pub mod mailbox;
pub mod mails;
pub mod plain;
pub mod reach;
pub mod recording;
pub mod smtp;
pub mod template;
pub mod transport;

pub use mail::{Address, Message};
pub use reach::Reach;
pub use recording::RecordingTransport;
pub use smtp::SmtpTransport;
pub use transport::{Encryption, MailTransport, SendError, SmtpServer};
