//! Typed identifiers. A `UserId` cannot be handed in where a `SessionId` is wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    /// One project of the gateway. Keys everything outside a single database.
    ProjectId
    /// The rows of one project inside one database (`instance_id` of every `auth` table).
    InstanceId
    /// A row of `auth.users`, the `sub` claim.
    UserId
    /// A row of `auth.sessions`, the `session_id` claim.
    SessionId
    /// A row of `auth.identities`.
    IdentityId
    /// A row of `auth.mfa_factors`.
    FactorId
    /// A row of `auth.mfa_challenges` or `auth.webauthn_challenges`.
    ChallengeId
    /// A row of `auth.webauthn_credentials`.
    PasskeyId
}

/// The public name of a project: `[a-z][a-z0-9-]{2,62}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectRef(Box<str>);

/// A text that is not a project ref.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a project ref is 3 to 63 characters: a lower-case letter, then lower-case letters, digits or hyphens")]
pub struct InvalidProjectRef;

impl ProjectRef {
    /// The ref as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectRef {
    type Err = InvalidProjectRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = text.bytes();
        let starts = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if starts && rest && (3..=63).contains(&text.len()) { Ok(Self(text.into())) } else { Err(InvalidProjectRef) }
    }
}

impl TryFrom<String> for ProjectRef {
    type Error = InvalidProjectRef;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ProjectRef> for String {
    fn from(project: ProjectRef) -> Self {
        project.0.into()
    }
}

impl fmt::Display for ProjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_host_labels_that_start_with_a_letter() {
        for good in ["abc", "a-1", "abcdefghijklmnopqrst"] {
            assert!(good.parse::<ProjectRef>().is_ok(), "{good}");
        }
        for bad in ["", "ab", "1abc", "-abc", "Abc", "a_c", "abc.d", &"a".repeat(64)] {
            assert!(bad.parse::<ProjectRef>().is_err(), "{bad}");
        }
    }
}
