//! Everything Tenantry says to the outside: mail, SMS, hooks, captcha judges, the breach service, providers that people
//! sign in with; and the mailbox for development. Each is a trait with one transport that speaks over the network and one
//! that records, for tests.
//!
//! The way of a mail: [`mails::compose`] renders subject, HTML and text of one kind of mail from the project's
//! templates; the caller makes a [`Message`] of it; a [`MailTransport`] hands the message to the project's SMTP
//! server, or [`mailbox::Mailbox`] keeps it while a project has none.
//!
//! Projects choose where all this goes, so every connection passes the [`Reach`] of the process, and all HTTP is spoken
//! by one [`HttpClient`]; what custom providers and foreign issuers name is reached by another one, on the public internet
//! only. Nothing here reads the system's clock or makes an id: both are parameters.

pub mod breaches;
pub mod captcha;
pub mod dns;
pub mod hooks;
pub mod http;
mod in_flight;
pub mod mail;
pub mod mailbox;
pub mod mails;
pub mod plain;
pub mod providers;
pub mod reach;
pub mod recording;
pub mod sms;
pub mod smtp;
pub mod template;
pub mod transport;

pub use breaches::{BloomFile, BreachCheck, BreachError, HttpBreaches, RecordingBreaches};
pub use captcha::{CaptchaError, CaptchaTransport, HttpCaptcha, RecordingCaptcha, Verdict};
pub use dns::{DnsError, RecordingTxtRecords, SystemTxtRecords, TxtRecords};
pub use hooks::{HookError, HookTransport, HttpHooks, RecordingHooks};
pub use http::{HttpClient, HttpError};
pub use mail::{Address, Message};
pub use providers::{HttpProviders, IdTokenError, ProviderError, ProviderTransport, RecordingProviders};
pub use reach::Reach;
pub use recording::RecordingTransport;
pub use sms::{RecordingSms, SmsError, SmsTransport};
pub use smtp::SmtpTransport;
pub use transport::{Encryption, MailTransport, SendError, SmtpServer};
