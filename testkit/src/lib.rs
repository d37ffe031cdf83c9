//! The whole gateway in a test's own process: real router, actors, flows and storage, with a clock the test moves,
//! repeatable randomness, and a mailbox in memory.

mod app;
mod authenticator;
mod client;
mod clock;
mod database;
mod entropy;
mod rows;
mod wire;

/// What a gateway takes on.
pub use actors::Limits;
/// What a project serves.
pub use api::auth_routes;
pub use app::{Setup, TestApp, TestProject};
pub use authenticator::{Algorithm, Attestation, Authenticator, Lies};
pub use client::{Answer, Ask};
pub use clock::MockClock;
pub use database::{Hold, TestDatabase};
pub use entropy::SeededEntropy;
pub use rows::{RowWatch, Rows};
pub use wire::Wire;
