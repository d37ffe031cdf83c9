//! The auth API as a client sees it.

pub(crate) mod admin;
mod http;
pub(crate) mod mail;
pub(crate) mod mfa;
pub(crate) mod oauth;
pub(crate) mod pkce;
mod probe;
mod project;
pub(crate) mod redirect;
mod session;
pub(crate) mod sessions;
pub(crate) mod sign_up;

pub(crate) use http::{Failure, Http, guarded, send, send_json};
pub(crate) use probe::Probe;
pub(crate) use project::Project;
pub(crate) use session::{Session, Tokens, User};
