//! The only crate with SQL.

#[macro_use]
mod sql;
#[macro_use]
mod rows;

mod audit;
mod backend;
pub mod control;
mod credentials;
mod database;
mod end_sessions;
mod error;
mod flow_states;
mod identities;
mod lane;
mod list_users;
mod one_time_tokens;
mod open_session;
mod outbox;
mod purge;
mod read_session;
mod read_user;
mod refresh_tokens;
mod rotate_session;
mod sessions;
mod sign_up;
mod sweep;
mod users;
mod values;

pub use audit::{Audit, AuditEntry};
pub use control::ControlStore;
pub use credentials::{Contact, Credentials};
pub use database::{Database, Placement, TenantStore, Tx};
pub use end_sessions::{EndSessions, EndedSessions, Which};
pub use error::{Cause, MigrateError, StoreError};
pub use flow_states::{ChallengeMethod, FlowState, FlowStates, NewFlowState};
pub use identities::{Identities, NewIdentity};
pub use list_users::ListUsers;
pub use one_time_tokens::{NewOneTimeToken, OneTimeToken, OneTimeTokens, TokenKind};
pub use open_session::OpenSession;
pub use outbox::{NewOutbox, Outbox, OutboxDepth, OutboxRow};
pub use read_user::ReadUser;
pub use refresh_tokens::{NewRefreshToken, RefreshTokens, StoredToken};
pub use rotate_session::RotateSession;
pub use sessions::{NewSession, Sessions};
pub use sign_up::SignUp;
pub use sweep::Sweep;
pub use users::{Locked, NewUser, SoftDelete, UserChanges, UserTokens, Users};
