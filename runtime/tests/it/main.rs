//! The binary from outside, and the house's rules about which crate may use which.

#![expect(clippy::unwrap_used, reason = "tests may stop at the first surprise, their helpers too")]

mod arrows;
mod command_line;
mod sign_ins;
