//! What the crate promises, seen from outside.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may stop at a surprise"
)]

mod api_key;
mod foreign_keys;
mod jwk;
mod key_set;
mod password;
mod refresh_token;
mod sealing;
mod support;
mod token_attacks;
mod vectors;
mod webauthn;
