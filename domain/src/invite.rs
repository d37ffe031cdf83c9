//! `POST /invite` (`contract/core.md` §17.1). Answers a `User`.

use crate::request::Bearer;
use crate::user::Metadata;

/// Somebody is invited.
#[derive(Clone, Debug)]
pub struct Request {
    /// The admin's token.
    pub bearer: Bearer,
    /// Address, as typed.
    pub email: String,
    /// Metadata of a new account.
    pub data: Option<Metadata>,
}
