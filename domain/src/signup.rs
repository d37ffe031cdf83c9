//! `POST /signup` (`contract/core.md` §12).

use crate::secret::Secret;
use crate::tokens::IssuedSession;
use crate::user::{Metadata, User};

/// A sign-up as parsed from the body. Empty texts count as absent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Address, as typed.
    pub email: String,
    /// Number, as typed.
    pub phone: String,
    /// Password; the field may be empty.
    pub password: Option<Secret<String>>,
    /// User metadata.
    pub data: Metadata,
    /// PKCE challenge, empty when absent.
    pub code_challenge: String,
    /// PKCE method, empty when absent.
    pub code_challenge_method: String,
}

/// What a sign-up answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The account is confirmed: tokens.
    Session(Box<IssuedSession>),
    /// The account waits for confirmation, or (obfuscated) exists already: a bare user.
    User(Box<User>),
}
