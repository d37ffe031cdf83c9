//! `GET /user` (`contract/core.md` §16.1). Answers a `User`.

use crate::request::Bearer;

/// Who am I.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
}
