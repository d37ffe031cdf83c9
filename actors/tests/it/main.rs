//! The actors as their users see them: promises of [`actors::RuntimeHandle`], kept through panics, storms and shutdowns.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may stop at the first surprise, their helpers too"
)]

mod activation;
mod admission;
mod crash;
mod hashing;
mod invalidation;
mod management;
mod operations;
mod order;
mod passivation;
mod polls;
mod shutdown;
mod support;
