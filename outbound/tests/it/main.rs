//! Tests of the crate from outside.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may stop at the first surprise"
)]

mod breaches;
mod captcha;
mod go_templates;
mod hooks;
mod http;
mod issuers;
mod mailbox;
mod mails;
mod messages;
mod providers;
mod sms;
mod smtp;
mod smtp_server;
mod smtp_tls;
mod stand_in;
mod templates;
