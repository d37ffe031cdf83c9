//! The seam between the flows and whatever carries a mail away.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use domain::secret::Secret;

use crate::mail::Message;

/// A project's SMTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    /// Host name or address.
    pub host: String,
    /// Port; on 465 TLS starts at once, on any other by `STARTTLS`.
    pub port: u16,
    /// User name; without one nothing is authenticated.
    pub user: Option<String>,
    /// Password of `user`.
    pub pass: Option<Secret<String>>,
    /// Whether a connection that cannot be encrypted is used.
    pub encryption: Encryption,
}

/// What becomes of a connection that the server does not encrypt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// `STARTTLS` where the server offers it, else clear text (`contract/platform.md` §5.1).
    #[default]
    Opportunistic,
    /// No mail without TLS.
    Required,
}

/// A mail that was not handed over.
#[derive(Debug, thiserror::Error)]
pub struct SendError {
    /// Trying again later is useless: the server refused for good (5xx), or the message or the settings are wrong.
    pub permanent: bool,
    /// What happened.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl SendError {
    /// A failure that will not go away by itself.
    pub fn permanent(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { permanent: true, source: source.into() }
    }

    /// A failure after which the same message may be tried again.
    pub fn transient(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { permanent: false, source: source.into() }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.permanent { "the mail was refused" } else { "the mail could not be handed over" })
    }
}

/// Hands mails to a server.
#[async_trait]
pub trait MailTransport: Send + Sync {
    /// Returns once `server` has taken responsibility for `message`. After a transient error the message may have
    /// arrived all the same; its `Message-ID` stays the same when it is sent again.
    async fn send(&self, server: &SmtpServer, message: &Message) -> Result<(), SendError>;
}
