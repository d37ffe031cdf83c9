//! The actors of the gateway: every request of a project is one message to its tenant actor.
//!
//! ```text
//! RuntimeHandle            finds the tenant without a message, admits, asks
//! Root                     starts and stops, ends the process when crashes pile up
//!  |- Registry x 16        the only writers of the directory: activation, restart, quarantine, passivation
//!  |   `- Tenant           dispatches; reads its configuration again when that changes
//!  |       |- Supervisor of sessions     `- Session: refresh, logout, in strict order
//!  |       `- Supervisor of challenges   `- Challenge: codes and links, in strict order
//!  |- HashingPool          argon2id and bcrypt, fair among projects
//!  |- Outbox               delivers what transactions promised
//!  |- Listener             changes, of this gateway and of others, and how far this one has followed them
//!  `- Janitor              what is due: expired rows, deleted projects, keys
//! ```
//!
//! Supervisors do no work and never wait; leaves do all of it. Everything in flight holds permits that were taken
//! without waiting, so that every queue is bounded and whoever finds no room is told so at once. The database decides;
//! an actor only spares its neighbours the contention.

mod challenge;
mod changes;
mod contact;
mod control;
mod directory;
mod due;
mod error;
mod follow;
mod handle;
mod hashing;
mod invalidation;
mod janitor;
mod keyed;
mod kit;
mod limits;
mod operation;
mod operations;
mod outbox;
mod poll;
mod registry;
mod root;
mod runtime;
mod session;
mod settle;
mod snapshots;
mod start;
mod stats;
mod tenant;
mod usage;
mod work;

pub use error::{AskError, Cause};
/// What the Management API is made of.
pub use flows::management;
pub use handle::{Health, PolicySnapshot, RuntimeHandle};
pub use hashing::HashingRefused;
pub use limits::{Limits, Rate};
pub use operation::{Lane, Operation};
pub use operations::Document;
pub use poll::{Next, Poll};
pub use start::{Parts, Runtime, StartError};
pub use stats::RuntimeStats;
