//! The auth API as a client sees it.

mod http;
mod project;
mod session;

pub(crate) use http::{Failure, Http, connections, send, send_json};
pub(crate) use project::Project;
pub(crate) use session::{Session, Tokens, User};
