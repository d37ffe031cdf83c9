//! The actors as their users see them: promises of [`actors::RuntimeHandle`], kept through panics, storms and shutdowns.

mod activation;
mod admission;
mod crash;
mod hashing;
mod invalidation;
mod order;
mod passivation;
mod shutdown;
mod support;
