//! Tests of the crate from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may stop at the first surprise")]

mod go_templates;
mod mailbox;
mod mails;
mod messages;
mod smtp;
mod templates;
