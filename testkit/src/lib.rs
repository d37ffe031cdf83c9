//! The whole gateway in a test's own process: real router, actors, flows and storage, with a clock the test moves,
//! repeatable randomness, and a mailbox in memory.

mod app;
mod authenticator;
mod client;
mod clock;
mod database;
mod entropy;

/// What a gateway takes on.
pub use actors::Limits;
pub use app::{Setup, TestApp, TestProject};
pub use authenticator::{Algorithm, Attestation, Authenticator, Lies};
pub use client::{Answer, Ask};
pub use clock::MockClock;
pub use database::TestDatabase;
pub use entropy::SeededEntropy;
