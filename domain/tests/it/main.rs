//! What the crate promises to the others.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

mod account;
mod config_patch;
mod config_policy;
mod config_profiles;
mod properties;
mod support;
