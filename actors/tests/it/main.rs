//! The actors as their users see them: promises of [`actors::RuntimeHandle`], kept through panics, storms and shutdowns.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may stop at the first surprise, their helpers too"
)]

mod acknowledgement;
mod activation;
mod admission;
mod contact;
mod crash;
mod hashing;
mod holds;
mod invalidation;
mod management;
mod memory;
mod operations;
mod order;
mod passivation;
mod polls;
mod quotas;
mod shutdown;
mod support;
