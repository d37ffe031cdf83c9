//! `POST /logout` (`contract/core.md` §16.4). Answers nothing.

use crate::refusal::Refusal;
use crate::request::Bearer;

/// Which sessions of the user end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Global,
    /// The bearer's.
    Local,
    /// All but the bearer's.
    Others,
}

impl Scope {
    /// Reads the `scope` parameter; empty is global.
    ///
    /// # Errors
    /// Any other word is refused.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "" | "global" => Ok(Self::Global),
            "local" => Ok(Self::Local),
            "others" => Ok(Self::Others),
            other => Err(Refusal::UnsupportedLogoutScope(other.to_owned())),
        }
    }
}

/// A logout. The scope stays text until the bearer has been checked, because the bearer is refused first.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's token.
    pub bearer: Bearer,
    /// The `scope` parameter as given.
    pub scope: String,
}
