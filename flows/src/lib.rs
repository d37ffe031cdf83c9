//! The business sequences, one file per flow: gather facts, decide (in `domain`), apply in one transaction, answer.
//!
//! A flow takes a [`Context`] and a request of `domain` and gives an answer or an [`Error`]. It knows neither HTTP nor actors.

pub mod audit;
pub mod authenticate;
mod confirmation;
mod context;
mod error;
mod issue;
pub mod mail;
pub mod management;
mod new_user;
mod one_time;
mod refresh_stored;
pub mod source;

mod admin_users;
mod audit_log;
mod databases;
mod discovery;
mod exchange;
mod generate_link;
mod introspect;
mod invite;
mod limits;
mod logout;
mod magic_link;
mod otp;
mod reauthenticate;
mod recover;
mod refresh;
mod resend;
mod sessions;
mod sign_in;
mod signup;
mod user_delete;
mod user_read;
mod user_update;
mod verify;

pub use admin_users::{admin_create_user, admin_delete_user, admin_get_user, admin_list_users, admin_update_user};
pub use audit_log::admin_list_audit;
pub use context::{AcceptedApiKey, Context, Hasher, OutboxWake, Services, Tenant, WarmSession};
pub use databases::Databases;
pub use discovery::{health, jwks, oauth_metadata, openid_configuration, settings};
pub use error::{Error, Result, Source};
pub use exchange::exchange;
pub use generate_link::generate_link;
pub use introspect::introspect;
pub use invite::invite;
pub use logout::logout;
pub use magic_link::magic_link;
pub use otp::otp;
pub use reauthenticate::reauthenticate;
pub use recover::recover;
pub use refresh::refresh;
pub use resend::resend;
pub use sessions::{admin_end_sessions, admin_list_sessions, end_session, list_sessions};
pub use sign_in::sign_in;
pub use signup::signup;
pub use source::{ControlSource, TenantSource};
pub use user_delete::user_delete;
pub use user_read::user_read;
pub use user_update::user_update;
pub use verify::{verify, verify_link};
