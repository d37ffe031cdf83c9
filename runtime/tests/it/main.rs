//! The binary from outside, and the house's rules about which crate may use which.

mod arrows;
mod command_line;
