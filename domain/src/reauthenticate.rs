//! `GET /reauthenticate` (`contract/core.md` §16.3). Answers [`crate::sms::Sent`].

use crate::request::Bearer;

/// A nonce for a sensitive change is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
}
