//! The only crate with SQL: one source over PostgreSQL and SQLite.
//!
//! - [`Database`] is where rows lie; [`TenantStore`] is the rows of one project and the only way to them; [`Tx`] is a transaction on
//!   them, with a short-lived repository for each kind of row (`tx.users()`, `tx.sessions()`, ...).
//! - What a request spends most on is a method of `TenantStore`: one statement on PostgreSQL, one transaction on SQLite. Reading a
//!   user and rotating a session travel in lanes (`lane.rs`), together with whatever else queued meanwhile.
//! - [`ControlStore`] is the gateway's own data, apart from all of this.
//!
//! To add a statement: put its text into the `statements!` list of the file (both texts side by side where they differ), `$1` being
//! `instance_id`, every `auth` table with an alias that is held to it; name the file in the list of `sql.rs`; check the row count of
//! a write; add a scenario to `tests/it`, which runs it on both databases, and a line to `tests/it/tenancy.rs`.

#[macro_use]
mod sql;
#[macro_use]
mod rows;

pub mod archive;
mod audit;
mod backend;
mod breaker;
mod call_function;
pub mod control;
mod count_users;
mod credentials;
mod custom_providers;
mod database;
mod dead_letters;
mod earliest;
mod end_sessions;
mod error;
mod factors;
mod flow_states;
mod identities;
mod known_devices;
mod lane;
mod list_audit;
mod list_sessions;
mod list_users;
mod mfa_challenges;
mod one_time_tokens;
mod open_session;
mod outbox;
mod own;
mod passkeys;
#[cfg(test)]
mod plans;
mod pools;
mod project_sessions;
mod promise_message;
mod purge;
mod raise_session;
mod read_session;
mod read_user;
mod recovery_codes;
mod refresh_tokens;
mod revocations;
mod rotate_on_sqlite;
mod rotate_session;
#[cfg(test)]
mod server_database;
mod sessions;
mod share;
mod sign_up;
mod soft_delete;
mod statistics;
mod sweep;
mod sweep_project;
mod unopened;
mod users;
mod values;
mod web3_signatures;
mod webauthn_challenges;

pub use audit::{Audit, AuditEntry};
pub use call_function::FunctionError;
pub use control::ControlStore;
pub use credentials::Credentials;
pub use custom_providers::CustomProviders;
pub use database::{Database, DatabaseKey, Placement, TenantStore, Tx, WeakDatabase};
pub use dead_letters::DeadLetter;
pub use earliest::Earliest;
pub use end_sessions::{EndSessions, EndedSessions, Which};
pub use error::{Cause, MigrateError, StoreError};
pub use factors::{Factors, NewFactor, StoredFactor};
pub use flow_states::{FlowState, FlowStates, NewFlowState};
pub use identities::{Identities, NewIdentity};
pub use known_devices::KnownDevices;
pub use list_audit::ListAudit;
pub use list_sessions::ListSessions;
pub use list_users::{ListUsers, ListUsersAfter};
pub use mfa_challenges::{ChallengeFactor, MfaChallenge, MfaChallenges, NewMfaChallenge};
pub use one_time_tokens::{NewOneTimeToken, OneTimeToken, OneTimeTokens, TokenKind};
pub use open_session::OpenSession;
pub use outbox::{NewOutbox, Outbox, OutboxDepth, OutboxRow};
pub use own::PoolBudget;
pub use passkeys::{PasskeyUse, Passkeys, StoredPasskey};
pub use pools::is_postgres_url;
pub use promise_message::{Expected, PromiseMessage, SentAt};
pub use read_user::ReadUser;
pub use recovery_codes::{NewRecoveryCode, RecoveryCode, RecoveryCodes};
pub use refresh_tokens::{NewRefreshToken, RefreshTokens, StoredToken};
pub use revocations::Revocations;
pub use rotate_session::RotateSession;
pub use sessions::{NewSession, Sessions};
pub use sign_up::SignUp;
pub use soft_delete::SoftDelete;
pub use sweep::Sweep;
pub use sweep_project::{ProjectSweep, Swept};
pub use unopened::{database_name, why_unopened};
pub use users::{Locked, NewUser, UserChanges, UserTokens, Users};
pub use webauthn_challenges::{CeremonyKind, NewWebauthnChallenge, WebauthnChallenge};
