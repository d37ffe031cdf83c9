//! The binary from outside, and the house's rules about which crate may use which.

#![expect(clippy::unwrap_used, reason = "tests may stop at the first surprise, their helpers too")]

mod arrows;
mod command_line;
mod command_line_archive;
mod command_line_config;
mod command_line_projects;
mod first_run;
mod sign_ins;
mod stand_in;
